//! Runs in which workers of the Java library take part.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{Finding, Oracle, Run};
use crate::exec::NodeId;
use crate::trace::{Entry, Event};
use crate::world::JavaVersion;

impl Run<'_> {
    /// The processes of the Java library.
    pub(super) fn java(&self) -> BTreeMap<NodeId, JavaVersion> {
        // Most runs have none.
        let entries = if self.options.java.is_empty() { &[] } else { self.entries };
        let java = entries.iter().filter_map(|entry| match &entry.event {
            Event::Java(node, version) => Some((*node, *version)),
            _ => None,
        });
        java.collect()
    }

    /// Their names.
    pub(super) fn java_names(&self) -> BTreeSet<String> {
        let java = self.java();
        let named = self.entries.iter().filter_map(|entry| match &entry.event {
            Event::Started(node, name) if java.contains_key(node) => Some(name.to_string()),
            _ => None,
        });
        if java.is_empty() { BTreeSet::new() } else { named.collect() }
    }

    /// How often a Java worker looks at the table, by a slow clock, and the round itself.
    pub(super) fn take_every(&self) -> Duration {
        self.slack((self.options.failover + Duration::from_millis(25)) * 2) + super::bounds::LATENCY * 4
    }
}

/// A run without what Java workers did, except what they wrote into the table and whether they live.
pub(super) struct OursOnly {
    entries: Vec<Entry>,
    /// Where each entry is in the whole run.
    places: Vec<usize>,
}

impl OursOnly {
    pub(super) fn judge(&self, run: Run<'_>, check: Oracle) -> Result<(), Finding> {
        let place = |index: usize| self.places.get(index).copied().unwrap_or_else(|| run.entries.len().saturating_sub(1));
        check(Run { entries: &self.entries, ..run }).map_err(|(index, what)| (place(index), what))
    }
}

/// `None` if there are no Java workers: then it is the run itself.
pub(super) fn ours(run: Run<'_>) -> Option<OursOnly> {
    let java = run.java();
    if java.is_empty() {
        return None;
    }
    let kept = |entry: &&Entry| doer(&entry.event).is_none_or(|node| !java.contains_key(&node));
    let places: Vec<usize> = (0..run.entries.len()).filter(|index| run.entries.get(*index).as_ref().is_some_and(kept)).collect();
    let entries = places.iter().filter_map(|index| run.entries.get(*index).cloned()).collect();
    Some(OursOnly { entries, places })
}

/// Whose deed an event is, if it is left out with its doer.
const fn doer(event: &Event) -> Option<NodeId> {
    match event {
        Event::Running(node)
        | Event::Called(node, _)
        | Event::Fault(node, ..)
        | Event::Told(node, ..)
        | Event::Listed(node, ..)
        | Event::Opened(node, ..)
        | Event::Read(node, ..) => Some(*node),
        Event::Begin(tenure, _)
        | Event::Processed(tenure)
        | Event::End(tenure)
        | Event::Asked(tenure, _)
        | Event::Answered(tenure, ..) => Some(tenure.node),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::exec::NodeId;
    use crate::oracle::timed_log::{Log, log};
    use crate::trace::Call;
    use crate::world::{Api, JavaVersion};

    fn mixed() -> Log {
        let mut log = log().workers(2).add(Event::Java(NodeId(2), JavaVersion::Two)).create("a").take(2, "a");
        log.options.java.two.insert(2);
        log.begin(2, "a", Call::ShardEnded).add(Event::Called(NodeId(1), Api::Scan)).add(Event::Called(NodeId(2), Api::Scan))
    }

    fn run(log: &Log) -> Run<'_> {
        Run { entries: log.entries(), options: &log.options, seed: 1 }
    }

    #[test]
    fn what_java_workers_do_is_left_out_and_what_they_write_is_not() {
        let log = mixed();
        let ours = ours(run(&log)).unwrap();
        assert!(ours.entries.iter().any(|entry| matches!(&entry.event, Event::Write(write) if write.node == NodeId(2))));
        let called = ours.entries.iter().filter(|entry| matches!(entry.event, Event::Called(..) | Event::Begin(..))).count();
        assert_eq!(called, 1);
        let last = ours.judge(run(&log), |run| Err((run.entries.len() - 1, String::new()))).unwrap_err();
        assert_eq!(last.0, log.entries().len() - 2, "told by its place in the whole run");
        assert!(run(&log).take_every() > Duration::from_secs(18));
    }
}
