//! V5: a shard whose parents have ended is worked on within T_sync + X, once trouble is over.

use std::collections::BTreeMap;
use std::time::Duration;

use kcl_core::ShardId;

use super::{Finding, Run};
use crate::trace::{Call, Event, Stage};

pub(super) fn check(run: Run<'_>) -> Result<(), Finding> {
    let (Some(calm), end) = (run.calm(), run.stage(Stage::Shutdown)) else { return Ok(()) };
    // A consumer of a Java worker that waits for parents looks every ten seconds, and its main loop every second. A child whose row is
    // missing is found by the audit alone, by a leader who may have been elected for 300 s, and at the third sight.
    let rounds = run.slack(Duration::from_secs(312)) + run.slack(run.sync()) * 4;
    let java = if run.options.java.is_empty() { Duration::ZERO } else { rounds };
    let mut children: BTreeMap<&ShardId, &[ShardId]> = BTreeMap::new();
    let mut ended: BTreeMap<ShardId, Duration> = BTreeMap::new();
    let mut waiting: BTreeMap<&ShardId, Duration> = BTreeMap::new();
    for (index, entry) in run.entries.iter().enumerate().take(end + 1) {
        if let Some((shard, due)) = waiting.iter().find(|(_, due)| entry.at > **due) {
            return Err((index, format!("{shard}, whose parents have ended, was due at {due:?} and nobody works on it")));
        }
        match &entry.event {
            Event::Reshard(_, opened) => {
                children
                    .extend(opened.iter().filter(|shard| !shard.parents.is_empty()).map(|shard| (&shard.id, &*shard.parents)));
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
                let due = entry.at.max(calm) + run.slack(run.sync()) + run.x() + java;
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

#[cfg(test)]
mod tests {
    use super::super::timed_log::{Log, log, shard};
    use super::*;

    /// Both parents have ended 20 s after the start; T_sync + X is 26.7 s.
    fn ended() -> Log {
        let merged = Event::Reshard(vec!["a".into(), "b".into()], vec![shard("c", &["a", "b"])]);
        let log = log().workers(1).create("a").create("b").add(merged).enter(Stage::Heal);
        log.take(1, "a").take(1, "b").end(1, "a").at(20_000).end(1, "b")
    }

    fn begin(log: Log) -> Log {
        log.begin(1, "c", Call::Initialize(kcl_core::Checkpoint::TrimHorizon)).at(100_000).enter(Stage::Shutdown)
    }

    #[test]
    fn a_child_starts_soon_after_its_last_parent() {
        begin(ended().at(46_600)).says(check, "");
        begin(ended().at(46_800)).says(check, "whose parents have ended");
        ended().at(100_000).enter(Stage::Shutdown).says(check, "whose parents have ended");
        ended().at(30_000).add(Event::Removed("c".into())).at(100_000).enter(Stage::Shutdown).says(check, "");
    }
}
