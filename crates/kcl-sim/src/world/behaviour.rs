use std::time::Duration;

use crate::keyed::{Stream, between, decide, time_between};

/// What the application does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behaviour {
    /// It checkpoints after every so many batches; at least 1.
    pub checkpoint_every: u64,
    /// The longest that a batch takes.
    pub slowest: Duration,
    /// How many batches out of 10,000 panic.
    pub panics: u64,
    /// How many batches out of 10,000 do not return before all is calm.
    pub hangs: u64,
    /// How many batches out of 10,000 misuse the checkpointer.
    pub misuses: u64,
    /// How often `shard_ended` returns without having ended the shard.
    pub ends_late: u32,
    /// From when on it behaves.
    pub calm_at: Duration,
}

/// What a batch does besides what it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whim {
    None,
    Panic,
    Hang,
    CheckpointAhead,
    CheckpointBack,
    EndEarly,
    Detached,
    Twice,
    /// The future of a checkpoint is dropped; then the checkpoint is made again.
    GiveUp,
}

impl Behaviour {
    pub(super) fn duration(&self, seed: u64, tenure: u64, batch: u64) -> Duration {
        time_between(seed, Stream::Workload, (1, tenure, batch), Duration::ZERO, self.slowest)
    }

    /// How long a checkpoint is waited for that is given up: about as long as the store takes, or less.
    pub(super) fn patience(seed: u64, tenure: u64, batch: u64) -> Duration {
        time_between(seed, Stream::Workload, (6, tenure, batch), Duration::ZERO, Duration::from_millis(40))
    }

    pub(super) fn whim(&self, seed: u64, now: Duration, tenure: u64, batch: u64) -> Whim {
        let happens = |what, often| decide(seed, Stream::Workload, (what, tenure, batch)) % 10_000 < often;
        if now >= self.calm_at {
            return Whim::None;
        }
        if happens(2, self.panics) {
            return Whim::Panic;
        }
        if happens(3, self.hangs) {
            return Whim::Hang;
        }
        if !happens(4, self.misuses) {
            return Whim::None;
        }
        match between(seed, Stream::Workload, (5, tenure, batch), 0, 5) {
            0 => Whim::CheckpointAhead,
            1 => Whim::CheckpointBack,
            2 => Whim::EndEarly,
            3 => Whim::Detached,
            4 => Whim::Twice,
            _ => Whim::GiveUp,
        }
    }
}
