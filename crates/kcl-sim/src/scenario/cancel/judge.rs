//! What must hold after a task was dropped.

use std::time::Duration;

use kcl_core::LeaseKey;

use super::{STOPPED_AFTER, VICTIM};
use crate::exec::{Cancel, NodeId, Stuck};
use crate::oracle::{Run, audit};
use crate::scenario::Options;
use crate::trace::{Entry, Event, Stage};

/// An owner reads each of its shards at least so often when nothing fails.
const READ_WITHIN: Duration = Duration::from_secs(10);

/// The tasks without which a worker cannot go on: it stops with an error, and its leases expire.
const VITAL: [&str; 2] = ["coordinator", "supervisor"];

pub(super) fn judge(entries: &[Entry], options: &Options, stuck: Option<&Stuck>, cancel: &Cancel) -> Vec<String> {
    let run = Run { entries, options, seed: super::SEED };
    // All promises of safety, and that every shard has an owner. When a worker stops is judged below.
    // S11 does not count what was sent before a coordinator died: its drivers tell of the loss at once, and nobody calls
    // back a request that is under way. That it sends nothing afterwards is checked below.
    let is_dead = cancel.task == "coordinator";
    let kept = |name: &str| (name.starts_with('S') && !(is_dead && name == "S11")) || ["V1", "V7"].contains(&name);
    let mut wrong: Vec<String> =
        audit(run, stuck).iter().filter(|found| kept(found.invariant)).map(ToString::to_string).collect();
    let checks = [unread(&run), stopped(entries, cancel), owned_in_the_end(&run, cancel), renewed_for_ever(entries, cancel)];
    wrong.extend(checks.into_iter().flatten());
    wrong
}

/// A lease must not stay renewed by a worker that does not read the shard.
fn unread(run: &Run<'_>) -> Option<String> {
    let end = run.stage(Stage::Shutdown);
    let now = run.entries.get(end)?.at;
    let workers = run.core(end);
    let reads = |node: NodeId, key: &LeaseKey| {
        let recent = run.entries[..end].iter().rev().take_while(|entry| now - entry.at < READ_WITHIN);
        recent
            .filter(|entry| matches!(&entry.event, Event::Read(reader, shard, ..) if *reader == node && key.shard_id() == *shard))
            .count()
    };
    let table = run.table(end);
    let mut unfinished = table.values().filter(|row| !row.checkpoint.is_shard_end());
    let unread = unfinished.find(|row| {
        let node = row.owner.as_ref().and_then(|owner| workers.get(owner.as_str()));
        node.is_none_or(|node| reads(*node, &row.key) == 0)
    });
    unread.map(|row| format!("{} belongs to {:?}, and nobody reads it", row.key, row.owner))
}

/// Every worker says how it ended, and only without a vital task with an error or by itself.
fn stopped(entries: &[Entry], cancel: &Cancel) -> Option<String> {
    let may_fail = |node: NodeId| node == VICTIM && VITAL.contains(&cancel.task.as_str());
    let started = entries.iter().filter_map(|entry| if let Event::Started(node, _) = entry.event { Some(node) } else { None });
    started.filter(|node| !(*node == VICTIM && cancel.task == "main")).find_map(|node| {
        let of_node = |event: &Event| matches!(event, Event::Stopped(stopped, _) if *stopped == node);
        let Some(at) = entries.iter().position(|entry| of_node(&entry.event)) else {
            return Some(format!("{node:?} never stops"));
        };
        let was_asked = entries[..at].iter().any(|entry| entry.event == Event::AskedToStop(node));
        match &entries[at].event {
            Event::Stopped(_, Err(error)) if !may_fail(node) => Some(format!("{node:?} stops with an error: {error}")),
            _ if !was_asked && !may_fail(node) => Some(format!("{node:?} stops by itself")),
            _ => None,
        }
    })
}

/// A shutdown releases everything; only what a dead coordinator had is left to expire.
fn owned_in_the_end(run: &Run<'_>, cancel: &Cancel) -> Option<String> {
    let table = run.table(run.entries.len());
    let left =
        table.values().find(|row| row.owner.as_ref().is_some_and(|owner| cancel.task != "coordinator" || owner.as_str() != "w1"));
    left.map(|row| format!("{} still belongs to {:?} in the end", row.key, row.owner))
}

/// Nothing is written any more by a worker that is gone.
fn renewed_for_ever(entries: &[Entry], cancel: &Cancel) -> Option<String> {
    let grace = if cancel.task == "coordinator" { Duration::ZERO } else { STOPPED_AFTER };
    let is_end = |event: &Event| matches!(event, Event::Killed(VICTIM) | Event::Stopped(VICTIM, _));
    let end = entries.iter().find(|entry| is_end(&entry.event)).map(|entry| entry.at + grace);
    let audit = entries.iter().find(|entry| entry.event == Event::Enter(Stage::Audit)).map(|entry| entry.at);
    let late = |entry: &&Entry| match &entry.event {
        Event::Write(write) => {
            audit.is_some_and(|audit| write.sent > audit) || (write.node == VICTIM && end.is_some_and(|end| write.sent > end))
        }
        _ => false,
    };
    entries.iter().find(late).map(|entry| format!("written after the end: {entry}"))
}
