//! S1: every record that was put is processed before the end.

use std::collections::BTreeSet;

use super::{Finding, Record};
use crate::fleet::run::PutRecord;
use crate::fleet::trace::{Call, Event};

pub(super) fn check(record: Record<'_>) -> Option<Finding> {
    let done: BTreeSet<_> = record.completions().map(|(_, position)| position).collect();
    let missing: Vec<_> = record.puts.iter().filter(|put| !done.contains(&put.position)).collect();
    let first = missing.first()?;
    let (count, all) = (missing.len(), record.puts.len());
    let what = format!("{count} of {all} records were never processed. The first is {first:?}: {}", story(record, first));
    Some((last_delivery(record, first).unwrap_or_else(|| record.last()), what))
}

fn last_delivery(record: Record<'_>, put: &PutRecord) -> Option<usize> {
    record
        .entries
        .iter()
        .rposition(|entry| matches!(&entry.event, Event::Begin(_, Call::Process(positions)) if positions.contains(&put.position)))
}

/// What became of a record that was not processed.
fn story(record: Record<'_>, put: &PutRecord) -> String {
    let Some(last) = last_delivery(record, put) else {
        return "it was never handed to a processor; see whether its shard's parents were ended, and whether processors \
                of its shard panic or do not return"
            .to_owned();
    };
    let Some(Event::Begin(tenure, _)) = record.entries.get(last).map(|entry| &entry.event) else { return String::new() };
    let after = record.entries.get(last + 1..).unwrap_or_default();
    let end = after.iter().find_map(|entry| match &entry.event {
        Event::End(of) if of == tenure => Some("which returned and never said World::processed of it"),
        Event::Panicked(of) if of == tenure => Some("which panicked"),
        _ => None,
    });
    format!("it was last handed to {tenure} in a call of process_records {}", end.unwrap_or("which never returned"))
}
