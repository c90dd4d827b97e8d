//! S2: within a tenure records come in order, each once, without a hole but what retention removed, from right after the
//! start position on.

use std::collections::BTreeMap;

use super::shelf::{Next, Put, Shelf};
use super::{Finding, Run};
use crate::trace::{Call, Event};

pub(super) fn check(run: Run<'_>) -> Result<(), Finding> {
    let mut shelf = Shelf::new(run.options);
    let mut next = BTreeMap::new();
    for (index, entry) in run.entries.iter().enumerate() {
        shelf.see(entry);
        match &entry.event {
            Event::Begin(tenure, Call::Initialize(start)) => {
                next.insert(tenure.clone(), shelf.first(&tenure.shard, start));
            }
            Event::Begin(tenure, Call::Process(positions)) => {
                let next: &mut Next = next.entry(tenure.clone()).or_default();
                let records = shelf.records(&tenure.shard);
                for position in positions {
                    let skips = |put: &Put| {
                        let early = next.since.is_some_and(|since| put.arrival < since);
                        put.position < *position && (early || shelf.is_trimmed(&tenure.shard, &put.position))
                    };
                    while records.get(next.index).is_some_and(skips) {
                        next.index += 1;
                    }
                    let expected = records.get(next.index).map(|put| &put.position);
                    if expected != Some(position) {
                        return Err((index, format!("{tenure:?} got {position}, the next record is {expected:?}")));
                    }
                    *next = Next { index: next.index + 1, since: None };
                }
            }
            _ => {}
        }
    }
    Ok(())
}
