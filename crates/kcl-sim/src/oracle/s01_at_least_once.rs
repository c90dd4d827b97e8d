//! S1: every record at or after the start position is processed by the end of the quiet time, by a callback that did not
//! panic, unless retention removed it before.

use std::collections::{BTreeMap, BTreeSet};

use super::shelf::Shelf;
use super::{Finding, Run};
use crate::trace::{Call, Event, Stage};

pub(super) fn check(run: Run<'_>) -> Result<(), Finding> {
    let mut shelf = Shelf::new(run.options);
    let mut processed = BTreeSet::new();
    let mut open = BTreeMap::new();
    for entry in run.entries.iter().take(run.stage(Stage::Shutdown)) {
        shelf.see(entry);
        match &entry.event {
            Event::Begin(tenure, Call::Process(positions)) => drop(open.insert(tenure.clone(), positions)),
            Event::Processed(tenure) => {
                for position in open.remove(tenure).into_iter().flatten() {
                    processed.insert((&tenure.shard, position));
                }
            }
            _ => {}
        }
    }
    let missing = shelf.shards().find_map(|shard| {
        let is_missing = |put: &&super::shelf::Put| {
            let handled = processed.contains(&(shard, &put.position)) || shelf.is_trimmed(shard, &put.position);
            !handled && shelf.is_owed(shard, put)
        };
        let mut missing = shelf.records(shard).iter().filter(is_missing);
        missing.next().map(|first| (shard, first, missing.count() + 1))
    });
    match missing {
        Some((shard, first, count)) => {
            let first = &first.position;
            Err((run.last(), format!("{count} records of {shard} were never processed, the first is {first}")))
        }
        None => Ok(()),
    }
}
