mod hand_off;
mod update;

pub use update::{Field, OwnerSwitches, Update};

use crate::lease::same_members;
use crate::{Checkpoint, HashKeyRange, Lease, LeaseCounter, LeaseKey, PendingCheckpoint, ShardId, TenureToken, WorkerId};

/// What a write is for. Metrics and logs name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// A new row.
    Create,
    /// A heartbeat.
    Renew,
    /// A new owner.
    Take,
    /// A durable position.
    Checkpoint,
    /// A proposed position.
    PrepareCheckpoint,
    /// No owner any more.
    Release,
    /// A worker asks the owner for the lease.
    Request,
    /// It does not ask any more, or the owner declines.
    Withdraw,
    /// The owner makes the worker that asked for it the owner.
    Transfer,
    /// Facts about the shard that the row lacked.
    Describe,
    /// The row is removed.
    Delete,
}

impl Verb {
    /// The name in metrics and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Renew => "renew",
            Self::Take => "take",
            Self::Checkpoint => "checkpoint",
            Self::PrepareCheckpoint => "prepare_checkpoint",
            Self::Release => "release",
            Self::Request => "request",
            Self::Withdraw => "withdraw",
            Self::Transfer => "transfer",
            Self::Describe => "describe",
            Self::Delete => "delete",
        }
    }
}

/// What must hold of the stored row for a write to apply. All parts together, checked and applied atomically.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Expectation {
    /// There is no row with this key.
    Absent,
    /// The row is the version that was seen.
    Version {
        /// The owner that was seen, `None` for no owner.
        owner: Option<WorkerId>,
        /// The counter that was seen.
        counter: LeaseCounter,
    },
    /// The row is the version that was seen, and nobody asks for the lease.
    Unrequested {
        /// The owner that was seen.
        owner: WorkerId,
        /// The counter that was seen.
        counter: LeaseCounter,
    },
    /// The row is the version that was seen, and this worker asks for the lease.
    Requested {
        /// The owner that was seen.
        owner: WorkerId,
        /// The counter that was seen.
        counter: LeaseCounter,
        /// Who asks for it.
        by: WorkerId,
    },
    /// This worker asks for the lease, whatever the version.
    RequestedBy(WorkerId),
    /// The row is finished, at the counter that was seen.
    EndedAt {
        /// The counter that was seen.
        counter: LeaseCounter,
    },
    /// The row exists and does not know its children.
    NoChildren,
    /// The row exists and does not know its hash range.
    NoHashRange,
}

/// What a write does to the row.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// A whole new row.
    Put(Box<Lease>),
    /// Some attributes.
    Update(Box<Update>),
    /// The row is removed.
    Delete,
}

/// One conditional write of one lease row, as data. Built only by its verbs; a store applies it atomically.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LeaseWrite {
    verb: Verb,
    key: LeaseKey,
    expectation: Expectation,
    change: Change,
}

/// How a store answers a write that it could decide.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum WriteOutcome {
    /// The write was applied. The row after it; for a delete, the row that was deleted.
    Applied(Lease),
    /// The row was not as expected. What it is now, `None` if there is none or it is not readable as a lease.
    Rejected {
        /// The row as it is.
        current: Option<Lease>,
    },
}

impl LeaseWrite {
    fn update(verb: Verb, seen: &Lease, update: Update) -> Self {
        let expectation = Expectation::Version { owner: seen.owner.clone(), counter: seen.counter };
        Self { verb, key: seen.key.clone(), expectation, change: Change::Update(Box::new(update)) }
    }

    /// Creates the row if its key is absent.
    pub fn create(lease: Lease) -> Self {
        let key = lease.key.clone();
        Self { verb: Verb::Create, key, expectation: Expectation::Absent, change: Change::Put(Box::new(lease)) }
    }

    /// Heartbeat by the owner of `seen`.
    pub fn renew(seen: &Lease) -> Self {
        Self::update(Verb::Renew, seen, Update::HEARTBEAT)
    }

