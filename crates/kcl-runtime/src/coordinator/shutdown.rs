use kcl_core::{HeldInput, LeaseKey, Mono, ShardId};

use super::Coordinator;
use super::tenures::Driver;
use crate::error::ConsumerError;
use crate::status::ConsumerState;

/// How far a shutdown has come.
#[derive(Debug)]
pub(super) struct Shutdown {
    /// Until when the current stage may take.
    pub(super) deadline: Mono,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Processors finish.
    Draining,
    /// Those that did not are left behind; leases are released.
    Releasing,
    /// No more waiting.
    Over,
}

impl Coordinator {
    pub(super) const fn is_shutting_down(&self) -> bool {
        self.shutdown.is_some()
    }

    pub(super) fn is_finished(&self) -> bool {
        self.shutdown.as_ref().is_some_and(|shutdown| shutdown.stage == Stage::Over || self.nothing_is_left())
    }

    fn nothing_is_left(&self) -> bool {
        self.tenures.is_empty() && self.requests.is_empty() && self.unanswered_requests.is_empty() && !self.takes.are_under_way()
    }

    pub(super) fn begin_shutdown(&mut self) {
        if self.is_shutting_down() {
            return;
        }
        tracing::info!(worker = %self.parts.me, leases = self.tenures.len(), "shutting down");
        self.parts.status.enter(ConsumerState::ShuttingDown);
        let deadline = self.now() + self.parts.config.shutdown_timeout;
        self.shutdown = Some(Shutdown { deadline, stage: Stage::Draining });
        self.takes.give_up();
        self.withdraw_requests();
        self.stop_consumers.cancel();
        self.release_idle();
    }

    /// Stops the consumer with a reason; the leases are released as in any shutdown.
    pub(super) fn fail(&mut self, reason: ConsumerError) {
        tracing::error!(worker = %self.parts.me, error = %kcl_core::error_chain(&reason), "the consumer stops");
        self.failure.get_or_insert(reason);
        self.begin_shutdown();
    }

    /// Gives up every lease that no driver works on.
    pub(super) fn release_idle(&mut self) {
        let idle: Vec<LeaseKey> = self
            .tenures
            .iter()
            .filter(|(_, tenure)| !matches!(tenure.driver, Driver::Running(_)))
            .map(|(key, _)| key.clone())
            .collect();
        for key in idle {
            self.input(&key, HeldInput::ReleaseRequested);
            self.forget_if_over(&key);
        }
    }

    pub(super) fn advance_shutdown(&mut self, now: Mono) {
        let Some(shutdown) = self.shutdown.as_mut().filter(|shutdown| now >= shutdown.deadline) else { return };
        match shutdown.stage {
            Stage::Draining => {
                *shutdown = Shutdown { deadline: now + self.parts.timing.call * 2, stage: Stage::Releasing };
                self.leave_busy_behind();
                self.release_idle();
            }
            Stage::Releasing => {
                tracing::warn!(leases = self.tenures.len(), "leases could not be released in time: they expire by themselves");
                shutdown.stage = Stage::Over;
            }
            Stage::Over => {}
        }
    }

    fn leave_busy_behind(&mut self) {
        let mut shards: Vec<ShardId> = Vec::new();
        for (key, tenure) in &mut self.tenures {
            if let Driver::Running(task) = &tenure.driver {
                task.abort();
                shards.push(key.shard_id());
                tenure.driver = Driver::Finished;
            }
        }
        if !shards.is_empty() {
            tracing::warn!(?shards, "processors did not finish in time and are left behind");
            self.failure.get_or_insert(ConsumerError::ShutdownTimedOut { shards });
        }
    }

    pub(super) fn result(mut self) -> Result<(), ConsumerError> {
        tracing::info!(worker = %self.parts.me, "stopped");
        self.parts.status.enter(ConsumerState::Stopped);
        self.failure.take().map_or(Ok(()), Err)
    }
}
