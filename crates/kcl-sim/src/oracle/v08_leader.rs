//! V8: in the quiet time exactly one worker lists the shards, and at least once per T_sync + X.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Finding, Run};
use crate::exec::NodeId;
use crate::trace::{Event, Stage};
use crate::world::Api;

pub(super) fn check(run: Run<'_>) -> Result<(), Finding> {
    let (quiet, end) = (run.stage(Stage::Quiet), run.stage(Stage::Shutdown));
    let (Some(from), Some(to)) = (run.entries.get(quiet), run.entries.get(end)) else { return Ok(()) };
    let mut last: BTreeMap<NodeId, Duration> = BTreeMap::new();
    let mut before = from.at;
    let most = run.slack(run.sync()) + run.x();
    for (index, entry) in run.entries.iter().enumerate().take(end + 1).skip(quiet) {
        if entry.at > before + most {
            return Err((index, format!("nobody listed the shards for {:?}", to.at.min(entry.at) - before)));
        }
        if let Event::Called(node, Api::List) = &entry.event {
            before = entry.at;
            last.insert(*node, entry.at);
            if last.len() > 1 {
                return Err((index, format!("several list the shards: {last:?}")));
            }
        }
    }
    Ok(())
}
