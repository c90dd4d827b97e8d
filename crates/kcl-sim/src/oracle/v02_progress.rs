//! V2: once trouble is over a shard with records makes progress as often as its reader polls and its processor returns, and
//! everything is processed before the quiet time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kcl_core::{ExtendedSequenceNumber, ShardId};

use super::bounds::LATENCY;
use super::shelf::{Put, Shelf};
use super::{Finding, Run};
use crate::exec::NodeId;
use crate::trace::{Call, Entry, Event, Stage};

pub(super) fn check(run: Run<'_>) -> Result<(), Finding> {
    let (Some(calm), quiet) = (run.calm(), run.stage(Stage::Quiet)) else { return Ok(()) };
    // A Java worker promises no time.
    let java = run.java();
    let survivors: BTreeSet<NodeId> = run.survivors().into_values().filter(|node| !java.contains_key(node)).collect();
    let mut progress = Progress { run, shelf: Shelf::new(run.options), shards: BTreeMap::new() };
    for (index, entry) in run.entries.iter().enumerate().take(quiet + 1) {
        progress.shelf.see(entry);
        let shard = match &entry.event {
            Event::Put(shard, ..) => shard,
            Event::Begin(tenure, _) | Event::Processed(tenure) | Event::Panic(tenure) => &tenure.shard,
            Event::Enter(Stage::Quiet) => return progress.drained().map_or(Ok(()), |what| Err((index, what))),
            _ => continue,
        };
        if let Some(what) = progress.late(shard, entry.at, calm) {
            return Err((index, what));
        }
        progress.see(entry, &survivors);
    }
    Ok(())
}

struct Progress<'a> {
    run: Run<'a>,
    shelf: Shelf,
    shards: BTreeMap<&'a ShardId, Shard<'a>>,
}

#[derive(Default)]
struct Shard<'a> {
    waiting: BTreeSet<&'a ExtendedSequenceNumber>,
    /// By tenure: the one that lost the lease may still be at work.
    in_hand: BTreeMap<u64, &'a [ExtendedSequenceNumber]>,
    /// Who works on it, if that is a process that outlives the trouble.
    reader: Option<NodeId>,
    /// When it made progress last, or had something to do again.
    since: Duration,
}

impl<'a> Progress<'a> {
    fn see(&mut self, entry: &'a Entry, survivors: &BTreeSet<NodeId>) {
        match &entry.event {
            Event::Put(shard, position, _) => {
                let idle = self.backlog(shard).is_none();
                let state = self.shards.entry(shard).or_default();
                if idle {
                    state.since = entry.at;
                }
                state.waiting.insert(position);
            }
            Event::Begin(tenure, call) => {
                let state = self.shards.entry(&tenure.shard).or_default();
                state.since = entry.at;
                match call {
                    Call::Initialize(_) => state.reader = Some(tenure.node).filter(|node| survivors.contains(node)),
                    Call::Process(positions) => drop(state.in_hand.insert(tenure.number, positions)),
                    Call::ShardEnded => {}
                    Call::LeaseLost | Call::ShutdownRequested => state.reader = state.reader.filter(|node| *node != tenure.node),
                }
            }
            Event::Processed(tenure) => {
                let state = self.shards.entry(&tenure.shard).or_default();
                state.since = entry.at;
                for position in state.in_hand.remove(&tenure.number).into_iter().flatten() {
                    state.waiting.remove(position);
                }
            }
            Event::Panic(tenure) => self.shards.entry(&tenure.shard).or_default().reader = None,
            _ => {}
        }
    }

    fn is_owed(&self, shard: &ShardId, position: &ExtendedSequenceNumber) -> bool {
        let records: &[Put] = self.shelf.records(shard);
        let put = records.binary_search_by(|put| put.position.cmp(position)).ok().and_then(|index| records.get(index));
        put.is_some_and(|put| !self.shelf.is_trimmed(shard, position) && self.shelf.is_owed(shard, put))
    }

    fn backlog(&self, shard: &ShardId) -> Option<&'a ExtendedSequenceNumber> {
        self.shards.get(shard)?.waiting.iter().find(|position| self.is_owed(shard, position)).copied()
    }

    /// Whether a shard that is worked on has made no progress for too long until now.
    fn late(&self, shard: &ShardId, now: Duration, calm: Duration) -> Option<String> {
        let state = self.shards.get(shard)?;
        let reader = state.reader?;
        let took = now.saturating_sub(state.since.max(calm));
        if took <= self.most(reader) {
            return None;
        }
        let first = self.backlog(shard)?;
        Some(format!("{shard} made no progress for {took:?}, although {reader:?} reads it; the next record is {first}"))
    }

    /// Two polls, one callback, and the calls between them.
    fn most(&self, reader: NodeId) -> Duration {
        let poll = self.run.options.config(reader.number()).poll_interval;
        self.run.slack(poll * 2 + self.run.options.behaviour.slowest) + LATENCY * 4
    }

    fn drained(&self) -> Option<String> {
        let left = self.shards.keys().find_map(|shard| Some((*shard, self.backlog(shard)?)));
        left.map(|(shard, first)| format!("{shard} was not read to its end before the quiet time: the next record is {first}"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::timed_log::{Log, log, tenure};
    use super::*;

    fn position(number: u64) -> ExtendedSequenceNumber {
        ExtendedSequenceNumber::new(number.into(), 0)
    }

    /// A record that was put 20 s after the start, long after the heal.
    fn put() -> Log {
        let read = log().workers(1).create("a").take(1, "a").enter(Stage::Heal).at(15_000);
        let begun = read.begin(1, "a", Call::Initialize(kcl_core::Checkpoint::TrimHorizon));
        begun.at(20_000).add(Event::Put("a".into(), position(1), "key".to_owned()))
    }

    fn process(log: Log) -> Log {
        log.begin(1, "a", Call::Process(vec![position(1)])).add(Event::Processed(tenure(1, "a")))
    }

    #[test]
    fn a_record_is_processed_after_two_polls_and_a_callback() {
        process(put().at(23_100)).enter(Stage::Quiet).says(check, "");
        process(put().at(23_300)).enter(Stage::Quiet).says(check, "made no progress for 3.3s");
    }

    #[test]
    fn nothing_is_left_for_the_quiet_time() {
        put().at(22_000).enter(Stage::Quiet).says(check, "was not read to its end");
    }
}
