//! S2: within a tenure records come in order, each once, without a hole, from right after the start position on.

use std::collections::BTreeMap;

use kcl_core::Checkpoint;

use super::{Finding, Run};
use crate::trace::{Call, Event};

pub(super) fn check(run: Run<'_>) -> Result<(), Finding> {
    let mut records: BTreeMap<_, Vec<_>> = BTreeMap::new();
    let mut next = BTreeMap::new();
    for (index, entry) in run.entries.iter().enumerate() {
        match &entry.event {
            Event::Put(shard, position) => records.entry(shard.clone()).or_default().push(position.clone()),
            Event::Begin(tenure, Call::Initialize(start)) => {
                let shard = records.entry(tenure.shard.clone()).or_default();
                let before = |position: &kcl_core::ExtendedSequenceNumber| Checkpoint::At(position.clone()) <= *start;
                next.insert(tenure.clone(), shard.partition_point(before));
            }
            Event::Begin(tenure, Call::Process(positions)) => {
                let shard = records.entry(tenure.shard.clone()).or_default();
                let next = next.entry(tenure.clone()).or_default();
                for position in positions {
                    let expected = shard.get(*next);
                    if expected != Some(position) {
                        return Err((index, format!("{tenure:?} got {position}, the next record is {expected:?}")));
                    }
                    *next += 1;
                }
            }
            _ => {}
        }
    }
    Ok(())
}
