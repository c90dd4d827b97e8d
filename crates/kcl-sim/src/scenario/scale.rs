//! Many workers and many shards without a fault: how long the leases take to be balanced, and what that costs.
//!
//! Balanced means: every lease row is owned by a live worker, and the counts of any two live workers differ by at most one.
//!
//! The yardstick is KCL's *take interval* (`takerIntervalMillis` in `DynamoDBLeaseCoordinator.java`), the period between two
//! rounds of taking of a Java worker: `(failover + 25 ms) * 2`, 20.05 s with the default failover time. See
//! [`take_interval`]. This library's own rounds follow its scans: every half of the failover time, a third while leases move.

pub(super) mod fleet;
pub(super) mod reader;
mod report;
pub(super) mod table;
mod tally;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kcl_core::{StartStrategy, WorkerConfig, WorkerId};
use kcl_testing::MemoryStream;

use crate::exec::{Sim, Stuck};
use fleet::Fleet;
use reader::Readings;
pub use report::{HEADING, Rebalancing};
use table::Table;
pub use tally::Tally;

/// How large, and what happens to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    /// From which everything follows.
    pub seed: u64,
    /// Workers that start together.
    pub workers: usize,
    /// Shards of the stream.
    pub shards: u32,
    /// Workers that are killed together.
    pub lost: usize,
    /// Whether every shard is split then.
    pub reshard: bool,
    /// Workers that join then.
    pub joining: usize,
    /// The workers of a start do so within this time.
    pub spread: Duration,
    /// After how long a rebalancing is given up.
    pub patience: Duration,
}

/// KCL's period between two rounds of taking.
pub fn take_interval(failover: Duration) -> Duration {
    (failover + Duration::from_millis(25)) * 2
}

/// Every so often it is looked whether the leases are balanced.
const LOOK: Duration = Duration::from_millis(100);

/// Runs it, and tells of each rebalancing when it is over.
///
/// # Errors
/// Why it could not go on.
pub fn run(scale: Scale, told: impl FnMut(&Rebalancing) + Send + 'static) -> Result<Vec<Rebalancing>, Stuck> {
    let sim = Sim::new(scale.seed);
    let mut config = WorkerConfig::new("application", "stream");
    config.management.start_strategy = StartStrategy::Oldest;
    let table = Table::new(sim.clone());
    let memory = MemoryStream::new("stream", scale.shards);
    let fleet = Fleet { sim: sim.clone(), table, memory, config, alive: BTreeMap::new(), readings: Readings::default() };
    sim.run(scale.patience * 10, script(scale, fleet, told))
}

async fn script(scale: Scale, mut fleet: Fleet, mut told: impl FnMut(&Rebalancing)) -> Vec<Rebalancing> {
    let mut all = Vec::new();
    let mut add = |one: Rebalancing| {
        told(&one);
        all.push(one);
    };
    let mut rows = fleet.memory.open_shards().len();
    fleet.start(scale.workers, scale.spread);
    add(watch(&scale, &fleet, "start", rows).await);
    if scale.lost > 0 {
        fleet.kill(scale.lost);
        add(watch(&scale, &fleet, "loss", rows).await);
    }
    if scale.joining > 0 {
        fleet.start(scale.joining, scale.spread);
        add(watch(&scale, &fleet, "joining", rows).await);
    }
    if scale.reshard {
        for shard in fleet.memory.open_shards() {
            // The rows of closed shards stay for the clean-up interval: a split adds two.
            rows += if fleet.memory.split(&shard).is_ok() { 2 } else { 0 };
        }
        add(watch(&scale, &fleet, "reshard", rows).await);
    }
    all
}

/// Waits until so many rows are balanced and have stayed so for a take interval.
async fn watch(scale: &Scale, fleet: &Fleet, name: &'static str, rows: usize) -> Rebalancing {
    let begun = fleet.sim.now();
    let quiet = take_interval(fleet.config.failover_time);
    let live: BTreeSet<WorkerId> = fleet.alive.values().cloned().collect();
    drop(fleet.table.take_tally());
    let (mut owned_after, mut balanced_after) = (None, None);
    loop {
        fleet.sim.sleep(LOOK).await;
        let lasted = fleet.sim.now() - begun;
        let spread = fleet.table.spread();
        if owned_after.is_none() && spread.is_owned(&live, rows) {
            owned_after = Some(lasted);
        }
        balanced_after = spread.is_balanced(&live, rows).then(|| balanced_after.unwrap_or(lasted));
        if balanced_after.is_some_and(|since| lasted - since >= quiet) || lasted > scale.patience {
            let counts = || spread.owned.values().copied();
            let counts = (counts().min().unwrap_or(0), counts().max().unwrap_or(0));
            return Rebalancing { name, balanced_after, owned_after, counts, tally: fleet.table.take_tally(), lasted };
        }
    }
}
