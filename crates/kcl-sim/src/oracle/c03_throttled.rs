//! C3: while the store throttles every call, it is called at most three times as often as ever, by kind of call; in the
//! failover time after that at most five times as often.

use std::collections::BTreeSet;
use std::time::Duration;

use kcl_core::Verb;

use super::{Finding, Run};
use crate::exec::NodeId;
use crate::scenario::Action;
use crate::trace::{Event, Stage};
use crate::world::Api;

/// Shorter times say nothing: the first tries come close together.
const LEAST: Duration = Duration::from_secs(20);

/// Kinds of call that are counted together: each is made for a row, or by a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Write,
    Get,
    Scan,
}

impl Kind {
    const fn of(api: Api) -> Option<Self> {
        match api {
            // Applications checkpoint what they work off: as often as they like.
            Api::Write(Verb::Checkpoint) => None,
            Api::Write(_) => Some(Self::Write),
            Api::Get => Some(Self::Get),
            Api::Scan => Some(Self::Scan),
            _ => None,
        }
    }
}

pub(super) fn check(run: Run<'_>) -> Result<(), Finding> {
    let heal = run.stage(Stage::Heal);
    let heal_at = run.entries.get(heal).map_or(Duration::MAX, |entry| entry.at);
    for (index, entry) in run.entries.iter().enumerate().take(heal) {
        let Event::Nemesis(Action::ThrottleStore(time)) = entry.event else { continue };
        let end = (entry.at + time).min(heal_at);
        if end - entry.at < LEAST {
            continue;
        }
        within(&run, index, (entry.at, end), 3.0)?;
        within(&run, index, (end, end + run.options.failover), 5.0)?;
    }
    Ok(())
}

/// Whether there were too many calls in this time.
fn within(run: &Run<'_>, index: usize, (from, to): (Duration, Duration), times: f64) -> Result<(), Finding> {
    let begins = run.entries.partition_point(|entry| entry.at < from);
    let ends = run.entries.partition_point(|entry| entry.at < to);
    let mut rows = run.table(begins);
    let mut keys: BTreeSet<_> = rows.keys().cloned().collect();
    let mut workers: BTreeSet<NodeId> = BTreeSet::new();
    // Who was cut off or stood still does not know yet that others have its leases, and asks for them as they do.
    let mut believed: BTreeSet<_> = BTreeSet::new();
    let mut counts = [(Kind::Write, 0_u32), (Kind::Get, 0), (Kind::Scan, 0)];
    for entry in &run.entries[begins..ends] {
        super::view::apply(&mut rows, &entry.event);
        match &entry.event {
            Event::Told(node, Verb::Renew, key, _) => drop(believed.insert((*node, key.clone()))),
            Event::Write(write) => drop(keys.insert(write.write.key().clone())),
            // One that nobody could create yet is a row, too.
            Event::Told(_, Verb::Create, key, _) => drop(keys.insert(key.clone())),
            Event::Called(node, api) => {
                workers.insert(*node);
                let kind = Kind::of(*api);
                counts.iter_mut().filter(|(counted, _)| Some(*counted) == kind).for_each(|(_, count)| *count += 1);
            }
            _ => {}
        }
    }
    let often = |interval: Duration| (to - from).as_secs_f64() / interval.as_secs_f64() + 1.0;
    #[allow(clippy::cast_precision_loss, reason = "counts of rows and workers")]
    let (per_row, per_worker) =
        (keys.len().max(believed.len()).max(1) as f64 * often(run.renew()), workers.len().max(1) as f64 * often(run.scan()));
    for (kind, count) in counts {
        #[allow(clippy::cast_precision_loss, reason = "a count of workers")]
        let steady = match kind {
            Kind::Write => per_row,
            // Every worker tries one row now and then, also where there are fewer rows than workers.
            Kind::Get => per_row.max(workers.len() as f64 * often(run.renew())),
            Kind::Scan => per_worker,
        };
        if f64::from(count) > steady * times {
            let what =
                format!("{count} calls ({kind:?}) from {from:?} to {to:?} around a throttled store; {steady:.0} are usual");
            return Err((index, what));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::timed_log::{Log, log, node};
    use super::*;
    use kcl_core::ErrorKind;

    fn begun() -> Log {
        log().workers(1).create("a").at(1_000).add(Event::Nemesis(Action::ThrottleStore(Duration::from_secs(30))))
    }

    fn called(log: Log, api: Api, times: usize) -> Log {
        (0..times).fold(log, |log, _| log.add(Event::Called(node(1), api))).at(60_000).enter(Stage::Heal)
    }

    /// One row; usual are 11 writes and 7.7 scans in 30 s.
    fn throttled(api: Api, times: usize, at: u64) -> Log {
        called(begun().at(at), api, times)
    }

    #[test]
    fn a_throttled_store_is_left_in_peace() {
        let renew = Api::Write(Verb::Renew);
        throttled(renew, 33, 10_000).says(check, "");
        throttled(renew, 34, 10_000).says(check, "34 calls (Write)");
        throttled(Api::Scan, 24, 10_000).says(check, "24 calls (Scan)");
        throttled(renew, 20, 32_000).says(check, "");
        throttled(renew, 21, 32_000).says(check, "21 calls (Write)");
        let told = |number| Event::Told(node(number), Verb::Renew, "a".into(), crate::trace::Told::Failed(ErrorKind::Throttled));
        let asked = |first, second| called(begun().at(10_000).add(told(first)).add(told(second)), renew, 66);
        asked(1, 2).says(check, "");
        asked(1, 1).says(check, "66 calls (Write)");
    }
}
