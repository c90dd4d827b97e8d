//! V1: at the end of the quiet time every open shard has a lease, a live worker owns it, and that worker reads it.

use std::collections::BTreeSet;
use std::time::Duration;

use kcl_core::LeaseKey;

use super::{Finding, Run};
use crate::trace::{Event, Stage};

/// A live worker reads each shard at least so often when nothing fails.
const READ_WITHIN: Duration = Duration::from_secs(60);

pub(super) fn check(run: Run<'_>) -> Result<(), Finding> {
    let end = run.stage(Stage::Shutdown);
    let Some(now) = run.entries.get(end).map(|entry| entry.at) else { return Ok(()) };
    let (table, workers) = (run.table(end), run.core(end));
    let recent = run.entries[..end].iter().rev().take_while(|entry| now - entry.at < READ_WITHIN);
    let read: BTreeSet<_> = recent
        .filter_map(|entry| match &entry.event {
            Event::Read(node, shard, ..) => Some((*node, shard.clone())),
            _ => None,
        })
        .collect();
    let open = open_shards(&run);
    for shard in &open {
        let key = LeaseKey::of_shard(shard);
        let Some(row) = table.get(&key) else { return Err((end, format!("{shard} is open and has no lease"))) };
        let Some(node) = row.owner.as_ref().and_then(|owner| workers.get(owner.as_str())) else {
            return Err((end, format!("{shard} is owned by {:?}, who does not live", row.owner)));
        };
        if !read.contains(&(*node, shard.clone())) {
            return Err((end, format!("{shard} is owned by {node:?}, who does not read it")));
        }
    }
    match table.values().find(|row| !row.checkpoint.is_shard_end() && !open.contains(&row.key.shard_id())) {
        Some(row) => Err((end, format!("{} is closed and not finished: {} of {:?}", row.key, row.checkpoint, row.owner))),
        None => Ok(()),
    }
}

/// Every shard that a reshard opened, the first one included, without those that one closed.
fn open_shards(run: &Run<'_>) -> BTreeSet<kcl_core::ShardId> {
    let mut open = BTreeSet::new();
    let mut closed = BTreeSet::new();
    for entry in run.entries {
        if let Event::Reshard(gone, new) = &entry.event {
            closed.extend(gone.iter().cloned());
            open.extend(new.iter().map(|shard| shard.id.clone()));
        }
    }
    &open - &closed
}
