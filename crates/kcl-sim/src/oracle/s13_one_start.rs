//! S13: where reading starts at LATEST, the shards that are open then start together: one that started later would miss what
//! arrived in between. Only what keeps a worker from creating all rows at once excuses it; a bad listing does not.

use std::collections::BTreeMap;
use std::time::Duration;

use kcl_core::{Checkpoint, ShardId};

use super::shelf::wall;
use super::{Finding, Run};
use crate::trace::Event;
use crate::world::Api;

/// Workers that start together may each create some of the rows.
const TOGETHER: Duration = Duration::from_secs(1);

pub(super) fn check(run: Run<'_>) -> Result<(), Finding> {
    let mut opened: BTreeMap<&ShardId, Duration> = BTreeMap::new();
    let mut first = None;
    for (index, entry) in run.entries.iter().enumerate() {
        match &entry.event {
            Event::Reshard(_, new) => opened.extend(new.iter().map(|shard| (&shard.id, entry.at))),
            Event::Fault(_, api, ..) if *api != Api::List => return Ok(()),
            Event::Nemesis(_) | Event::Killed(_) => return Ok(()),
            Event::Write(write) if write.applied && write.before.is_none() => {
                let Some(row) = write.after.as_ref().filter(|row| row.checkpoint == Checkpoint::Latest) else { continue };
                let Some(since) = row.latest_since else { continue };
                let first = *first.get_or_insert(since);
                let was_open = opened.get(&row.key.shard_id()).is_some_and(|at| wall(*at) <= first);
                let late = since.unix_millis() - first.unix_millis();
                if was_open && u128::try_from(late).is_ok_and(|late| late > TOGETHER.as_millis()) {
                    return Err((index, format!("{} starts {late} ms after others that were open with it", row.key)));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use kcl_core::{ErrorKind, Lease, LeaseWrite};

    use super::super::timed_log::{Log, log, node, shard};
    use super::*;
    use crate::trace::Applied;
    use crate::world::Fate;

    fn start(log: Log, name: &str, at: u64) -> Log {
        let mut row = Lease::new(name.into(), Checkpoint::Latest);
        row.latest_since = Some(wall(Duration::from_millis(at)));
        let (write, sent) = (LeaseWrite::create(row.clone()), Duration::from_millis(at));
        log.at(at).add(Event::Write(Applied { node: node(1), sent, write, before: None, after: Some(row), applied: true }))
    }

    fn opened() -> Log {
        log().workers(1).add(Event::Reshard(Vec::new(), vec![shard("a", &[]), shard("b", &[])]))
    }

    #[test]
    fn open_shards_start_together() {
        start(start(opened(), "a", 100), "b", 900).says(check, "");
        start(start(opened(), "a", 100), "b", 5_000).says(check, "b starts 4900 ms after others");
        let fault = |api| Event::Fault(node(1), api, 1, Fate::Fail(ErrorKind::Unavailable));
        start(start(opened(), "a", 100).add(fault(Api::List)), "b", 5_000).says(check, "b starts 4900 ms after others");
        start(start(opened(), "a", 100).add(fault(Api::Scan)), "b", 5_000).says(check, "");
        let split = Event::Reshard(vec!["a".into()], vec![shard("c", &["a"])]);
        start(start(opened(), "a", 100).at(3_000).add(split), "c", 5_000).says(check, "");
    }
}
