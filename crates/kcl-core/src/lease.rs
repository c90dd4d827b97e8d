use crate::{Checkpoint, HashKeyRange, LeaseKey, PendingCheckpoint, ShardId, TenureToken, Wall, WorkerId};

/// Heartbeat and version of a lease row: every write that renews, moves or checkpoints it adds exactly one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaseCounter(u64);

impl LeaseCounter {
    /// The counter with this value.
    pub const fn new(value: u64) -> Self {
        Self(value)
    }

    /// The value.
    pub const fn value(self) -> u64 {
        self.0
    }

    /// The counter that the next write stores.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl std::fmt::Display for LeaseCounter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// One row of the lease table: the claim on one shard and how far it has been processed.
///
/// Attributes that this type does not name stay in the stored row: every write after the creation changes only
/// the attributes it names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Lease {
    /// The row's key.
    pub key: LeaseKey,
    /// Who holds it; `None` if nobody does. During a Java 3.x hand-over: who will.
    pub owner: Option<WorkerId>,
    /// Heartbeat and version.
    pub counter: LeaseCounter,
    /// How often the owner changed since the last checkpoint.
    pub owner_switches: u64,
    /// How far the shard has been processed.
    pub checkpoint: Checkpoint,
    /// A checkpoint that was proposed and not yet committed.
    pub pending: Option<PendingCheckpoint>,
    /// The shards that this one came from.
    pub parents: Vec<ShardId>,
    /// The shards that follow this one, once they are known.
    pub children: Vec<ShardId>,
    /// The hashes that the shard serves, where they are known.
    pub hash_range: Option<HashKeyRange>,
    /// Who still works on the shard while a Java 3.x hand-over runs.
    pub checkpoint_owner: Option<WorkerId>,
    /// For a lease that starts at LATEST: when it was created, so that a later owner can begin there.
    pub latest_since: Option<Wall>,
    /// What the last take by a worker of this library wrote. A Java worker's take and a release leave it as it was.
    pub tenure: Option<TenureToken>,
    /// The worker that hands the lease off when it is asked to, as its take said. A Java worker's take leaves it as it was:
    /// it says something about the owner only if it names the owner.
    pub hands_off: Option<WorkerId>,
    /// Who asks the owner for the lease.
    pub requested_by: Option<WorkerId>,
}

impl Lease {
    /// A lease that nobody holds, at counter 0.
    pub const fn new(key: LeaseKey, checkpoint: Checkpoint) -> Self {
        Self {
            key,
            owner: None,
            counter: LeaseCounter(0),
            owner_switches: 0,
            checkpoint,
            pending: None,
            parents: Vec::new(),
            children: Vec::new(),
            hash_range: None,
            checkpoint_owner: None,
            latest_since: None,
            tenure: None,
            hands_off: None,
            requested_by: None,
        }
    }

    /// Who works on the shard now: the old owner while a Java 3.x hand-over runs, otherwise the owner.
    pub const fn actual_owner(&self) -> Option<&WorkerId> {
        match &self.checkpoint_owner {
            Some(owner) => Some(owner),
            None => self.owner.as_ref(),
        }
    }

    /// Whether `worker` holds it.
    pub fn is_owned_by(&self, worker: &WorkerId) -> bool {
        self.owner.as_ref() == Some(worker)
    }

    /// Who is to have it: whoever asks an owner for it that hands leases off, otherwise whoever works on it.
    pub fn heir(&self) -> Option<&WorkerId> {
        self.requested_by.as_ref().filter(|_| self.can_be_asked_for()).or(self.actual_owner())
    }

    /// Whether a former owner handed it off to `worker`, which has not taken it yet.
    pub fn is_transferred_to(&self, worker: &WorkerId) -> bool {
        self.is_owned_by(worker) && self.tenure.is_some() && self.hands_off.is_none() && self.checkpoint_owner.is_none()
    }

    /// Whether its owner hands it off when it is asked to.
    pub fn can_be_asked_for(&self) -> bool {
        self.checkpoint_owner.is_none() && self.owner.is_some() && self.owner == self.hands_off
    }

    /// Whether `other` is the same row. Stores keep parents and children as sets: their order says nothing.
    pub(crate) fn is_same_row(&self, other: &Self) -> bool {
        let sets = same_members(&self.parents, &other.parents) && same_members(&self.children, &other.children);
        let aligned = Self { parents: other.parents.clone(), children: other.children.clone(), ..self.clone() };
        sets && aligned == *other
    }
}

/// Whether two lists of shards name the same ones.
pub(crate) fn same_members(a: &[ShardId], b: &[ShardId]) -> bool {
    let members = |list: &[ShardId]| list.iter().cloned().collect::<std::collections::BTreeSet<_>>();
    members(a) == members(b)
}
