//! V2: a shard that a live worker holds and that makes no progress is named in a metric, whatever else goes wrong.

use std::collections::BTreeMap;
use std::time::Duration;

use kcl_core::{ShardId, Verb};

use super::{Finding, Run};
use crate::exec::NodeId;
use crate::scenario::Action;
use crate::trace::{Entry, Event, Tenure, Told};
use crate::world::Api;

/// After how long without a read or a returned callback a shard has to be named.
const STALLED: Duration = Duration::from_secs(60);
/// How long after a scan was sent it is named at the latest.
const NAMED_WITHIN: Duration = Duration::from_secs(1);

pub(super) fn check(run: Run<'_>) -> Result<(), Finding> {
    let mut stalls = Stalls::default();
    for (index, entry) in run.entries.iter().enumerate() {
        if let Some((tenure, _)) = stalls.held.iter().find(|(_, held)| held.due.is_some_and(|due| entry.at > due)) {
            return Err((index, format!("{tenure:?} makes no progress and is not named")));
        }
        let next = run.entries.get(index + 1).map(|entry| &entry.event);
        stalls.see(entry, next, run.slack(STALLED));
    }
    Ok(())
}

#[derive(Default)]
struct Stalls<'a> {
    held: BTreeMap<&'a Tenure, Held>,
    /// Until when scans fail, or a task that may be any is left alone.
    hindered_until: Duration,
    cut: Vec<NodeId>,
}

struct Held {
    since: Duration,
    due: Option<Duration>,
}

impl<'a> Stalls<'a> {
    fn see(&mut self, entry: &'a Entry, next: Option<&Event>, stalled: Duration) {
        let at = entry.at;
        match &entry.event {
            Event::Begin(tenure, crate::trace::Call::Initialize(_)) => {
                self.held.insert(tenure, Held { since: at, due: None });
            }
            Event::Begin(tenure, crate::trace::Call::LeaseLost | crate::trace::Call::ShutdownRequested)
            | Event::Panic(tenure) => {
                self.held.remove(tenure);
            }
            Event::End(tenure) => self.progress(tenure.node, &tenure.shard, at),
            Event::Read(node, shard, ..) | Event::Alarm(node, "StalledFor", shard) => self.progress(*node, shard, at),
            // Somebody else writes the row: its holder does not hold it any more.
            Event::Write(write) if write.applied => {
                let (node, shard) = (write.node, write.write.key().shard_id());
                let ended = write.after.as_ref().is_none_or(|row| row.checkpoint.is_shard_end() || row.owner.is_none());
                self.held.retain(|tenure, _| tenure.shard != shard || (tenure.node == node && !ended));
            }
            // Whoever is told that its own write was rejected counts the lease as lost, also if that write had been applied.
            Event::Told(node, verb, key, Told::Rejected) if *verb != Verb::Request => {
                self.held.retain(|tenure, _| tenure.node != *node || tenure.shard != key.shard_id());
            }
            Event::Edited(key, ..) => self.held.retain(|tenure, _| tenure.shard != key.shard_id()),
            Event::AskedToStop(node) | Event::Killed(node) | Event::Stopped(node, _) => {
                self.held.retain(|tenure, _| tenure.node != *node);
            }
            Event::Paused(node) | Event::Suspended(node) | Event::Resumed(node) => self.forgive(|other| other == *node, at),
            Event::Cut(node) => {
                self.cut.push(*node);
                self.forgive(|other| other == *node, at);
            }
            Event::Joined(node) => self.cut.retain(|other| other != node),
            Event::Nemesis(Action::ThrottleStore(time) | Action::Starve(_, _, time)) => {
                self.hindered_until = self.hindered_until.max(at + *time);
                self.forgive(|_| true, at);
            }
            Event::Called(node, Api::Scan) => {
                let failed = matches!(next, Some(Event::Fault(by, Api::Scan, ..)) if by == node);
                if !failed && at > self.hindered_until && !self.cut.contains(node) {
                    self.scanned(*node, at, stalled);
                }
            }
            _ => {}
        }
    }

    fn progress(&mut self, node: NodeId, shard: &ShardId, at: Duration) {
        for (_, held) in self.held.iter_mut().filter(|(tenure, _)| tenure.node == node && tenure.shard == *shard) {
            *held = Held { since: at, due: None };
        }
    }

    /// Whoever is paused names nothing; it has time for that again afterwards.
    fn forgive(&mut self, which: impl Fn(NodeId) -> bool, at: Duration) {
        for (_, held) in self.held.iter_mut().filter(|(tenure, _)| which(tenure.node)) {
            *held = Held { since: at, due: None };
        }
    }

    fn scanned(&mut self, node: NodeId, at: Duration, stalled: Duration) {
        let silent = |held: &Held| at.saturating_sub(held.since) > stalled;
        for (_, held) in self.held.iter_mut().filter(|(tenure, held)| tenure.node == node && silent(held)) {
            held.due.get_or_insert(at + NAMED_WITHIN);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::timed_log::{Log, log, node};
    use super::*;
    use crate::trace::Call;

    fn hangs() -> Log {
        let taken = log().workers(1).create("a").take(1, "a");
        taken.begin(1, "a", Call::Initialize(kcl_core::Checkpoint::TrimHorizon)).begin(1, "a", Call::Process(Vec::new()))
    }

    fn scan(log: Log) -> Log {
        log.at(61_000).add(Event::Called(node(1), Api::Scan)).at(63_000).renew(1, "a", 0)
    }

    #[test]
    fn a_callback_that_hangs_is_named_by_the_next_scan() {
        scan(hangs()).renew(1, "a", 0).says(check, "is not named");
        let named = hangs().at(61_000).add(Event::Called(node(1), Api::Scan)).at(61_030);
        named.add(Event::Alarm(node(1), "StalledFor", "a".into())).at(63_000).renew(1, "a", 0).says(check, "");
    }

    #[test]
    fn whoever_cannot_name_it_need_not() {
        scan(hangs().at(50_000).add(Event::Paused(node(1))).at(52_000).add(Event::Resumed(node(1)))).says(check, "");
        scan(hangs().at(50_000).add(Event::Nemesis(Action::ThrottleStore(Duration::from_secs(20))))).says(check, "");
        scan(hangs().at(50_000).take(2, "a")).says(check, "");
    }
}
