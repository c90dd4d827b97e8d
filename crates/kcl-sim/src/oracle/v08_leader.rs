//! V8: in the quiet time exactly one worker that is well lists the shards, and at least once per T_sync + X. One that cannot
//! reach the table knows nothing of the others.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Finding, Run};
use crate::exec::NodeId;
use crate::trace::{Event, Stage};
use crate::world::Api;

pub(super) fn check(run: Run<'_>) -> Result<(), Finding> {
    let (quiet, end) = (run.stage(Stage::Quiet), run.stage(Stage::Shutdown));
    let (Some(from), Some(to)) = (run.entries.get(quiet), run.entries.get(end)) else { return Ok(()) };
    let core = run.core(quiet);
    let mut last: BTreeMap<NodeId, Duration> = BTreeMap::new();
    let mut before = from.at;
    let most = run.slack(run.sync()) + run.x();
    for (index, entry) in run.entries.iter().enumerate().take(end + 1).skip(quiet) {
        if entry.at > before + most {
            return Err((index, format!("nobody listed the shards for {:?}", to.at.min(entry.at) - before)));
        }
        if let Event::Called(node, Api::List) = &entry.event
            && core.values().any(|well| well == node)
        {
            before = entry.at;
            last.insert(*node, entry.at);
            if last.len() > 1 {
                return Err((index, format!("several list the shards: {last:?}")));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::timed_log::{Log, log, node};
    use super::*;

    /// T_sync + X is 26.7 s.
    fn listed(times: &[(u64, usize)]) -> Log {
        let quiet = log().workers(2).enter(Stage::Heal).enter(Stage::Quiet);
        let list = |log: Log, (at, number): &(u64, usize)| log.at(*at).add(Event::Called(node(*number), Api::List));
        times.iter().fold(quiet, list).at(60_000).enter(Stage::Shutdown)
    }

    #[test]
    fn one_worker_lists_the_shards_again_and_again() {
        listed(&[(10_000, 1), (36_000, 1)]).says(check, "");
        listed(&[(10_000, 1), (36_000, 2)]).says(check, "several list the shards");
        listed(&[(10_000, 1), (37_000, 1)]).says(check, "nobody listed the shards for 27s");
        listed(&[]).says(check, "nobody listed the shards for 60s");
    }
}
