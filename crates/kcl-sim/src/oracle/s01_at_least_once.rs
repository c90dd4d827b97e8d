//! S1: every record that was put is processed by the end of the quiet time, by a callback that did not panic.

use std::collections::{BTreeMap, BTreeSet};

use super::{Finding, Run};
use crate::trace::{Call, Event, Stage};

pub(super) fn check(run: Run<'_>) -> Result<(), Finding> {
    let mut missing = BTreeSet::new();
    let mut open = BTreeMap::new();
    for entry in run.entries.iter().take(run.stage(Stage::Shutdown)) {
        match &entry.event {
            Event::Put(shard, position) => drop(missing.insert((shard.clone(), position.clone()))),
            Event::Begin(tenure, Call::Process(positions)) => drop(open.insert(tenure.clone(), positions)),
            Event::Processed(tenure) => {
                for position in open.remove(tenure).into_iter().flatten() {
                    missing.remove(&(tenure.shard.clone(), position.clone()));
                }
            }
            _ => {}
        }
    }
    match missing.first() {
        Some((shard, position)) => {
            Err((run.last(), format!("{} records were never processed, the first is {position} of {shard}", missing.len())))
        }
        None => Ok(()),
    }
}
