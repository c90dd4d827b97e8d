use std::collections::BTreeSet;
use std::fmt;

/// A kind of trouble in a simulated fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum FaultKind {
    /// Calls of the lease store and of the stream are throttled.
    Throttles,
    /// Calls fail before they do anything.
    Failures,
    /// Calls are carried out and their answers are lost.
    LostAnswers,
    /// Writes of leases happen long after the caller was told that they may not have.
    LateWrites,
    /// Answers take many seconds.
    SlowAnswers,
    /// Shard iterators are too old.
    ExpiredIterators,
    /// A worker cannot reach the lease store for a while, although it can read the stream.
    Cuts,
    /// A process stands still for a while, as if stopped by a signal, and does not notice.
    Pauses,
    /// A process is gone from one moment to the next, with every task that it spawned. Another one starts later.
    Kills,
    /// A process shuts down as it should and another one starts: a deployment.
    Restarts,
    /// Shards are split.
    Splits,
    /// Shards are merged.
    Merges,
    /// `process_records` panics, before the processor sees the records or after it has returned.
    Panics,
    /// What the application itself calls fails or is slow: [`World::fails`](super::World::fails) says so.
    Application,
}

impl FaultKind {
    /// Every kind.
    pub const ALL: [Self; 14] = [
        Self::Throttles,
        Self::Failures,
        Self::LostAnswers,
        Self::LateWrites,
        Self::SlowAnswers,
        Self::ExpiredIterators,
        Self::Cuts,
        Self::Pauses,
        Self::Kills,
        Self::Restarts,
        Self::Splits,
        Self::Merges,
        Self::Panics,
        Self::Application,
    ];
}

/// Which kinds of trouble a fleet may meet. Each seed leaves out about half of them: too many at once hide bugs that only
/// one of them shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Faults(BTreeSet<FaultKind>);

impl Faults {
    /// Every kind.
    pub fn all() -> Self {
        Self(FaultKind::ALL.into())
    }

    /// No trouble at all.
    pub const fn none() -> Self {
        Self(BTreeSet::new())
    }

    /// These and one more kind.
    #[must_use]
    pub fn with(mut self, kind: FaultKind) -> Self {
        self.0.insert(kind);
        self
    }

    /// These without one kind.
    #[must_use]
    pub fn without(mut self, kind: FaultKind) -> Self {
        self.0.remove(&kind);
        self
    }

    /// Whether this kind is among them.
    pub fn has(&self, kind: FaultKind) -> bool {
        self.0.contains(&kind)
    }

    /// Those of them that are picked.
    pub(super) fn picked(&self, mut pick: impl FnMut() -> bool) -> Self {
        // One draw for each kind that there is: leaving one out does not change the choice among the others.
        let picked = FaultKind::ALL.into_iter().filter(|kind| pick() && self.has(*kind));
        Self(picked.collect())
    }

    /// Those of `kinds` that are among them.
    pub(super) fn among(&self, kinds: &[FaultKind]) -> Vec<FaultKind> {
        kinds.iter().copied().filter(|kind| self.has(*kind)).collect()
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(&self.0).finish()
    }
}
