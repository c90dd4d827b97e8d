use std::time::Duration;

use kcl_core::{StartStrategy, WorkerConfig};

use super::Faults;
use super::draws::{Draws, Purpose};
use super::faults::FaultKind;
use super::settings::Settings;

/// What one seed stands for: which of the faults happen and how often, and the workers' settings.
#[derive(Clone, Debug)]
pub(super) struct Options {
    /// The kinds of trouble.
    pub(super) faults: Faults,
    /// How many calls out of 10,000 planned moments meet a fault of the lease store or the stream.
    pub(super) call_faults: u64,
    /// The longest time between two larger events: kills, pauses, splits.
    pub(super) event_pause: Duration,
    /// How many batches out of 10,000 panic.
    pub(super) panics: u64,
    /// How many calls out of 10,000 of the application's own dependencies fail.
    pub(super) application_fails: u64,
    /// The longest that such a call takes.
    pub(super) application_slowest: Duration,
    /// Whether producers aggregate.
    pub(super) aggregates: bool,
    /// The longest that a call of the lease store or the stream takes without a fault.
    pub(super) latency: Duration,
    /// The settings of every worker, but for its name.
    pub(super) config: WorkerConfig,
    /// How long everything may take to settle once the faults have stopped.
    pub(super) settle: Duration,
}

impl Options {
    pub(super) fn draw(settings: &Settings, seed: u64) -> Self {
        let mut draws = Draws::new(seed, Purpose::Options, 0);
        let faults = settings.faults.picked(|| draws.happens(5_000));
        let mut config = WorkerConfig::new("fleet", "stream");
        config.failover_time = draws.time(Duration::from_secs(2), Duration::from_secs(10));
        config.poll_interval = draws.time(Duration::from_millis(200), Duration::from_secs(2));
        config.shard_sync_interval = Duration::from_secs(20);
        // Longer than any write is under way.
        config.lease_cleanup_interval = Duration::from_secs(75);
        config.max_records_per_call = usize::try_from(draws.between(1, 40)).unwrap_or(1);
        let exponent = draws.between(4, 9);
        let (panics, fails) = (draws.between(20, 300), draws.between(50, 1_500));
        let slow = draws.time(Duration::from_millis(1), Duration::from_millis(800));
        let (event_pause, latency) = (draws.time(Duration::from_secs(3), Duration::from_secs(20)), draws.between(1, 30));
        let aggregates = settings.aggregates && draws.happens(5_000);
        (settings.configure)(&mut config);
        config.management.start_strategy = StartStrategy::Oldest;
        // A panic may cost five minutes, and so may several in a row, one worker after the other.
        let panic_time = if faults.has(FaultKind::Panics) { Duration::from_secs(660) } else { Duration::ZERO };
        let own = |kind, number| if faults.has(kind) { number } else { 0 };
        Self {
            call_faults: draws.between(1 << exponent, 2 << exponent),
            event_pause,
            panics: own(FaultKind::Panics, panics),
            application_fails: own(FaultKind::Application, fails),
            application_slowest: slow,
            aggregates,
            latency: Duration::from_millis(latency),
            settle: settings.settle.unwrap_or(config.failover_time * 15 + Duration::from_secs(120) + panic_time),
            config,
            faults,
        }
    }

    /// How long a shutdown may take: that of processors, that of releases, and some for calls under way.
    pub(super) fn shutdown_limit(&self) -> Duration {
        self.config.shutdown_timeout + self.config.failover_time + Duration::from_secs(5)
    }
}
