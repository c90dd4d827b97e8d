//! V11: an owner that was told that somebody asks for its lease sends no renewal that says so still once the hand-off has
//! taken as long as it may: by then it has given the lease up, or has declined. A worker that stops gives all of them up, and takes
//! the time of a shutdown.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kcl_core::{LeaseKey, Verb, WorkerId};

use super::{Finding, Run};
use crate::exec::NodeId;
use crate::trace::{Event, Told};

/// What the scheduler may be late by, where tasks starve.
const LATE: Duration = Duration::from_secs(1);

#[derive(Default)]
struct Memory {
    /// Who asks, by the last write of each process and lease that was applied.
    shown: BTreeMap<(NodeId, LeaseKey), Option<WorkerId>>,
    /// Who asks, and since when the owner knows.
    known: BTreeMap<(NodeId, LeaseKey), (WorkerId, Duration)>,
}

impl Memory {
    fn told(&mut self, name: (NodeId, LeaseKey), at: Duration) {
        match self.shown.get(&name).cloned().flatten() {
            Some(by) if self.known.get(&name).is_some_and(|(known, _)| *known == by) => {}
            Some(by) => drop(self.known.insert(name, (by, at))),
            None => drop(self.known.remove(&name)),
        }
    }
}

pub(super) fn check(run: Run<'_>) -> Result<(), Finding> {
    let allowed =
        run.options.hand_off + LATE + run.options.hand_off * u32::try_from(run.options.rate_ppm.abs()).unwrap_or(0) / 1_000_000;
    let (mut memory, mut stopping) = (Memory::default(), BTreeSet::new());
    for (index, entry) in run.entries.iter().enumerate() {
        match &entry.event {
            Event::Write(write) if write.applied && !stopping.contains(&write.node) => {
                let name = (write.node, write.write.key().clone());
                let by = write.after.as_ref().and_then(|row| row.requested_by.clone());
                let known =
                    memory.known.get(&name).filter(|(known, _)| write.write.verb() == Verb::Renew && by.as_ref() == Some(known));
                if let Some((by, since)) = known.filter(|(_, since)| write.sent > *since + allowed) {
                    let what =
                        format!("{:?} renews {}, although {by} asks for it since {since:?}, as it was told", name.0, name.1);
                    return Err((index, what));
                }
                memory.shown.insert(name, by);
            }
            Event::Told(node, _, key, Told::Applied) if !stopping.contains(node) => memory.told((*node, key.clone()), entry.at),
            // It said no, and says it again when it sees the request next.
            Event::Told(node, Verb::Withdraw, key, Told::Failed(_)) => drop(memory.known.remove(&(*node, key.clone()))),
            Event::AskedToStop(node) | Event::FleetSeen(node, true) => drop(stopping.insert(*node)),
            // Its clock may have stood still.
            Event::Suspended(node) => memory.known.retain(|(known, _), _| known != node),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::timed_log::{Log, log, node};
    use super::*;

    fn told(log: Log, verb: Verb) -> Log {
        log.add(Event::Told(node(1), verb, "a".into(), Told::Applied))
    }

    /// An owner that is told of a request four seconds after the start.
    fn asked() -> Log {
        let log = told(log().workers(2).create("a").at(1_000).take(1, "a"), Verb::Take);
        told(log.at(2_000).request(2, "a").at(4_000).renew(1, "a", 100), Verb::Renew)
    }

    #[test]
    fn an_owner_that_was_told_gives_the_lease_up_in_time() {
        asked().at(35_500).renew(1, "a", 500).says(check, "");
        asked().at(35_500).renew(1, "a", 499).says(check, "renews a, although w2 asks for it since 4s");
        asked().at(40_000).transfer(1, "a", 0).says(check, "");
        let suspended = asked().at(5_000).add(Event::Suspended(node(1))).at(60_000).renew(1, "a", 0);
        suspended.says(check, "");
        let refused = Event::Told(node(1), Verb::Withdraw, "a".into(), Told::Failed(kcl_core::ErrorKind::Denied));
        asked().at(5_000).add(refused).at(36_000).renew(1, "a", 0).says(check, "");
        asked().at(5_000).add(Event::AskedToStop(node(1))).at(60_000).renew(1, "a", 0).says(check, "");
    }

    #[test]
    fn who_was_not_told_may_renew() {
        let log = log().workers(2).create("a").at(1_000).take(1, "a").at(2_000).request(2, "a").at(4_000).renew(1, "a", 100);
        log.at(60_000).renew(1, "a", 0).says(check, "");
    }
}
