//! S2: within a tenure records come in order, each once, without a hole but what retention removed, from right after the
//! start position on.

use std::collections::BTreeMap;

use kcl_core::{Checkpoint, ReadPosition, Wall};

use super::shelf::{Next, Put, Shelf, wall};
use super::{Finding, Run};
use crate::trace::{Call, Event};

pub(super) fn check(run: Run<'_>) -> Result<(), Finding> {
    let mut shelf = Shelf::new(run.options);
    let java = run.java();
    let is_mixed = !java.is_empty();
    // When a shard was opened at the tip; and by whom, unless that is settled.
    let (mut opened, mut undated) = (BTreeMap::new(), BTreeMap::new());
    let mut next = BTreeMap::new();
    for (index, entry) in run.entries.iter().enumerate() {
        shelf.see(entry);
        match &entry.event {
            Event::Begin(tenure, Call::Initialize(start)) => {
                let mut first = shelf.first(&tenure.shard, start);
                let mut tip = None;
                if *start == Checkpoint::Latest && is_mixed && shelf.is_undated(&tenure.shard, tenure.node) {
                    tip = opened.remove(&(tenure.node, &tenure.shard));
                    first.since = Some(tip.unwrap_or(Wall::from_unix_millis(i64::MAX)));
                }
                // A Java worker that looks again before its first record begins again at the tip.
                undated.insert((tenure.node, &tenure.shard), (tenure, tip.is_some() && !java.contains_key(&tenure.node)));
                next.insert(tenure.clone(), first);
            }
            Event::Opened(node, shard, ReadPosition::Latest) if is_mixed => {
                let now = Wall::from_unix_millis(wall(entry.at).unix_millis().saturating_add(1));
                opened.insert((*node, shard), now);
                if let Some((tenure, settled)) = undated.get(&(*node, shard))
                    && let (false, Some(next)) = (settled, next.get_mut(*tenure))
                    && next.since.is_some()
                {
                    next.since = Some(now);
                    undated.insert((*node, shard), (tenure, !java.contains_key(node)));
                }
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