    /// Makes `by` the owner of the version `seen`. `token` is new for each take, and the same if this very take is sent again.
    /// Whoever asked for the lease asked another owner: that is removed, and so is what that owner said about hand-offs.
    pub fn take(seen: &Lease, by: &WorkerId, token: TenureToken) -> Self {
        let switched = seen.owner.as_ref().is_some_and(|owner| owner != by);
        let owner_switches = if switched { OwnerSwitches::AddOne } else { OwnerSwitches::Keep };
        let update = Update {
            owner: Field::Set(by.clone()),
            owner_switches,
            remove_checkpoint_owner: true,
            tenure: Some(token),
            hands_off: Field::Remove,
            requested_by: Field::Remove,
            ..Update::HEARTBEAT
        };
        Self::update(Verb::Take, seen, update)
    }

    /// Stores a position; removes a proposed one.
    pub fn checkpoint(seen: &Lease, checkpoint: Checkpoint) -> Self {
        let update = Update {
            checkpoint: Some(checkpoint),
            pending: Field::Remove,
            owner_switches: OwnerSwitches::Reset,
            ..Update::HEARTBEAT
        };
        Self::update(Verb::Checkpoint, seen, update)
    }

    /// Stores a proposed position; the position itself stays.
    pub fn prepare_checkpoint(seen: &Lease, pending: PendingCheckpoint) -> Self {
        let update = Update { pending: Field::Set(pending), ..Update::HEARTBEAT };
        Self::update(Verb::PrepareCheckpoint, seen, update)
    }

    /// Gives the lease up: no owner, so that another worker need not wait for it to expire.
    pub fn release(seen: &Lease) -> Self {
        Self::update(Verb::Release, seen, Update { owner: Field::Remove, ..Update::HEARTBEAT })
    }

    /// Fills in the children of a row that does not know them, whoever owns it.
    pub fn describe_children(key: &LeaseKey, children: Vec<ShardId>) -> Self {
        let change = Change::Update(Box::new(Update { children: Some(children), ..Update::NOTHING }));
        Self { verb: Verb::Describe, key: key.clone(), expectation: Expectation::NoChildren, change }
    }

    /// Fills in the hash range of a row that does not know it, whoever owns it.
    pub fn describe_hash_range(key: &LeaseKey, range: HashKeyRange) -> Self {
        let change = Change::Update(Box::new(Update { hash_range: Some(range), ..Update::NOTHING }));
        Self { verb: Verb::Describe, key: key.clone(), expectation: Expectation::NoHashRange, change }
    }

    /// Removes the row of a finished shard.
    pub fn delete(seen: &Lease) -> Self {
        let expectation = Expectation::EndedAt { counter: seen.counter };
        Self { verb: Verb::Delete, key: seen.key.clone(), expectation, change: Change::Delete }
    }

    /// What the write is for.
    pub const fn verb(&self) -> Verb {
        self.verb
    }

    /// The row it is for.
    pub const fn key(&self) -> &LeaseKey {
        &self.key
    }

    /// What must hold for it to apply.
    pub const fn expectation(&self) -> &Expectation {
        &self.expectation
    }

    /// What it does.
    pub const fn change(&self) -> &Change {
        &self.change
    }

    /// Whether it applies only while no Java 3.x hand-over runs, besides its expectation: every write that counts further does
    /// unless it ends the hand-over. While one runs the row is its checkpoint owner's.
    pub fn expects_no_hand_over(&self) -> bool {
        matches!(&self.change, Change::Update(update) if update.add_one && !update.remove_checkpoint_owner)
    }

    /// The counter it stores, if it changes the counter.
    pub fn counter_after(&self) -> Option<LeaseCounter> {
        match (&self.change, &self.expectation) {
            (Change::Update(update), Expectation::Version { counter, .. } | Expectation::Requested { counter, .. })
                if update.add_one =>
            {
                Some(counter.next())
            }
            (Change::Put(lease), _) => Some(lease.counter),
            _ => None,
        }
    }

