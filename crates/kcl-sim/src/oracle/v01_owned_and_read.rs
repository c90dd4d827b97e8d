//! V1: once trouble is over, no unfinished lease is without a live owner for longer than X; at the end of the quiet time
//! every open shard has a lease, a live worker owns it, and that worker reads it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kcl_core::{Lease, LeaseKey};

use super::view::apply;
use super::{Finding, Run};
use crate::trace::{Event, Stage};

/// A live worker reads each shard at least so often when nothing fails.
const READ_WITHIN: Duration = Duration::from_secs(60);

pub(super) fn check(run: Run<'_>) -> Result<(), Finding> {
    owned_within_x(&run)?;
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

/// Since when each unfinished lease has no live owner, and why it may have none.
fn owned_within_x(run: &Run<'_>) -> Result<(), Finding> {
    let (Some(calm), end) = (run.calm(), run.stage(Stage::Shutdown)) else { return Ok(()) };
    let lives = |row: &Lease, live: &BTreeSet<&str>| row.owner.as_ref().is_some_and(|owner| live.contains(owner.as_str()));
    let survivors = run.survivors();
    let live: BTreeSet<&str> = survivors.keys().map(String::as_str).collect();
    let mut rows = BTreeMap::new();
    let mut ownerless: BTreeMap<LeaseKey, Duration> = BTreeMap::new();
    let mut afraid: BTreeMap<LeaseKey, Duration> = BTreeMap::new();
    for (index, entry) in run.entries.iter().enumerate().take(end + 1) {
        let key = match &entry.event {
            Event::Panic(tenure) => {
                afraid.insert(LeaseKey::of_shard(&tenure.shard), entry.at + run.slack(super::bounds::AVERSION));
                continue;
            }
            Event::Write(write) if write.applied => write.write.key(),
            Event::Edited(key, ..) => key,
            Event::Enter(Stage::Shutdown) => {
                let late = ownerless.iter().map(|(key, since)| (key, late(run, *since, entry.at, calm, afraid.get(key))));
                return late.filter_map(|(key, late)| late.map(|late| said(index, key, late))).next().map_or(Ok(()), Err);
            }
            _ => continue,
        };
        apply(&mut rows, &entry.event);
        let is_ownerless = rows.get(key).is_some_and(|row| !row.checkpoint.is_shard_end() && !lives(row, &live));
        if is_ownerless {
            ownerless.entry(key.clone()).or_insert(entry.at);
        } else if let Some(late) = ownerless.remove(key).and_then(|since| late(run, since, entry.at, calm, afraid.get(key))) {
            return Err(said(index, key, late));
        }
    }
    Ok(())
}

/// By how much a lease found its owner too late.
fn late(run: &Run<'_>, since: Duration, now: Duration, calm: Duration, afraid: Option<&Duration>) -> Option<Duration> {
    let due = since.max(calm).max(afraid.copied().unwrap_or_default()) + run.x();
    now.checked_sub(due).filter(|late| !late.is_zero())
}

fn said(index: usize, key: &LeaseKey, late: Duration) -> Finding {
    (index, format!("{key} had no live owner for X and {late:?} more"))
}

#[cfg(test)]
mod tests {
    use super::super::timed_log::{Log, log, node, shard};
    use super::*;

    /// Trouble is over after 12 s; X is 9 + 4.5 + 3 + 0.2 s.
    fn healed() -> Log {
        let opened = Event::Reshard(Vec::new(), vec![shard("a", &[])]);
        log().workers(2).add(opened).create("a").at(1_000).take(1, "a").add(Event::Killed(node(1))).enter(Stage::Heal)
    }

    fn quiet(log: Log) -> Log {
        let read = Event::Read(node(2), "a".into(), None, 0, None);
        log.at(60_000).add(read).enter(Stage::Quiet).at(61_000).enter(Stage::Shutdown)
    }

    #[test]
    fn the_lease_of_a_dead_worker_finds_an_owner_within_x() {
        quiet(healed().at(1_000 + 12_000 + 16_600).take(2, "a")).says(check, "");
        quiet(healed().at(1_000 + 12_000 + 16_800).take(2, "a")).says(check, "had no live owner for X and 100ms more");
        quiet(healed()).says(check, "had no live owner for X");
    }

    #[test]
    fn it_is_read_in_the_end() {
        let owned = || healed().at(15_000).take(2, "a");
        quiet(owned()).says(check, "");
        owned().at(150_000).enter(Stage::Shutdown).says(check, "who does not read it");
    }
}
