//! What it costs to notice a dead worker sooner: the time until its leases are read again, against the read units of the
//! lease table, by how often the table is scanned.
//!
//! A fleet without faults, with default settings besides the interval: the leases are balanced, nothing happens for a while,
//! in which requests are counted, then one worker is killed. Units are those of DynamoDB: a scan that is not strongly
//! consistent costs half a unit for each 4 KiB of all rows together, a strongly consistent read of one row one unit.

use std::collections::BTreeSet;
use std::time::Duration;

use kcl_core::{StartStrategy, WorkerConfig, WorkerId};
use kcl_testing::MemoryStream;

use super::scale::fleet::Fleet;
use super::scale::reader::Readings;
use super::scale::table::Table;
use super::scale::{Tally, take_interval};
use crate::exec::{Sim, Stuck};
use crate::keyed::{Stream, time_between};

/// A fleet, and how often it scans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Curve {
    /// Workers that start together. One of them is killed.
    pub workers: usize,
    /// Shards of the stream.
    pub shards: u32,
    /// The settings `failover_time` and `scan_interval`.
    pub failover: Duration,
    /// See there.
    pub scan_interval: Option<Duration>,
}

/// What one seed of it showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failover {
    /// From the death of the worker until each of its shards was read by another one.
    pub read_after: Duration,
    /// What all workers asked of the table while nothing happened.
    pub idle: Tally,
    /// For how long that was.
    pub idle_for: Duration,
    /// What they asked from the death until everything was read again.
    pub failing_over: Tally,
}

impl Failover {
    /// Read units for each worker and minute while nothing happened, if a row has so many bytes.
    #[allow(clippy::cast_precision_loss, reason = "counts")]
    pub fn idle_units(&self, of: &Curve, row_bytes: u64) -> f64 {
        units(&self.idle, of, row_bytes) / of.workers as f64 / (self.idle_for.as_secs_f64() / 60.0)
    }
}

/// The read units of these requests.
#[allow(clippy::cast_precision_loss, reason = "counts")]
pub fn units(tally: &Tally, of: &Curve, row_bytes: u64) -> f64 {
    let scan = (u64::from(of.shards) * row_bytes).div_ceil(4096) as f64 / 2.0;
    let get = row_bytes.div_ceil(4096) as f64;
    tally.scans as f64 * scan + tally.gets as f64 * get
}

/// After how long it is given up.
const PATIENCE: Duration = Duration::from_secs(600);
/// How long nothing happens.
const IDLE: Duration = Duration::from_secs(120);
/// Every so often it is looked what has happened.
const LOOK: Duration = Duration::from_millis(50);

/// Runs it with this seed, from which also follows when the worker is killed.
///
/// # Errors
/// Why it could not go on, which is also so if it takes far too long.
pub fn run(curve: Curve, seed: u64) -> Result<Failover, Stuck> {
    let sim = Sim::new(seed);
    let mut config = WorkerConfig::new("application", "stream");
    config.management.start_strategy = StartStrategy::Oldest;
    config.failover_time = curve.failover;
    config.scan_interval = curve.scan_interval;
    let (table, memory) = (Table::new(sim.clone()), MemoryStream::new("stream", curve.shards));
    let alive = std::collections::BTreeMap::new();
    let fleet = Fleet { sim: sim.clone(), table, memory, config, alive, readings: Readings::default() };
    sim.run(PATIENCE * 2 + IDLE, script(curve, fleet))
}

async fn script(curve: Curve, mut fleet: Fleet) -> Failover {
    let rows = fleet.memory.open_shards().len();
    fleet.start(curve.workers, Duration::from_millis(100));
    let all: BTreeSet<WorkerId> = fleet.alive.values().cloned().collect();
    until(&fleet, |fleet| fleet.table.spread().is_balanced(&all, rows)).await;
    // Whoever still has something to say about the start has said it then.
    fleet.sim.sleep(take_interval(curve.failover) * 2).await;
    drop(fleet.table.take_tally());
    fleet.sim.sleep(IDLE).await;
    let idle = fleet.table.take_tally();
    // At any point between two scans.
    fleet.sim.sleep(time_between(fleet.sim.seed(), Stream::Nemesis, (0, 0, 0), Duration::ZERO, Duration::from_secs(25))).await;
    drop(fleet.table.take_tally());
    let killed_at = fleet.sim.now();
    fleet.kill(1);
    until(&fleet, |fleet| fleet.readings.of(|node| fleet.alive.contains_key(&node)) == rows).await;
    Failover { read_after: fleet.sim.now() - killed_at, idle, idle_for: IDLE, failing_over: fleet.table.take_tally() }
}

/// Looks until it has: what never happens ends with the run's patience.
async fn until(fleet: &Fleet, happened: impl Fn(&Fleet) -> bool) {
    while !happened(fleet) {
        fleet.sim.sleep(LOOK).await;
    }
}
