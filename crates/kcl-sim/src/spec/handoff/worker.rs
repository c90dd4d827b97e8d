use super::store::{NOBODY, Row, Write};

/// One worker process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Worker {
    /// It does not run.
    Dead,
    /// It holds nothing and wants nothing.
    Idle,
    /// It waits for the answer to its request.
    Asking,
    /// It waits for the transfer that it asked for.
    Waiting,
    /// It waits for the answer to a take.
    Taking,
    /// The answer to its take was lost: it reads the row.
    Unsure,
    /// It holds the lease, as far as it knows.
    Holding(Tenure),
}

/// What an owner is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Phase {
    /// Records are handed over.
    Reading,
    /// A request was seen; the last call of the application runs.
    Draining,
    /// That call does not return.
    Hung,
    /// It has returned.
    Drained,
    /// The lease is given up.
    Releasing,
}

/// A held lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Tenure {
    /// The row as last known.
    pub(super) row: Row,
    pub(super) phase: Phase,
    /// How many records were handed over or were processed before.
    pub(super) at: u8,
    /// The checkpoint that the user waits for.
    pub(super) wanted: Option<u8>,
    /// Whether it waits for an answer.
    pub(super) busy: bool,
    pub(super) must_read: bool,
    /// Whether a write with an unknown result may have stored a counter that was not seen.
    pub(super) unknown: bool,
    pub(super) transfer_sent: bool,
    /// Whether it comes from the latest applied take, and nothing was transferred since. Known to the store alone.
    pub(super) latest: bool,
}

impl Tenure {
    pub(super) const fn new(row: Row, latest: bool) -> Self {
        let at = row.checkpoint;
        Self {
            row,
            phase: Phase::Reading,
            at,
            wanted: None,
            busy: false,
            must_read: false,
            unknown: false,
            transfer_sent: false,
            latest,
        }
    }

    /// A request that was seen is honoured from then on.
    pub(super) fn see(&mut self, row: Row, cooperates: bool) {
        self.row = row;
        let is_asked = row.request != NOBODY && row.request != row.owner;
        if cooperates && is_asked && self.phase == Phase::Reading {
            self.phase = Phase::Draining;
        }
    }

    pub(super) const fn may_write(&self) -> bool {
        !self.busy && !self.must_read
    }
}

/// Where a write is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Leg {
    /// On its way to the store; its sender waits.
    Out,
    /// On its way to the store; nobody waits any more.
    Orphaned,
    /// Decided; the answer is on its way: whether it was applied, and the row after that.
    Back(bool, Row),
}

/// One write, from when it was sent until its answer was heard or lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Flight {
    pub(super) write: Write,
    pub(super) leg: Leg,
    /// Whether no take or transfer was applied since the one that it builds on, or is.
    pub(super) latest: bool,
    /// Whether its tenure has ended by its own judgement.
    pub(super) ended: bool,
}

impl Flight {
    /// Whether it may still reach the store.
    pub(super) const fn is_pending(&self) -> bool {
        !matches!(self.leg, Leg::Back(..))
    }
}
