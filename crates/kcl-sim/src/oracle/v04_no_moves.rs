//! V4: once trouble is over no lease is taken twice from live owners in one rebalancing; in the quiet time no lease is
//! taken and no tenure begins or is lost. The lease of a finished shard is never taken from a live owner.
//!
//! A lease that was written within the failover time has a live owner. That a process of that name is alive is not
//! enough: another one of the name may have held it, and have died.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kcl_core::{Lease, LeaseKey, Verb};

use super::view::apply;
use super::{Finding, Run};
use crate::trace::{Applied, Call, Event, Stage};

pub(super) fn check(run: Run<'_>) -> Result<(), Finding> {
    let live = live_takes(&run);
    finished_stay(&run, &live)?;
    moved_once(&run, &live)?;
    let (quiet, end) = (run.stage(Stage::Quiet), run.stage(Stage::Shutdown));
    for (index, entry) in run.entries.iter().enumerate().take(end).skip(quiet) {
        let moved = match &entry.event {
            Event::Write(write) => {
                matches!(write.write.verb(), Verb::Take | Verb::Release | Verb::Request | Verb::Transfer)
            }
            Event::Begin(_, call) => matches!(call, Call::Initialize(_) | Call::LeaseLost),
            _ => false,
        };
        if moved {
            return Err((index, format!("in the quiet time: {entry}")));
        }
    }
    Ok(())
}

/// The takes from another worker of a lease that was written so lately that it cannot have expired by any clock.
fn live_takes(run: &Run<'_>) -> BTreeSet<usize> {
    let recent = run.options.failover.mul_f64(1.0 - 2.0 * f64::from(run.options.rate_ppm) / 1e6);
    let mut written: BTreeMap<&LeaseKey, Duration> = BTreeMap::new();
    let mut takes = BTreeSet::new();
    for (index, write) in run.writes() {
        let Some(at) = run.entries.get(index).map(|entry| entry.at) else { continue };
        let counter = |row: &Option<Lease>| row.as_ref().map(|row| row.counter);
        if counter(&write.before) == counter(&write.after) {
            // Whoever says what hashes a shard has, or asks for its lease, may be dead, or somebody else.
            continue;
        }
        let before = written.insert(write.write.key(), at);
        let owner = |row: &Option<Lease>| row.as_ref().and_then(|row| row.owner.clone());
        let from_other = owner(&write.before).is_some_and(|owner_before| Some(owner_before) != owner(&write.after));
        if matches!(write.write.verb(), Verb::Take | Verb::Transfer)
            && from_other
            && before.is_some_and(|before| at - before < recent)
        {
            takes.insert(index);
        }
    }
    takes
}

fn finished_stay(run: &Run<'_>, live: &BTreeSet<usize>) -> Result<(), Finding> {
    let is_finished = |write: &Applied| write.before.as_ref().is_some_and(|row| row.checkpoint.is_shard_end());
    // A Java worker steals any lease of whoever has most.
    let java = run.java();
    let moved = |index: &usize, write: &Applied| live.contains(index) && is_finished(write) && !java.contains_key(&write.node);
    match run.writes().find(|(index, write)| moved(index, write)) {
        Some((index, _)) => Err((index, "the lease of a finished shard was taken from a live owner".to_owned())),
        None => Ok(()),
    }
}

/// A rebalancing goes on until a worker, a row or an ownerless lease comes or goes, or a shard is finished: that changes what
/// is even. A worker comes when it owns, or asks for,
/// its first lease: before that nobody sees it.
fn moved_once(run: &Run<'_>, live: &BTreeSet<usize>) -> Result<(), Finding> {
    let (Some(calm), quiet) = (run.calm(), run.stage(Stage::Quiet)) else { return Ok(()) };
    let calm = calm.max(run.unafraid());
    let (survivors, java) = (run.survivors(), run.java());
    let mut moved = BTreeSet::new();
    let mut rows = BTreeMap::new();
    for (index, entry) in run.entries.iter().enumerate().take(quiet) {
        let comes = comes(&rows, &entry.event);
        apply(&mut rows, &entry.event);
        if entry.at <= calm {
            continue;
        }
        if comes {
            moved.clear();
        }
        match &entry.event {
            Event::Write(write) if write.applied => {
                let (before, verb) = (write.before.as_ref().and_then(|row| row.owner.as_ref()), write.write.verb());
                if verb == Verb::Take && ends_a_transfer(write) {
                    continue;
                }
                if verb == Verb::Take && java.contains_key(&write.node) {
                    // It steals at random, and what is even changes.
                    moved.clear();
                    continue;
                }
                let stolen = live.contains(&index) && before.is_some_and(|owner| survivors.contains_key(owner.as_str()));
                if stolen && !moved.insert(write.write.key()) {
                    return Err((index, format!("moved twice in one rebalancing: {entry}")));
                }
                if (verb == Verb::Take && !stolen) || changes_rows(write) {
                    moved.clear();
                }
            }
            Event::Stopped(..) => moved.clear(),
            _ => {}
        }
    }
    Ok(())
}

