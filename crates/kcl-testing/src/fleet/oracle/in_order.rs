//! S2: a tenure gets the records of its shard in order, each once, without a hole, from right after its start position on.

use std::collections::BTreeMap;

use kcl_core::Checkpoint;

use super::{Finding, Record};
use crate::fleet::trace::{Call, Event};

pub(super) fn check(record: Record<'_>) -> Option<Finding> {
    let mut shards: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for put in record.puts {
        shards.entry(&put.shard_id).or_default().push(&put.position);
    }
    let mut next = BTreeMap::new();
    for (index, entry) in record.entries.iter().enumerate() {
        let Event::Begin(tenure, call) = &entry.event else { continue };
        let shard = shards.get(&tenure.shard).map(Vec::as_slice).unwrap_or_default();
        match call {
            Call::Initialize(start) => {
                let processed = shard.partition_point(|position| Checkpoint::At((*position).clone()) <= *start);
                next.insert(tenure, processed);
            }
            Call::Process(positions) => {
                let next = next.entry(tenure).or_default();
                for position in positions {
                    let expected = shard.get(*next);
                    if expected != Some(&position) {
                        return Some((index, format!("{tenure} got {position}, the next record is {expected:?}")));
                    }
                    *next += 1;
                }
            }
            _ => {}
        }
    }
    None
}
