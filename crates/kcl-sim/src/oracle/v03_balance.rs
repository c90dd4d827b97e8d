//! V3: once trouble is over and no row comes or goes or is finished, live workers own the same number of leases within Y,
//! give or take one, and it stays so. The leases of finished shards are not moved for that: who has more of them may have
//! more in all, and who has fewer need not make up for it with others. So nobody has two more leases than another and also
//! two more that are not finished.

use std::collections::BTreeMap;
use std::time::Duration;

use kcl_core::{Lease, LeaseKey, Verb};

use super::view::apply;
use super::{Finding, Run};
use crate::trace::{Entry, Event, Stage};

pub(super) fn check(run: Run<'_>) -> Result<(), Finding> {
    let (Some(calm), end) = (run.calm(), run.stage(Stage::Shutdown)) else { return Ok(()) };
    let workers = run.survivors();
    let mut rows = BTreeMap::new();
    let mut steady = calm.max(run.unafraid());
    let (is_mixed, mut written) = (!run.options.java.is_empty(), BTreeMap::new());
    let mut uneven: Option<BTreeMap<String, Owned>> = None;
    for (index, entry) in run.entries.iter().enumerate().take(end + 1) {
        // What was uneven until now.
        if let Some(counts) = uneven.as_ref().filter(|_| entry.at > steady + y(&run, rows.len())) {
            return Err((index, format!("leases by worker: {counts:?}, Y after the last row came or went")));
        }
        let before = (rows.len(), finished(&rows));
        apply(&mut rows, &entry.event);
        let changed = (rows.len(), finished(&rows)) != before || matches!(entry.event, Event::Stopped(..) | Event::Edited(..));
        // A Java worker gives a lease up by silence, as when a merge waits for its other parent: nobody counts it until it is taken.
        let changed = changed || is_mixed && given_up(&run, &mut written, entry);
        if changed {
            steady = steady.max(entry.at);
        }
        if changed || matches!(&entry.event, Event::Write(write) if write.applied) {
            let counts = counts(rows.values(), workers.keys());
            let pairs = counts.values().flat_map(|more| counts.values().map(move |less| (more, less)));
            let mut excess = pairs.filter(|(more, less)| more.all > less.all + 1 && more.unfinished > less.unfinished + 1);
            uneven = excess.next().is_some().then_some(counts.clone());
        }
    }
    Ok(())
}

/// X, and one scan for each round of moves, of which there are at most as many as leases. The first of them
/// may come a scan late, and so may those who see what the others did.
fn y(run: &Run<'_>, leases: usize) -> Duration {
    let per_round = u32::try_from(run.options.leases_to_acquire).unwrap_or(u32::MAX).max(1);
    let rounds = u32::try_from(leases).unwrap_or(u32::MAX).div_ceil(per_round);
    // A Java worker steals one lease in a round, up to half of them if it shares them with one other.
    let java = run.take_every() * (u32::try_from(leases).unwrap_or(u32::MAX).div_ceil(2) + 1);
    run.x() + run.scan() * (rounds + 2) + if run.options.java.is_empty() { Duration::ZERO } else { java }
}

/// Whether a lease is taken that had not been written for about a failover time.
fn given_up(run: &Run<'_>, written: &mut BTreeMap<LeaseKey, Duration>, entry: &Entry) -> bool {
    let Event::Write(write) = &entry.event else { return false };
    if !write.applied {
        return false;
    }
    let before = written.insert(write.write.key().clone(), entry.at);
    let expired = run.options.failover.mul_f64(1.0 - 2.0 * f64::from(run.options.rate_ppm) / 1e6);
    write.write.verb() == Verb::Take && before.is_some_and(|before| entry.at - before >= expired)
}

/// How many leases a worker owns.
#[derive(Clone, Copy, Debug, Default)]
struct Owned {
    all: usize,
    unfinished: usize,
}

fn finished(rows: &BTreeMap<LeaseKey, Lease>) -> usize {
    rows.values().filter(|row| row.checkpoint.is_shard_end()).count()
}

fn counts<'a>(rows: impl Iterator<Item = &'a Lease>, workers: impl Iterator<Item = &'a String>) -> BTreeMap<String, Owned> {
    let mut counts: BTreeMap<String, Owned> = workers.map(|worker| (worker.clone(), Owned::default())).collect();
    for row in rows {
        if let Some(owned) = row.owner.as_ref().and_then(|owner| counts.get_mut(owner.as_str())) {
            owned.all += 1;
            owned.unfinished += usize::from(!row.checkpoint.is_shard_end());
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::super::timed_log::{Log, log};
    use super::*;

    /// Trouble is over after 12 s; Y is X (16.7 s) and 4 scans of 4.5 s for two leases: until 46.7 s.
    fn uneven() -> Log {
        log().workers(2).create("a").create("b").enter(Stage::Heal).take(1, "a").take(1, "b")
    }

    #[test]
    fn two_leases_of_one_worker_are_shared_within_y() {
        uneven().at(46_600).take(2, "b").at(90_000).enter(Stage::Shutdown).says(check, "");
        uneven().at(46_800).take(2, "b").at(90_000).enter(Stage::Shutdown).says(check, "leases by worker");
        uneven().at(90_000).enter(Stage::Shutdown).says(check, "leases by worker");
    }

    #[test]
    fn a_new_row_gives_new_time() {
        // Y is 39.2 s for three leases.
        let more = || uneven().at(40_000).create("c");
        more().at(79_000).take(2, "b").at(90_000).enter(Stage::Shutdown).says(check, "");
        more().at(79_400).take(2, "b").at(90_000).enter(Stage::Shutdown).says(check, "leases by worker");
    }

    #[test]
    fn what_is_finished_stays_where_it_is() {
        // Two of one worker's leases are finished at 13 s: Y is over after 52.2 s for four leases, and 47.7 s for three.
        let three = || log().workers(2).create("a").create("b").create("c").enter(Stage::Heal);
        let ended = |log: Log| log.take(1, "a").take(1, "b").take(1, "c").at(13_000).end(1, "a").end(1, "b");
        ended(three()).at(90_000).enter(Stage::Shutdown).says(check, "");
        let more = |other| ended(three().create("d")).take(other, "d").at(90_000).enter(Stage::Shutdown);
        more(1).says(check, "leases by worker");
        more(2).says(check, "");
    }
}
