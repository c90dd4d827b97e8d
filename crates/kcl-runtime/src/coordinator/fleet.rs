use std::time::Duration;

use kcl_core::{FleetMode, FleetRows, Mono, StoreError, fleet_mode};
use rand::RngExt;

use super::Coordinator;
use crate::env::SeededRng;
use crate::error::ConsumerError;

/// How often the mode is read. A Java worker does it as often (`MigrationClientVersionChangeMonitor.java`).
const INTERVAL: Duration = Duration::from_secs(60);
/// The first time up to so much later, so that the workers of a fleet do not ask in step.
const FIRST_LATER: Duration = Duration::from_secs(30);

/// Watches whether the fleet still follows the protocol of this library.
#[derive(Debug)]
pub(super) struct FleetWatch {
    mode: FleetMode,
    next: Mono,
    asking: bool,
}

impl FleetWatch {
    pub(super) fn new(now: Mono, mode: FleetMode, rng: &mut SeededRng) -> Self {
        Self { mode, next: now + INTERVAL + FIRST_LATER.mul_f64(rng.random_range(0.0..=1.0)), asking: false }
    }

    /// When to ask next, if no answer is awaited.
    pub(super) fn deadline(&self) -> Option<Mono> {
        (!self.asking).then_some(self.next)
    }
}

impl Coordinator {
    pub(super) fn watch_fleet(&mut self, now: Mono) {
        if self.fleet.deadline().is_some_and(|next| now >= next) {
            self.fleet.asking = true;
            self.read_fleet();
        }
    }

    pub(super) fn fleet_was_read(&mut self, result: Result<FleetRows, StoreError>) {
        let now = self.now();
        self.fleet.asking = false;
        self.fleet.next = now + INTERVAL;
        if self.is_shutting_down() {
            return;
        }
        let rows = match result {
            Ok(rows) => rows,
            Err(error) => {
                self.fleet.next = now + self.parts.timing.scan;
                return self.store_failed("fleet", error.into());
            }
        };
        self.store_answered("fleet");
        match fleet_mode(&rows) {
            Ok(mode) if mode == self.fleet.mode => {}
            Ok(mode) => {
                report(&mode);
                self.fleet.mode = mode;
            }
            // From here on nothing is taken, and what is held is given up as in any shutdown.
            Err(refusal) => self.fail(ConsumerError::Fleet(refusal)),
        }
    }
}

/// Says which mode the worker follows, where there is something to say.
pub(crate) fn report(mode: &FleetMode) {
    match mode {
        FleetMode::Plain => {}
        FleetMode::Compatible(client_version) => tracing::info!(
            client_version,
            "KCL 3.x workers use this lease table in 2.x-compatible mode: they cannot go on to their native mode while this worker \
             owns leases"
        ),
        FleetMode::Unseen(reason) => tracing::warn!(
            reason,
            "whether KCL 3.x workers use this lease table cannot be seen: its rows and its indexes show none"
        ),
    }
}
