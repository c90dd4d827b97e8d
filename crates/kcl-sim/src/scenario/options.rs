use std::time::Duration;

use kcl_core::{StartStrategy, WorkerConfig};

use crate::exec::ClockSpec;
use crate::keyed::{Stream, between, decide, time_between};
use crate::world::{Behaviour, FaultMix};

/// What a seed stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How many workers: 1 to 4.
    pub workers: u64,
    /// How many shards at first: 1 to 8.
    pub shards: u32,
    /// 2 to 20 s.
    pub failover: Duration,
    /// 200 ms to 3 s.
    pub poll: Duration,
    /// Faults of the store.
    pub store: FaultMix,
    /// Faults of the stream.
    pub stream: FaultMix,
    /// What processors do.
    pub behaviour: Behaviour,
    /// Clock rates differ by at most so much, in parts per million.
    pub rate_ppm: i32,
    /// Whether workers are paused.
    pub pauses: bool,
    /// Whether workers are killed and replaced.
    pub kills: bool,
    /// Whether workers are cut off from the store.
    pub cuts: bool,
    /// Whether shards are split and merged.
    pub reshards: bool,
    /// The most records that a read or a call gives.
    pub batch: usize,
    /// How long faults last.
    pub chaos: Duration,
    /// How long everything may take to settle after them.
    pub settle: Duration,
}

impl Options {
    /// What this seed stands for.
    pub fn draw(seed: u64) -> Self {
        let number = |what, low, high| between(seed, Stream::Config, (what, 0, 0), low, high);
        let coin = |what| decide(seed, Stream::Config, (what, 1, 0)).is_multiple_of(2);
        let time = |what, low, high| {
            let (low, high) = (Duration::from_millis(low), Duration::from_millis(high));
            time_between(seed, Stream::Config, (what, 2, 0), low, high)
        };
        let failover = time(3, 2_000, 20_000);
        let chaos = time(4, 60_000, 300_000);
        let behaviour = Behaviour {
            checkpoint_every: number(5, 1, 4),
            slowest: if coin(6) { time(6, 1, 1_500) } else { Duration::from_millis(5) },
            panics: if coin(7) { number(7, 1, 200) } else { 0 },
            panics_until: chaos,
        };
        Self {
            workers: number(1, 1, 4),
            shards: u32::try_from(number(2, 1, 8)).unwrap_or(1),
            failover,
            poll: time(8, 200, 3_000),
            store: FaultMix::draw(seed),
            stream: FaultMix { lose: 0, delay: 0, ..FaultMix::draw(!seed) },
            behaviour,
            rate_ppm: if coin(9) { 24_000 } else { 0 },
            pauses: coin(10),
            kills: coin(11),
            cuts: coin(12),
            reshards: coin(13),
            batch: usize::try_from(number(14, 1, 50)).unwrap_or(1),
            chaos,
            // A panic may cost five minutes, and finished rows leave one generation at a time.
            settle: failover * 15 + Duration::from_secs(if behaviour.panics > 0 { 660 } else { 360 }),
        }
    }

    /// Every worker's settings.
    pub fn config(&self) -> WorkerConfig {
        let mut config = WorkerConfig::new("application", "stream");
        config.management.start_strategy = StartStrategy::Oldest;
        config.failover_time = self.failover;
        config.poll_interval = self.poll;
        config.shard_sync_interval = Duration::from_secs(20);
        // Longer than any write is under way (P2).
        config.lease_cleanup_interval = Duration::from_secs(75);
        config.max_records_per_call = self.batch;
        config
    }

    /// The clock of the nth process.
    pub fn clock(&self, seed: u64, nth: u64) -> ClockSpec {
        let offset = Duration::from_secs(between(seed, Stream::Config, (20, nth, 0), 1, 1_000_000));
        let widest = u64::from(self.rate_ppm.unsigned_abs());
        let rate = between(seed, Stream::Config, (20, nth, 1), 0, 2 * widest);
        ClockSpec { offset, rate_ppm: i32::try_from(rate).unwrap_or(0) - self.rate_ppm }
    }
}
