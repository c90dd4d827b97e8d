use std::time::Duration;

use crate::timing::backoff;
use crate::{Mono, Phase};

/// What a shard's driver does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Call `initialize`.
    Initialize,
    /// Read and deliver.
    Read,
    /// Call `shard_ended`.
    CallShardEnded,
    /// Call `shutdown_requested`.
    CallShutdownRequested,
    /// Call `lease_lost`.
    CallLeaseLost,
    /// Wait until something changes, or until this moment.
    Wait(Option<Mono>),
    /// Nothing more happens to this shard in this tenure.
    Stop(StopReason),
}

/// Why a shard's driver stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StopReason {
    /// The tenure is over.
    LeaseLost,
    /// The end of the shard is durable.
    Ended,
    /// The worker shuts down, or hands the lease off.
    ShutDown,
}

/// What the driver sees of the world when it asks for the next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Surroundings {
    /// Whether the tenure may act.
    pub phase: Phase,
    /// Whether the worker shuts down, or hands the lease off.
    pub leaving: bool,
    /// Whether the end of the shard is durable.
    pub end_is_durable: bool,
}

/// The life of a shard in one tenure: `initialize` once, records, then either `shard_ended` until its end is durable,
/// or `shutdown_requested`, or `lease_lost`; the loss of the lease always comes last and wins over everything.
///
/// Waiting for parents comes before: a tenure without finished parents has no driver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ShardLifecycle {
    initialized: bool,
    all_delivered: bool,
    end_calls: u32,
    next_end_call: Mono,
    shutdown_called: bool,
    loss_called: bool,
}

const FIRST_END_RETRY: Duration = Duration::from_millis(500);
const MOST_END_RETRY: Duration = Duration::from_secs(60);

impl ShardLifecycle {
    /// What to do next.
    pub fn next(&self, now: Mono, around: Surroundings) -> Step {
        match around.phase {
            Phase::Dead(_) if around.end_is_durable => return Step::Stop(StopReason::Ended),
            Phase::Dead(_) if self.initialized && !self.loss_called => return Step::CallLeaseLost,
            Phase::Dead(_) => return Step::Stop(StopReason::LeaseLost),
            Phase::Paused { .. } => return Step::Wait(None),
            Phase::Live => {}
        }
        if around.end_is_durable {
            return Step::Stop(StopReason::Ended);
        }
        if around.leaving {
            let call = self.initialized && !self.shutdown_called;
            return if call { Step::CallShutdownRequested } else { Step::Stop(StopReason::ShutDown) };
        }
        match (self.initialized, self.all_delivered) {
            (false, _) => Step::Initialize,
            (true, false) => Step::Read,
            (true, true) if now >= self.next_end_call => Step::CallShardEnded,
            (true, true) => Step::Wait(Some(self.next_end_call)),
        }
    }

    /// `initialize` returned.
    pub const fn initialized(&mut self) {
        self.initialized = true;
    }

    /// The last record of the shard was delivered and accepted.
    pub const fn all_delivered(&mut self) {
        self.all_delivered = true;
    }

    /// `shard_ended` returned at `now`.
    pub fn shard_ended_called(&mut self, now: Mono) {
        self.end_calls = self.end_calls.saturating_add(1);
        self.next_end_call = now + backoff(self.end_calls, FIRST_END_RETRY, MOST_END_RETRY);
    }

    /// How often `shard_ended` was called.
    pub const fn shard_ended_calls(&self) -> u32 {
        self.end_calls
    }

    /// `shutdown_requested` returned.
    pub const fn shutdown_called(&mut self) {
        self.shutdown_called = true;
    }

    /// `lease_lost` returned.
    pub const fn lease_lost_called(&mut self) {
        self.loss_called = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TenureEnd;

    const LIVE: Surroundings = Surroundings { phase: Phase::Live, leaving: false, end_is_durable: false };
    const PAUSED: Surroundings = Surroundings { phase: Phase::Paused { since: Mono::ZERO }, ..LIVE };
    const LOST: Surroundings = Surroundings { phase: Phase::Dead(TenureEnd::Lost), ..LIVE };
    const STOPPING: Surroundings = Surroundings { leaving: true, ..LIVE };
    const ENDED: Surroundings = Surroundings { end_is_durable: true, ..LIVE };

    fn state(initialized: bool, all_delivered: bool) -> ShardLifecycle {
        ShardLifecycle { initialized, all_delivered, ..ShardLifecycle::default() }
    }

    #[test]
    fn the_next_step_in_every_state() {
        let (new, running, finished) = (state(false, false), state(true, false), state(true, true));
        let cases = [
            (new, LIVE, Step::Initialize),
            (new, PAUSED, Step::Wait(None)),
            (new, LOST, Step::Stop(StopReason::LeaseLost)),
            (new, STOPPING, Step::Stop(StopReason::ShutDown)),
            (running, LIVE, Step::Read),
            (running, PAUSED, Step::Wait(None)),
            (running, LOST, Step::CallLeaseLost),
            (running, STOPPING, Step::CallShutdownRequested),
            (finished, LIVE, Step::CallShardEnded),
            (finished, PAUSED, Step::Wait(None)),
            (finished, LOST, Step::CallLeaseLost),
            (finished, STOPPING, Step::CallShutdownRequested),
            (finished, ENDED, Step::Stop(StopReason::Ended)),
            (finished, Surroundings { leaving: true, ..ENDED }, Step::Stop(StopReason::Ended)),
            (finished, Surroundings { phase: LOST.phase, ..ENDED }, Step::Stop(StopReason::Ended)),
        ];
        for (state, around, step) in cases {
            assert_eq!(state.next(Mono::ZERO, around), step, "{state:?} {around:?}");
        }
    }

    #[test]
    fn every_last_call_is_made_once() {
        let mut lifecycle = state(true, false);
        lifecycle.shutdown_called();
        assert_eq!(lifecycle.next(Mono::ZERO, STOPPING), Step::Stop(StopReason::ShutDown));
        assert_eq!(lifecycle.next(Mono::ZERO, LOST), Step::CallLeaseLost);
        lifecycle.lease_lost_called();
        assert_eq!(lifecycle.next(Mono::ZERO, LOST), Step::Stop(StopReason::LeaseLost));
    }

    #[test]
    fn an_end_that_is_not_acknowledged_is_asked_for_again_with_growing_pauses() {
        let mut lifecycle = state(true, true);
        lifecycle.shard_ended_called(Mono::from_millis(1000));
        assert_eq!(lifecycle.next(Mono::from_millis(1499), LIVE), Step::Wait(Some(Mono::from_millis(1500))));
        assert_eq!(lifecycle.next(Mono::from_millis(1500), LIVE), Step::CallShardEnded);
        for _ in 0..20 {
            lifecycle.shard_ended_called(Mono::ZERO);
        }
        assert_eq!(lifecycle.next(Mono::ZERO, LIVE), Step::Wait(Some(Mono::from_millis(60_000))));
        assert_eq!(lifecycle.next(Mono::ZERO, LOST), Step::CallLeaseLost);
    }
}