    /// What a store must do: the write's effect on `current`. The reference semantics for every backend.
    ///
    /// `Ok(Some(row))` is the row after the write, `Ok(None)` says that it was deleted.
    ///
    /// # Errors
    /// [`NotAsExpected`] if the row is not as expected; nothing changes.
    pub fn apply(&self, current: Option<&Lease>) -> Result<Option<Lease>, NotAsExpected> {
        let handed_over = current.is_some_and(|row| row.checkpoint_owner.is_some()) && self.expects_no_hand_over();
        if handed_over || !self.is_expected(current) {
            return Err(NotAsExpected);
        }
        match (&self.change, current) {
            (Change::Put(lease), _) => Ok(Some((**lease).clone())),
            (Change::Delete, _) => Ok(None),
            (Change::Update(update), Some(row)) => Ok(Some(update.applied_to(row))),
            (Change::Update(_), None) => Err(NotAsExpected),
        }
    }

    fn is_expected(&self, current: Option<&Lease>) -> bool {
        match (&self.expectation, current) {
            (Expectation::Absent, row) => row.is_none(),
            (_, None) => false,
            (Expectation::Version { owner, counter }, Some(row)) => row.owner == *owner && row.counter == *counter,
            (Expectation::Unrequested { owner, counter }, Some(row)) => {
                row.is_owned_by(owner) && row.counter == *counter && row.requested_by.is_none()
            }
            (Expectation::Requested { owner, counter, by }, Some(row)) => {
                row.is_owned_by(owner) && row.counter == *counter && row.requested_by.as_ref() == Some(by)
            }
            (Expectation::RequestedBy(by), Some(row)) => row.requested_by.as_ref() == Some(by),
            (Expectation::EndedAt { counter }, Some(row)) => row.counter == *counter && row.checkpoint.is_shard_end(),
            (Expectation::NoChildren, Some(row)) => row.children.is_empty(),
            (Expectation::NoHashRange, Some(row)) => row.hash_range.is_none(),
        }
    }

    /// Whether `current` is what the row would be if this write, and nothing after it, had been applied.
    ///
    /// This is how a write with an unknown result is decided: the row is read again and asked. A checkpoint is
    /// confirmed only by the stored value itself, a take only by its token.
    pub fn explains(&self, current: Option<&Lease>) -> bool {
        match (&self.change, current) {
            (Change::Delete, row) => row.is_none(),
            (_, None) => false,
            (Change::Put(lease), Some(row)) => lease.is_same_row(row),
            (Change::Update(update), Some(row)) => {
                self.counter_after().is_none_or(|counter| counter == row.counter)
                    && self.owner_explains(update, row)
                    && update.tenure.is_none_or(|sent| Some(sent) == row.tenure)
                    && update.checkpoint.as_ref().is_none_or(|sent| *sent == row.checkpoint)
                    && update.pending.is_shown_by(row.pending.as_ref())
                    && self.request_explains(row)
                    && update.children.as_ref().is_none_or(|children| same_members(children, &row.children))
                    && update.hash_range.is_none_or(|range| Some(range) == row.hash_range)
            }
        }
    }

    /// What is asked of the owner after a take or a transfer is not part of it.
    fn request_explains(&self, row: &Lease) -> bool {
        match (&self.change, &self.expectation) {
            (_, Expectation::RequestedBy(by)) => row.requested_by.as_ref() != Some(by),
            (Change::Update(update), Expectation::Unrequested { .. }) => {
                update.requested_by.is_shown_by(row.requested_by.as_ref())
            }
            _ => true,
        }
    }

    fn owner_explains(&self, update: &Update, row: &Lease) -> bool {
        match &self.expectation {
            Expectation::Version { owner, .. } => update.owner_after(owner.as_ref()) == row.owner.as_ref(),
            Expectation::Unrequested { owner, .. } | Expectation::Requested { owner, .. } => {
                update.owner_after(Some(owner)) == row.owner.as_ref()
            }
            _ => true,
        }
    }
}

/// The stored row was not as a write expected it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the row is not as expected")]
pub struct NotAsExpected;

#[cfg(test)]
mod tests;
