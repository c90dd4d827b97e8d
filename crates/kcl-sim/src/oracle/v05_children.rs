//! V5: a shard whose parents have ended is worked on within T_sync + X, once trouble is over.

use std::collections::BTreeMap;
use std::time::Duration;

use kcl_core::ShardId;

use super::{Finding, Run};
use crate::trace::{Call, Event, Stage};

pub(super) fn check(run: Run<'_>) -> Result<(), Finding> {
    let (Some(calm), end) = (run.calm(), run.stage(Stage::Shutdown)) else { return Ok(()) };
    let mut children: BTreeMap<&ShardId, &[ShardId]> = BTreeMap::new();
    let mut ended: BTreeMap<ShardId, Duration> = BTreeMap::new();
    let mut waiting: BTreeMap<&ShardId, Duration> = BTreeMap::new();
    for (index, entry) in run.entries.iter().enumerate().take(end + 1) {
        if let Some((shard, due)) = waiting.iter().find(|(_, due)| entry.at > **due) {
            return Err((index, format!("{shard}, whose parents have ended, was due at {due:?} and nobody works on it")));
        }
        match &entry.event {
            Event::Reshard(_, opened) => {
                children.extend(opened.iter().filter(|shard| !shard.parents.is_empty()).map(|shard| (&shard.id, &*shard.parents)));
            }
            Event::Write(write) if write.applied => {
                let Some(row) = write.after.as_ref().filter(|row| row.checkpoint.is_shard_end()) else { continue };
                let shard = row.key.shard_id();
                children.remove(&shard);
                waiting.remove(&shard);
                if ended.contains_key(&shard) {
                    continue;
                }
                ended.insert(shard, entry.at);
                let due = entry.at.max(calm) + run.slack(run.sync()) + run.x();
                let ready = children.iter().filter(|(_, parents)| parents.iter().all(|parent| ended.contains_key(parent)));
                waiting.extend(ready.map(|(child, _)| (*child, due)));
                children.retain(|child, _| !waiting.contains_key(child));
            }
            Event::Begin(tenure, Call::Initialize(_)) => {
                children.remove(&tenure.shard);
                waiting.remove(&tenure.shard);
            }
            // Retention was faster.
            Event::Removed(shard) => {
                children.remove(shard);
                waiting.remove(shard);
            }
            _ => {}
        }
    }
    Ok(())
}
