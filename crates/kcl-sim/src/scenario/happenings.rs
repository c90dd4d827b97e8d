//! What happened in a run that no single event says.

use std::collections::{BTreeMap, BTreeSet};

use kcl_core::{Checkpoint, ShardId, Verb};

use crate::exec::NodeId;
use crate::trace::{Answer, Applied, Call, Entry, Event, Stage};

/// Every fault that calls can meet.
pub(super) const FAULTS: [&str; 31] = [
    "unavailable of prepare",
    "unavailable of scan",
    "unavailable of get",
    "unavailable of write",
    "unavailable of list",
    "unavailable of open",
    "unavailable of next",
    "throttled of scan",
    "throttled of get",
    "throttled of write",
    "throttled of list",
    "throttled of open",
    "throttled of next",
    "denied of write",
    "corrupt of get",
    "not_ready of prepare",
    "not_found of scan",
    "invalid of write",
    "LoseReply of write",
    "DelayApply of write",
    "ApplyTwice of write",
    "SlowReply of write",
    "SlowReply of scan",
    "Stale of scan",
    "ForeignRows of scan",
    "expired of next",
    "EmptyPage of next",
    "NoChildren of next",
    "LateListing of list",
    "PartialListing of list",
    "DoubleListing of list",
];

/// Names of what happened, each at most once.
pub(super) fn of(entries: &[Entry]) -> BTreeSet<&'static str> {
    let mut seen = BTreeSet::new();
    let mut run = Run::default();
    for entry in entries {
        run.see(&entry.event, &mut seen);
    }
    if !run.unwell.is_empty() && run.stage == Some(Stage::Audit) {
        seen.insert("worker still unwell in the quiet time");
    }
    seen
}

#[derive(Default)]
struct Run<'a> {
    stage: Option<Stage>,
    names: BTreeMap<&'a str, NodeId>,
    java: BTreeSet<NodeId>,
    gone: BTreeSet<NodeId>,
    unwell: BTreeSet<NodeId>,
    with_records: BTreeSet<&'a ShardId>,
    opened_by_reshard: BTreeSet<&'a ShardId>,
    lost: BTreeSet<u64>,
    /// What was opened for reading and gave no record yet.
    fresh: BTreeSet<(NodeId, &'a ShardId)>,
}

impl<'a> Run<'a> {
    fn see(&mut self, event: &'a Event, seen: &mut BTreeSet<&'static str>) {
        let mut happens = |name| {
            seen.insert(name);
        };
        match event {
            Event::Enter(stage) => self.stage = Some(*stage),
            Event::Started(node, id) => {
                self.names.insert(id, *node);
            }
            Event::Killed(node) => {
                self.unwell.remove(node);
                self.gone.insert(*node);
            }
            Event::Stopped(node, _) => {
                if self.stage == Some(Stage::Chaos) {
                    happens("shutdown during chaos");
                }
                self.unwell.remove(node);
                self.gone.insert(*node);
            }
            Event::Paused(node) | Event::Suspended(node) | Event::Cut(node) => {
                self.unwell.insert(*node);
            }
            Event::Resumed(node) | Event::Joined(node) => {
                self.unwell.remove(node);
            }
            Event::Java(node, _) => drop(self.java.insert(*node)),
            Event::JavaSynced(_) => happens("Java shard sync"),
            Event::Write(write) if write.applied && write.write.verb() == Verb::Take => {
                let how = self.taken(write);
                self.mixed(write, how, &mut happens);
                happens(how);
            }
            Event::Write(write) if write.applied && write.write.verb() == Verb::Delete => happens("row deleted"),
            Event::Begin(tenure, Call::LeaseLost) => {
                self.lost.insert(tenure.number);
            }
            Event::Answered(tenure, checkpoint, answer) => self.answered(tenure.number, checkpoint, *answer, &mut happens),
            Event::Put(shard, ..) => {
                self.with_records.insert(shard);
            }
            Event::Reshard(closed, opened) => {
                if closed.iter().any(|shard| self.opened_by_reshard.contains(shard)) {
                    happens("reshard of a reshard");
                }
                if !closed.is_empty() {
                    self.opened_by_reshard.extend(opened.iter().map(|shard| &shard.id));
                }
            }
            Event::Read(_, shard, _, _, Some(children)) => {
                if *children == 0 {
                    happens("shard ended, children not named");
                }
                if !self.with_records.contains(shard) {
                    happens("shard ended without a record");
                }
            }
            Event::Opened(node, shard, _) if !self.fresh.insert((*node, shard)) => {
                happens("reader reopened before its first record");
            }
            Event::Read(node, shard, Some(_), ..) => {
                self.fresh.remove(&(*node, shard));
            }
            Event::Begin(tenure, Call::Initialize(_)) => {
                self.fresh.remove(&(tenure.node, &tenure.shard));
            }
            Event::Panic(_) => happens("panic of a processor"),
            Event::Alarm(_, "CheckpointTrimmed" | "UnreadShardsGone", _) => happens("trimmed record reported"),
            Event::Alarm(_, "StalledFor", _) => happens("stalled shard reported"),
            _ => {}
        }
    }

    fn taken(&self, write: &Applied) -> &'static str {
        let owner = write.before.as_ref().and_then(|row| row.owner.as_ref());
        match (owner, owner.and_then(|owner| self.names.get(owner.as_str()))) {
            (None, _) => "take of a released lease",
            (_, Some(node)) if !self.gone.contains(node) && !self.unwell.contains(node) => "take from a live owner",
            _ => "take after expiry",
        }
    }

    /// Who took a lease from whom, if one of them is a Java worker.
    fn mixed(&self, write: &Applied, how: &str, happens: &mut impl FnMut(&'static str)) {
        let owner = write.before.as_ref().and_then(|row| row.owner.as_ref());
        let from = owner.and_then(|owner| self.names.get(owner.as_str()));
        let (by_java, from_java) = (self.java.contains(&write.node), from.is_some_and(|from| self.java.contains(from)));
        let stolen = how == "take from a live owner";
        match (by_java, from_java) {
            (true, false) if from.is_some() => {
                happens(if stolen { "Java steals from one of ours" } else { "Java takes what one of ours lost" });
                if write.before.as_ref().is_some_and(|row| row.requested_by.is_some()) {
                    happens("Java takes what one of ours asked for");
                }
            }
            (false, true) => happens(if stolen { "one of ours steals from Java" } else { "one of ours takes what Java lost" }),
            _ => {}
        }
        if by_java {
            happens("Java take");
        }
    }

    fn answered(&self, tenure: u64, checkpoint: &Checkpoint, answer: Answer, happens: &mut impl FnMut(&'static str)) {
        match answer {
            Answer::LeaseLost if self.lost.contains(&tenure) => happens("checkpoint refused after the loss"),
            Answer::Refused => happens("misuse refused"),
            Answer::Stored if checkpoint.position().is_some_and(|position| position.sub_sequence_number > 0) => {
                happens("checkpoint within an aggregate");
            }
            _ => {}
        }
    }
}
