//! V8: in the quiet time exactly one worker that is well lists the shards in each term, and at least once per T_sync + X.
//! One that cannot reach the table knows nothing of the others.
//!
//! A term lasts as long as the same workers own leases: who leads follows from who they are. So the lead may pass on when
//! the last lease of a worker is deleted, that of a finished shard. In the first moments of a term, until everybody
//! has scanned the table, who led before may not know.

use std::collections::BTreeSet;
use std::time::Duration;

use kcl_core::{WorkerId, elect_leader};

use super::bounds::LATENCY;
use super::view::apply;
use super::{Finding, Run};
use crate::exec::NodeId;
use crate::trace::{Event, Stage};
use crate::world::Api;

/// A time in which the same workers own leases.
struct Term {
    since: Duration,
    /// Who has listed the shards in it.
    leader: Option<NodeId>,
    /// Who led before.
    before: Option<NodeId>,
}

impl Term {
    /// This worker lists the shards; whether it may. Who led the term before is excused for some time.
    fn lists(&mut self, at: Duration, node: NodeId, excused: Duration) -> bool {
        let knows = self.before != Some(node) || at > self.since + excused;
        if knows && self.leader.is_none() {
            self.leader = Some(node);
        }
        !knows || self.leader == Some(node)
    }
}

pub(super) fn check(run: Run<'_>) -> Result<(), Finding> {
    let (quiet, end) = (run.stage(Stage::Quiet), run.stage(Stage::Shutdown));
    let (Some(from), Some(to)) = (run.entries.get(quiet), run.entries.get(end)) else { return Ok(()) };
    let core = run.core(quiet);
    let mut rows = run.table(quiet);
    let owners = |rows: &std::collections::BTreeMap<_, kcl_core::Lease>| -> BTreeSet<_> {
        rows.values().filter_map(|row| row.owner.clone()).collect()
    };
    let mut before = owners(&rows);
    let mut term = Term { since: from.at, leader: None, before: None };
    let mut heard = from.at;
    let excused = run.slack(run.scan()) + LATENCY * 4;
    let most = run.slack(run.sync()) + run.own_x();
    let java = run.java_names();
    // The audit of a Java worker looks at the leases, and lists the shards only when it saw the same hole three times.
    let led_by_java = |owners: &BTreeSet<WorkerId>| elect_leader(owners).is_some_and(|leader| java.contains(leader.as_str()));
    for (index, entry) in run.entries.iter().enumerate().take(end + 1).skip(quiet) {
        if led_by_java(&before) {
            heard = entry.at;
        }
        if entry.at > heard + most {
            return Err((index, format!("nobody listed the shards for {:?}", to.at.min(entry.at) - heard)));
        }
        match &entry.event {
            Event::Called(node, Api::List) if core.values().any(|well| well == node) => {
                heard = entry.at;
                if !term.lists(entry.at, *node, excused) {
                    return Err((index, format!("{node:?} lists the shards in the term of {:?}", term.leader)));
                }
            }
            Event::Write(write) if write.applied => {
                apply(&mut rows, &entry.event);
                let now = owners(&rows);
                if now != before {
                    // Whoever leads now lists within the time that everybody has.
                    (before, heard) = (now, entry.at);
                    term = Term { since: entry.at, leader: None, before: term.leader.or(term.before) };
                }
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::timed_log::{Log, log, node};
    use super::*;

    fn quiet() -> Log {
        let both = log().workers(2).create("a").create("b").take(1, "a").take(2, "b").end(1, "a");
        both.enter(Stage::Heal).enter(Stage::Quiet)
    }

    /// T_sync + X is 26.7 s.
    fn listed(log: Log, times: &[(u64, usize)]) -> Log {
        times.iter().fold(log, |log, (at, number)| log.at(*at).add(Event::Called(node(*number), Api::List)))
    }

    fn over(log: Log) -> Log {
        log.at(60_000).enter(Stage::Shutdown)
    }

    #[test]
    fn one_worker_lists_the_shards_again_and_again() {
        over(listed(quiet(), &[(10_000, 1), (36_000, 1)])).says(check, "");
        over(listed(quiet(), &[(10_000, 1), (36_000, 2)])).says(check, "in the term of Some(n1)");
        over(listed(quiet(), &[(10_000, 1), (37_000, 1)])).says(check, "nobody listed the shards for 27s");
        over(listed(quiet(), &[])).says(check, "nobody listed the shards for 60s");
    }

    /// The first worker's only row is deleted 30 s after the start. A scan is 4.5 s.
    #[test]
    fn the_lead_passes_on_with_the_last_lease() {
        let gone = |before: &[(u64, usize)]| listed(quiet(), before).at(30_000).delete(1, "a");
        over(listed(gone(&[(20_000, 1)]), &[(35_000, 2), (50_000, 2)])).says(check, "");
        over(listed(gone(&[(20_000, 1)]), &[(31_000, 2), (33_000, 1), (50_000, 2)])).says(check, "");
        over(listed(gone(&[(20_000, 1)]), &[(31_000, 2), (36_000, 1)]))
            .says(check, "n1 lists the shards in the term of Some(n2)");
        over(listed(gone(&[(20_000, 1)]), &[(36_000, 1), (50_000, 2)]))
            .says(check, "n2 lists the shards in the term of Some(n1)");
        over(listed(gone(&[(20_000, 1), (25_000, 2)]), &[(50_000, 2)]))
            .says(check, "n2 lists the shards in the term of Some(n1)");
        over(listed(gone(&[(20_000, 1)]), &[(57_000, 2)])).says(check, "nobody listed the shards for 27s");
    }
}
