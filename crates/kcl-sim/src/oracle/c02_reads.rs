//! C2: a worker reads a shard at most five times in a second; shards are listed once per T_sync, and once per end of a shard.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::{Finding, Run};
use crate::exec::NodeId;
use crate::trace::{Event, Stage};
use crate::world::Api;

/// What Kinesis allows for a shard.
const PER_SECOND: usize = 5;
/// Answers take different times: they may come closer together than their calls.
const SPREAD: Duration = Duration::from_millis(30);

pub(super) fn check(run: Run<'_>) -> Result<(), Finding> {
    reads(&run)?;
    listings(&run)
}

fn reads(run: &Run<'_>) -> Result<(), Finding> {
    // A second as a fast clock measures it.
    let second = Duration::from_secs(1).div_f64(1.0 + f64::from(run.options.rate_ppm) / 1e6) - SPREAD;
    let mut recent: BTreeMap<_, VecDeque<Duration>> = BTreeMap::new();
    // A tenure that begins knows nothing of the reads of the one before, and a slow answer may come with the next one.
    let calm = run.calm().unwrap_or(Duration::MAX);
    for (index, entry) in run.entries.iter().enumerate().filter(|(_, entry)| entry.at > calm) {
        match &entry.event {
            Event::Begin(tenure, crate::trace::Call::Initialize(_)) => drop(recent.remove(&(tenure.node, &tenure.shard))),
            Event::Read(node, shard, ..) => {
                let reads = recent.entry((*node, shard)).or_default();
                reads.retain(|at| entry.at - *at < second);
                reads.push_back(entry.at);
                if reads.len() > PER_SECOND {
                    return Err((index, format!("{node:?} read {shard} {} times in a second", reads.len())));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn listings(run: &Run<'_>) -> Result<(), Finding> {
    let (quiet, end) = (run.stage(Stage::Quiet), run.stage(Stage::Shutdown));
    let (Some(from), Some(to)) = (run.entries.get(quiet), run.entries.get(end)) else { return Ok(()) };
    let time = to.at - from.at;
    let core = run.core(quiet);
    let (mut listings, mut ends): (BTreeMap<NodeId, u32>, u32) = (BTreeMap::new(), 0);
    for entry in run.entries.iter().take(end).skip(quiet) {
        match &entry.event {
            // One that cannot reach the table takes itself for alone.
            Event::Called(node, Api::List) if core.values().any(|well| well == node) => {
                *listings.entry(*node).or_default() += 1;
            }
            Event::Read(.., Some(_)) => ends += 1,
            _ => {}
        }
    }
    let all: u32 = listings.values().sum();
    let most = listings.keys().map(|node| {
        let interval = run.options.config(node.number()).shard_sync_interval;
        run.jittered_times(*node, interval, time)
    });
    let most = most.fold(0.0, f64::max) + f64::from(ends);
    if f64::from(all) > most {
        return Err((end, format!("{all} listings of the shards in {time:?}, at most {most:.0} are expected: {listings:?}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::timed_log::{Log, log, node};
    use super::*;

    fn read(millis_apart: u64) -> Log {
        let read = |log: Log, nth| log.at(20_000 + nth * millis_apart).add(Event::Read(node(1), "a".into(), None, 0, None));
        (0..20).fold(log().workers(1).enter(Stage::Heal), read)
    }

    #[test]
    fn a_shard_is_read_five_times_in_a_second() {
        read(195).says(check, "");
        read(190).says(check, "6 times in a second");
    }

    #[test]
    fn shards_are_listed_once_in_t_sync() {
        let list = |times: usize| {
            let quiet = log().workers(1).enter(Stage::Heal).enter(Stage::Quiet).at(1_000);
            (0..times).fold(quiet, |log, _| log.add(Event::Called(node(1), Api::List))).at(60_000).enter(Stage::Shutdown)
        };
        list(7).says(check, "");
        list(8).says(check, "8 listings of the shards");
    }
}
