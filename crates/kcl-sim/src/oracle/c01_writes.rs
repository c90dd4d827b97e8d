//! C1: in the quiet time each row costs one write per T_renew, besides checkpoints and clean-up; each worker scans once per
//! T_scan, shortened by up to a tenth at random.

use std::collections::BTreeMap;

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
    for entry in run.entries.iter().take(end).skip(quiet) {
        apply(&mut rows, &entry.event);
        most_rows = most_rows.max(rows.len());
        match &entry.event {
            // Each of the other verbs is asked for by something that happens, and V4 says what may not.
            Event::Called(_, Api::Write(verb)) if !matches!(verb, Verb::Checkpoint | Verb::Create | Verb::Describe | Verb::Delete) => {
                renewals += 1;
            }
            Event::Called(node, Api::Scan) => *scans.entry(*node).or_default() += 1,
            _ => {}
        }
    }
    let fastest = run.survivors().into_values().map(|node| run.times(node, run.renew(), time)).fold(0.0, f64::max);
    #[allow(clippy::cast_precision_loss, reason = "a count of rows")]
    let most = fastest * most_rows as f64 * 1.01;
    if f64::from(renewals) > most {
        return Err((end, format!("{renewals} lease writes for {most_rows} rows in {time:?}, at most {most:.0} are expected")));
    }
    let busy = scans.into_iter().find(|(node, scans)| f64::from(*scans) > run.jittered_times(*node, run.scan(), time));
    busy.map_or(Ok(()), |(node, scans)| Err((end, format!("{node:?} scanned {scans} times in {time:?}"))))
}