/// Whether a worker gets, or asks for, its first lease.
fn comes(rows: &BTreeMap<LeaseKey, Lease>, event: &Event) -> bool {
    let Event::Write(Applied { applied: true, write, after: Some(after), .. }) = event else { return false };
    let heir = matches!(write.verb(), Verb::Request | Verb::Take).then(|| after.heir()).flatten();
    heir.is_some_and(|heir| rows.values().all(|row| row.heir() != Some(heir) && !row.is_owned_by(heir)))
}

/// Whether a take is the second half of a move that the former owner began.
fn ends_a_transfer(take: &Applied) -> bool {
    let owner = take.after.as_ref().and_then(|row| row.owner.as_ref());
    take.before.as_ref().zip(owner).is_some_and(|(row, owner)| row.is_transferred_to(owner))
}

/// Whether a row came or went, lost its owner, or is that of a shard that is finished now.
fn changes_rows(write: &Applied) -> bool {
    let (Some(before), Some(after)) = (&write.before, &write.after) else { return true };
    let finished = !before.checkpoint.is_shard_end() && after.checkpoint.is_shard_end();
    finished || matches!(write.write.verb(), Verb::Release)
}

#[cfg(test)]
mod tests {
    use kcl_core::LeaseWrite;

    use super::super::timed_log::{Log, log};
    use super::*;

    /// Three workers, each with a lease that it keeps, and one lease of the first that moves.
    fn calm() -> Log {
        let rows = ["a", "k", "l", "m"].into_iter().fold(log().workers(3), Log::create);
        rows.take(1, "a").take(1, "k").take(2, "l").take(3, "m").enter(Stage::Heal)
    }

    fn moved() -> Log {
        calm().at(19_000).renew(1, "a", 0).at(20_000).take(2, "a").at(21_000)
    }

    #[test]
    fn a_lease_moves_once_between_live_workers() {
        moved().enter(Stage::Quiet).says(check, "");
        moved().take(3, "a").enter(Stage::Quiet).says(check, "moved twice in one rebalancing");
        moved().create("b").take(3, "a").enter(Stage::Quiet).says(check, "");
        moved().end(1, "k").take(3, "a").enter(Stage::Quiet).says(check, "");
        let asked = moved().request(3, "a").at(22_000).transfer(2, "a", 0).take(3, "a");
        asked.enter(Stage::Quiet).says(check, "moved twice in one rebalancing");
    }

    #[test]
    fn a_worker_that_nobody_could_see_begins_another_rebalancing() {
        let seen = moved().add(Event::Started(crate::exec::NodeId(4), "w4".into()));
        seen.request(4, "a").at(22_000).transfer(2, "a", 0).take(4, "a").enter(Stage::Quiet).says(check, "");
    }

    /// The failover time is 9 s.
    #[test]
    fn a_finished_lease_does_not_move() {
        let ended = |then| log().workers(3).create("a").take(1, "a").end(1, "a").enter(Stage::Heal).at(then).take(2, "a");
        ended(8_900).enter(Stage::Quiet).says(check, "finished shard was taken from a live owner");
        ended(9_000).enter(Stage::Quiet).says(check, "");
        let described = LeaseWrite::describe_children(&"a".into(), vec!["b".into()]);
        let log = log().workers(3).create("a").take(1, "a").end(1, "a").enter(Stage::Heal).at(5_000).write(1, 0, described);
        log.at(9_000).take(2, "a").enter(Stage::Quiet).says(check, "");
    }

    #[test]
    fn a_lease_that_expired_has_not_moved() {
        let expired = || calm().at(20_000).take(2, "a");
        expired().at(21_000).take(3, "a").enter(Stage::Quiet).says(check, "");
        expired().at(21_000).take(3, "a").take(1, "a").enter(Stage::Quiet).says(check, "moved twice in one rebalancing");
    }

    #[test]
    fn nothing_moves_in_the_quiet_time() {
        moved().enter(Stage::Quiet).renew(2, "a", 0).says(check, "");
        moved().enter(Stage::Quiet).take(3, "a").says(check, "in the quiet time");
    }
}
