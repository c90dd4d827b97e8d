use std::collections::BTreeSet;
use std::time::Duration;

use kcl_core::{ManagementConfig, StartStrategy, WorkerConfig};
use kcl_testing::MemoryStream;

use super::{ActionKind, Java};
use crate::exec::{ClockSpec, Policy};
use crate::keyed::{Stream, between, decide, time_between};
use crate::world::Behaviour;

/// What a run is made of, besides its faults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How many workers: 1 to 8.
    pub workers: u64,
    /// How many shards at first: 1 to 16.
    pub shards: u32,
    /// 2 to 20 s.
    pub failover: Duration,
    /// The shortest interval of scans, where it is set: 1 s to twice the failover time, which is KCL's.
    pub scan: Option<Duration>,
    /// 200 ms to 3 s.
    pub poll: Duration,
    /// How often the leader compares leases and shards.
    pub sync: Duration,
    /// How long a finished lease is kept at least.
    pub cleanup: Duration,
    /// Where reading begins.
    pub start: StartStrategy,
    /// The most leases taken from live owners in one round.
    pub leases_to_acquire: usize,
    /// Whether every other worker has other settings where the fleet may differ.
    pub mixed: bool,
    /// How long a processor may take to finish when its lease is handed off; zero for workers that do not hand off.
    pub hand_off: Duration,
    /// Whether a third of the workers neither ask nor hand off.
    pub mixed_hand_off: bool,
    /// What processors do.
    pub behaviour: Behaviour,
    /// How many of ten puts are aggregates.
    pub aggregates: u64,
    /// Clock rates differ by at most so much, in parts per million.
    pub rate_ppm: i32,
    /// Whether monotonic clocks stand still in suspend.
    pub stops_in_suspend: bool,
    /// What the nemesis does.
    pub actions: BTreeSet<ActionKind>,
    /// Whether workers that are paused or cut off at the heal stay so, if another one is well.
    pub abandons: bool,
    /// The most records that a read or a call gives.
    pub batch: usize,
    /// Which ready task runs next.
    pub policy: Policy,
    /// How long faults last.
    pub chaos: Duration,
    /// How long everything may take to settle after them.
    pub settle: Duration,
    /// Which workers are of the Java library.
    pub java: Java,
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
        let scan = (coin(32) && coin(33)).then(|| time(32, 1_000, 40_000).min(failover * 2));
        let chaos = time(4, 60_000, 300_000);
        let behaviour = Behaviour {
            checkpoint_every: number(5, 1, 4),
            slowest: if coin(6) { time(6, 1, 1_500) } else { Duration::from_millis(5) },
            panics: if coin(7) { number(7, 1, 200) } else { 0 },
            hangs: if coin(15) { number(15, 1, 50) } else { 0 },
            misuses: if coin(16) { number(16, 1, 1_000) } else { 0 },
            ends_late: if coin(17) { 0 } else { u32::try_from(number(17, 1, 4)).unwrap_or(0) },
            calm_at: chaos,
        };
        let start = match number(18, 0, 3) {
            0 => StartStrategy::Latest,
            1 => StartStrategy::Timestamp(MemoryStream::START.unix_millis() + i64::try_from(number(19, 0, 60_000)).unwrap_or(0)),
            _ => StartStrategy::Oldest,
        };
        let workers = number(1, 1, 4) * if coin(1) { 1 } else { 2 };
        let java = Java::draw(seed, workers);
        let mut actions: BTreeSet<_> = ActionKind::ALL.into_iter().filter(|kind| coin(40 + *kind as u64)).collect();
        if actions.contains(&ActionKind::Edit) {
            // A row that is removed by hand counts from 0 again: nobody can tell two processes of one name apart then.
            actions.remove(&ActionKind::Twin);
        }
        if !java.is_empty() {
            // A Java worker that is told once that there is no such stream takes every shard for finished.
            actions.remove(&ActionKind::StreamGone);
        }
        Self {
            workers,
            shards: u32::try_from(number(2, 1, 8)).unwrap_or(1) * if coin(2) { 1 } else { 2 },
            failover,
            scan,
            poll: time(8, 200, 3_000),
            sync: time(21, 5_000, 30_000),
            // Longer than any write is under way (P2).
            cleanup: time(22, 75_000, 120_000),
            start,
            leases_to_acquire: usize::try_from(number(23, 1, 4)).unwrap_or(1),
            mixed: coin(24),
            hand_off: if coin(29) && coin(30) { Duration::ZERO } else { time(29, 500, 30_000) },
            mixed_hand_off: coin(31),
            behaviour,
            aggregates: if coin(25) { number(25, 1, 6) } else { 0 },
            rate_ppm: if coin(9) { 24_000 } else { 0 },
            stops_in_suspend: coin(26),
            actions,
            abandons: coin(27),
            batch: usize::try_from(number(14, 1, 50)).unwrap_or(1),
            policy: if coin(28) { Policy::Random } else { Policy::Priorities },
            chaos,
            // A panic may cost five minutes, and finished rows leave one generation at a time.
            settle: failover * 15
                + scan.unwrap_or_default() * 12
                + Duration::from_secs(if behaviour.panics > 0 { 660 } else { 360 })
                + java.settles(failover),
            java,
        }
    }

    /// The settings of the nth worker.
    pub fn config(&self, nth: u64) -> WorkerConfig {
        let mut config = WorkerConfig::new("application", "stream");
        let other = self.mixed && nth.is_multiple_of(2);
        let times = if other { 2 } else { 1 };
        config.management = ManagementConfig {
            leases_to_acquire: self.leases_to_acquire * times as usize,
            start_strategy: self.start,
            ..ManagementConfig::default()
        };
        config.failover_time = self.failover;
        config.scan_interval = self.scan;
        config.poll_interval = self.poll * times;
        config.shard_sync_interval = self.sync * times;
        config.lease_cleanup_interval = self.cleanup;
        config.hand_off_timeout = if self.mixed_hand_off && nth.is_multiple_of(3) { Duration::ZERO } else { self.hand_off };
        config.max_records_per_call = self.batch * times as usize;
        config
    }

    /// The clock of the nth process.
    pub fn clock(&self, seed: u64, nth: u64) -> ClockSpec {
        let offset = Duration::from_secs(between(seed, Stream::Config, (20, nth, 0), 1, 1_000_000));
        let widest = u64::from(self.rate_ppm.unsigned_abs());
        let rate = between(seed, Stream::Config, (20, nth, 1), 0, 2 * widest);
        let rate_ppm = i32::try_from(rate).unwrap_or(0) - self.rate_ppm;
        ClockSpec { offset, rate_ppm, stops_in_suspend: self.stops_in_suspend, wall_ahead: 0 }
    }
}
