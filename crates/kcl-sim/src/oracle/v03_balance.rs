//! V3: once trouble is over and no row comes or goes, live workers own the same number of leases within Y, give or take
//! one, and it stays so.

use std::collections::BTreeMap;
use std::time::Duration;

use kcl_core::Lease;

use super::view::apply;
use super::{Finding, Run};
use crate::trace::{Event, Stage};

pub(super) fn check(run: Run<'_>) -> Result<(), Finding> {
    let (Some(calm), end) = (run.calm(), run.stage(Stage::Shutdown)) else { return Ok(()) };
    let workers = run.survivors();
    let mut rows = BTreeMap::new();
    let mut steady = calm.max(run.unafraid());
    let mut uneven: Option<BTreeMap<String, usize>> = None;
    for (index, entry) in run.entries.iter().enumerate().take(end + 1) {
        // What was uneven until now.
        if let Some(counts) = uneven.as_ref().filter(|_| entry.at > steady + y(&run, rows.len())) {
            return Err((index, format!("leases by worker: {counts:?}, Y after the last row came or went")));
        }
        let before = rows.len();
        apply(&mut rows, &entry.event);
        let changed = rows.len() != before || matches!(entry.event, Event::Stopped(..) | Event::Edited(..));
        if changed {
            steady = steady.max(entry.at);
        }
        if changed || matches!(&entry.event, Event::Write(write) if write.applied) {
            let counts = counts(rows.values(), workers.keys());
            let (least, most) = (counts.values().min().copied(), counts.values().max().copied());
            uneven = most.zip(least).is_some_and(|(most, least)| most - least > 1).then_some(counts);
        }
    }
    Ok(())
}

/// X, and one scan for each round of moves, of which there are at most as many as leases. The first of them
/// may come a scan late, and so may those who see what the others did.
fn y(run: &Run<'_>, leases: usize) -> Duration {
    let per_round = u32::try_from(run.options.leases_to_acquire).unwrap_or(u32::MAX).max(1);
    let rounds = u32::try_from(leases).unwrap_or(u32::MAX).div_ceil(per_round);
    run.x() + run.scan() * (rounds + 2)
}

fn counts<'a>(rows: impl Iterator<Item = &'a Lease>, workers: impl Iterator<Item = &'a String>) -> BTreeMap<String, usize> {
    let mut counts: BTreeMap<String, usize> = workers.map(|worker| (worker.clone(), 0)).collect();
    for row in rows {
        if let Some(count) = row.owner.as_ref().and_then(|owner| counts.get_mut(owner.as_str())) {
            *count += 1;
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
}
