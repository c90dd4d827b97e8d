use kcl_core::{Lease, LeaseWrite, WriteAnswer};

use super::tenure::Tenure;

/// One worker process.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Worker {
    /// It holds nothing and wants nothing.
    Idle,
    /// It waits for the answer to a take.
    Taking { epoch: u8 },
    /// The answer to its take was lost: the row decides.
    Unsure { epoch: u8, write: LeaseWrite },
    /// It holds the lease, as far as it knows.
    Holding(Box<Tenure>),
}

impl Worker {
    /// The number of its take.
    pub(super) const fn epoch(&self) -> Option<u8> {
        match self {
            Self::Idle => None,
            Self::Taking { epoch } | Self::Unsure { epoch, .. } => Some(*epoch),
            Self::Holding(tenure) => Some(tenure.epoch),
        }
    }

    pub(super) fn tenure(&self) -> Option<&Tenure> {
        match self {
            Self::Holding(tenure) => Some(tenure),
            _ => None,
        }
    }
}

/// How the store answered.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Reply {
    Applied(Option<Lease>),
    Rejected(Option<Lease>),
}

impl Reply {
    /// As the machine hears it; a delete is answered with the row that was deleted.
    pub(super) fn into_answer(self, deleted: &Lease) -> WriteAnswer {
        match self {
            Self::Applied(row) => WriteAnswer::Applied(row.unwrap_or_else(|| deleted.clone())),
            Self::Rejected(current) => WriteAnswer::Rejected(current),
        }
    }
}

/// Where a write is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Leg {
    /// On its way to the store; its sender waits.
    Out,
    /// On its way to the store; nobody waits any more.
    Orphaned,
    /// Decided; the answer is on its way.
    Back(Reply),
}

/// One write, from when it was sent until its answer was heard or lost.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Flight {
    pub(super) worker: u8,
    pub(super) epoch: u8,
    pub(super) number: u64,
    pub(super) write: LeaseWrite,
    /// By the clock of its tenure.
    pub(super) sent_at: u64,
    pub(super) leg: Leg,
    /// Whether its tenure has ended by its own judgement.
    pub(super) ended: bool,
}

impl Flight {
    /// Whether it may still reach the store.
    pub(super) const fn is_pending(&self) -> bool {
        !matches!(self.leg, Leg::Back(_))
    }
}
