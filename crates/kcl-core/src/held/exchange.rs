use std::time::Duration;

use super::queue::{RequestId, RowChange};
use crate::{Lease, LeaseWrite, Mono, WorkerId};

/// How a write of this tenure was answered, as far as the protocol cares.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum WriteAnswer {
    /// Applied; the row after it.
    Applied(Lease),
    /// Not applied by this attempt; the row as it is.
    Rejected(Option<Lease>),
    /// Unknown: the answer was lost or took too long.
    Indeterminate,
    /// Not applied, and trying again may help.
    Failed,
    /// Not applied, and trying again will not help without somebody's doing.
    Refused,
}

/// What happens to a held lease.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HeldInput {
    /// Time passed.
    Tick,
    /// The row is to be changed.
    ChangeRequested(RowChange, Option<RequestId>),
    /// The lease is to be given up once everything requested is written.
    ReleaseRequested,
    /// The lease is to be handed off to whoever asks for it, as soon as nobody works on it any more. If that takes longer than
    /// this it is given up at once, as if it were abandoned: a call that never returns must not keep the shard from everybody.
    /// If the shard is finished by then it stays after all, and the request is declined.
    HandOff(Duration),
    /// Nobody works any more on a lease that is to be handed off.
    Drained,
    /// The lease is to be given up at once and nothing more is to be stored: the application's code has failed.
    Abandoned,
    /// Write number `0` was answered.
    WriteAnswered(u64, WriteAnswer),
    /// The row was read again; `None` if the read failed.
    RowRead(Option<Option<Lease>>),
}

/// What a held lease wants done.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HeldAction {
    /// Send this write; answer with its number.
    Write(u64, LeaseWrite),
    /// Read the row again, strongly consistent.
    Read,
    /// Tell whoever asked.
    Answer(RequestId, ChangeOutcome),
    /// Another worker asks for the lease: hand it off, or decline.
    Asked(WorkerId),
    /// Whether callbacks may begin has changed.
    PhaseChanged(Phase),
}

/// What became of a requested change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChangeOutcome {
    /// Durable.
    Done,
    /// The lease is lost; it was not and will not be written.
    LeaseLost,
    /// The store refused for good.
    Refused,
}

/// Why a tenure ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TenureEnd {
    /// Another worker has the lease, or the row is gone.
    Lost,
    /// This worker gave it up.
    Released,
    /// This worker handed it off to another that had asked for it.
    HandedOff,
    /// This worker deleted the finished row.
    Deleted,
}

/// Whether a tenure may act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Callbacks may begin.
    Live,
    /// The deadline has passed without a renewal: no callback begins and checkpoints wait (protocol rule P6).
    Paused {
        /// Since when.
        since: Mono,
    },
    /// It is over.
    Dead(TenureEnd),
}
