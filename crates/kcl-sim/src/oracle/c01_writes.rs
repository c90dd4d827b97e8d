//! C1: in the quiet time each row costs one write per T_renew, besides checkpoints and clean-up; each worker scans once per
//! T_scan, shortened by up to a tenth at random.

use std::collections::{BTreeMap, BTreeSet};

use kcl_core::Verb;

use super::view::apply;
use super::{Finding, Run};
use crate::exec::NodeId;
use crate::trace::{Event, Stage};
use crate::world::Api;

pub(super) fn check(run: Run<'_>) -> Result<(), Finding> {
    let (quiet, end) = (run.stage(Stage::Quiet), run.stage(Stage::Shutdown));
    let (Some(from), Some(to)) = (run.entries.get(quiet), run.entries.get(end)) else { return Ok(()) };
    let time = to.at - from.at;
    let mut rows = run.table(quiet);
    let mut most_rows = rows.len();
    let (mut renewals, mut scans): (u32, BTreeMap<NodeId, u32>) = (0, BTreeMap::new());
    // What a worker sends that is cut off for ever does not arrive.
    let survivors: BTreeSet<NodeId> = run.survivors().into_values().collect();
    for entry in run.entries.iter().take(end).skip(quiet) {
        apply(&mut rows, &entry.event);
        most_rows = most_rows.max(rows.len());
        match &entry.event {
            // Each of the other verbs is asked for by something that happens, and V4 says what may not.
            Event::Called(node, Api::Write(verb))
                if survivors.contains(node)
                    && !matches!(verb, Verb::Checkpoint | Verb::Create | Verb::Describe | Verb::Delete) =>
            {
                renewals += 1;
            }
            Event::Called(node, Api::Scan) => *scans.entry(*node).or_default() += 1,
            _ => {}
        }
    }
    let fastest = survivors.iter().map(|node| run.times(*node, run.renew(), time)).fold(0.0, f64::max);
    #[allow(clippy::cast_precision_loss, reason = "a count of rows")]
    let most = fastest * most_rows as f64 * 1.01;
    if f64::from(renewals) > most {
        return Err((end, format!("{renewals} lease writes for {most_rows} rows in {time:?}, at most {most:.0} are expected")));
    }
    let busy = scans.into_iter().find(|(node, scans)| f64::from(*scans) > run.jittered_times(*node, run.scan(), time));
    busy.map_or(Ok(()), |(node, scans)| Err((end, format!("{node:?} scanned {scans} times in {time:?}"))))
}

#[cfg(test)]
mod tests {
    use super::super::timed_log::{Log, log, node};
    use super::*;

    /// So many calls in a minute, in which one row is renewed 21 times at most, and the table is read 15 times.
    fn called(api: Api, times: usize) -> Log {
        let quiet = log().workers(1).create("a").enter(Stage::Heal).enter(Stage::Quiet).at(1_000);
        (0..times).fold(quiet, |log, _| log.add(Event::Called(node(1), api))).at(60_000).enter(Stage::Shutdown)
    }

    #[test]
    fn a_row_is_written_and_the_table_read_as_often_as_published() {
        called(Api::Write(Verb::Renew), 21).says(check, "");
        called(Api::Write(Verb::Renew), 22).says(check, "22 lease writes for 1 rows");
        called(Api::Scan, 15).says(check, "");
        called(Api::Scan, 16).says(check, "scanned 16 times");
        called(Api::Write(Verb::Checkpoint), 100).says(check, "");
    }
}
