//! Questions to the record of a run.

use std::time::Duration;

use kcl_core::{Checkpoint, Lease, Verb};
use kcl_sim::exec::NodeId;
use kcl_sim::scenario::Report;
use kcl_sim::trace::{Applied, Call, Entry, Event, Tenure};
use kcl_sim::world::Api;

/// When this happened first, after this moment.
pub(crate) fn when(report: &Report, after: Duration, what: impl Fn(&Event) -> bool) -> Option<Duration> {
    report.entries.iter().find(|entry| entry.at >= after && what(&entry.event)).map(|entry| entry.at)
}

/// The batches that were begun by this process in this time.
pub(crate) fn batches(report: &Report, process: NodeId, from: Duration, to: Duration) -> Vec<(Duration, &Tenure)> {
    let begun = report.entries.iter().filter_map(|entry| match &entry.event {
        Event::Begin(tenure, Call::Process(_)) if tenure.node == process => Some((entry.at, tenure)),
        _ => None,
    });
    begun.filter(|(at, _)| *at >= from && *at < to).collect()
}

/// Every write that the store decided.
pub(crate) fn writes(report: &Report) -> impl Iterator<Item = (Duration, &Applied)> {
    report.entries.iter().filter_map(|entry| match &entry.event {
        Event::Write(write) => Some((entry.at, write)),
        _ => None,
    })
}

/// Who made this kind of write first, and the how many'th of its writes of this kind that was.
pub(crate) fn first_write(report: &Report, verb: Verb, of: impl Fn(&Applied) -> bool) -> Option<(usize, u64)> {
    let wanted = |entry: &&Entry| matches!(&entry.event, Event::Write(write) if write.write.verb() == verb && of(write));
    let found = report.entries.iter().find(wanted)?;
    let Event::Write(write) = &found.event else { return None };
    let called = Event::Called(write.node, Api::Write(verb));
    let before = report.entries.iter().filter(|entry| entry.at <= write.sent && entry.event == called);
    let node = (1..20).find(|number| kcl_sim::scenario::call(*number, verb, 1).node == write.node)?;
    Some((node, u64::try_from(before.count()).ok()?))
}

pub(crate) fn is_end(row: Option<&Lease>) -> bool {
    row.is_some_and(|row| row.checkpoint == Checkpoint::ShardEnd)
}

/// The nth process.
pub(crate) fn process(number: usize) -> NodeId {
    kcl_sim::scenario::call(number, Verb::Renew, 1).node
}
