use crate::{Checkpoint, HashKeyRange, Lease, PendingCheckpoint, ShardId, TenureToken, WorkerId};

/// What a write does to one optional attribute.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Field<T> {
    /// Left as it is.
    Keep,
    /// Set to this value.
    Set(T),
    /// Removed.
    Remove,
}

impl<T: Clone + PartialEq> Field<T> {
    fn apply_to(&self, stored: &mut Option<T>) {
        match self {
            Self::Keep => {}
            Self::Set(value) => *stored = Some(value.clone()),
            Self::Remove => *stored = None,
        }
    }

    /// Whether the attribute may be `stored` after the write.
    pub(super) fn is_shown_by(&self, stored: Option<&T>) -> bool {
        match self {
            Self::Keep => true,
            Self::Set(value) => stored == Some(value),
            Self::Remove => stored.is_none(),
        }
    }
}

/// What a write does to the count of owner switches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OwnerSwitches {
    /// Left as it is.
    Keep,
    /// One more.
    AddOne,
    /// Set to zero.
    Reset,
}

/// The attributes that an update changes; the others, known or not, stay.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Update {
    /// Whether the counter becomes the expected one plus one.
    pub add_one: bool,
    /// The owner.
    pub owner: Field<WorkerId>,
    /// The count of owner switches.
    pub owner_switches: OwnerSwitches,
    /// The checkpoint; its sub-sequence number is always written with it.
    pub checkpoint: Option<Checkpoint>,
    /// The proposed checkpoint and its state.
    pub pending: Field<PendingCheckpoint>,
    /// Whether the hand-over marker is removed.
    pub remove_checkpoint_owner: bool,
    /// The children.
    pub children: Option<Vec<ShardId>>,
    /// The hash range.
    pub hash_range: Option<HashKeyRange>,
    /// The token of a take.
    pub tenure: Option<TenureToken>,
    /// The worker that hands the lease off when it is asked to.
    pub hands_off: Field<WorkerId>,
    /// Who asks for the lease.
    pub requested_by: Field<WorkerId>,
}

impl Update {
    pub(super) const NOTHING: Self = Self {
        add_one: false,
        owner: Field::Keep,
        owner_switches: OwnerSwitches::Keep,
        checkpoint: None,
        pending: Field::Keep,
        remove_checkpoint_owner: false,
        children: None,
        hash_range: None,
        tenure: None,
        hands_off: Field::Keep,
        requested_by: Field::Keep,
    };
    pub(super) const HEARTBEAT: Self = Self { add_one: true, ..Self::NOTHING };
}

impl Update {
    pub(super) fn applied_to(&self, row: &Lease) -> Lease {
        let mut after = row.clone();
        if self.add_one {
            after.counter = row.counter.next();
        }
        self.owner.apply_to(&mut after.owner);
        self.hands_off.apply_to(&mut after.hands_off);
        self.requested_by.apply_to(&mut after.requested_by);
        self.pending.apply_to(&mut after.pending);
        match self.owner_switches {
            OwnerSwitches::Keep => {}
            OwnerSwitches::AddOne => after.owner_switches = row.owner_switches.saturating_add(1),
            OwnerSwitches::Reset => after.owner_switches = 0,
        }
        if let Some(checkpoint) = &self.checkpoint {
            after.checkpoint = checkpoint.clone();
        }
        if self.remove_checkpoint_owner {
            after.checkpoint_owner = None;
        }
        if let Some(children) = &self.children {
            after.children.clone_from(children);
        }
        after.hash_range = self.hash_range.or(row.hash_range);
        after.tenure = self.tenure.or(row.tenure);
        after
    }

    pub(super) const fn owner_after<'a>(&'a self, before: Option<&'a WorkerId>) -> Option<&'a WorkerId> {
        match &self.owner {
            Field::Keep => before,
            Field::Set(owner) => Some(owner),
            Field::Remove => None,
        }
    }
}
