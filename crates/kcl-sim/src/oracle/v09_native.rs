//! V9: no worker takes a lease before it was told that Java workers do not run natively, nor after it was told that they do;
//! then it stops within the time of a shutdown. As long as they run natively every worker asks within the interval.

use std::collections::BTreeMap;
use std::time::Duration;

use kcl_core::Verb;

use super::bounds::LATENCY;
use super::{Finding, Run};
use crate::exec::NodeId;
use crate::scenario::Action;
use crate::trace::{Entry, Event, Stage};
use crate::world::Api;

/// The longest time between two questions: a minute, and half a minute before the first.
const INTERVAL: Duration = Duration::from_secs(90);
/// How long processors are waited for.
const DRAIN: Duration = Duration::from_secs(30);

/// What one process knows and does.
#[derive(Clone, Copy, Debug, Default)]
struct Life {
    running: bool,
    /// What it was told last, and when.
    told: Option<(bool, Duration)>,
    /// Since when it should have asked.
    unasked_since: Option<Duration>,
    /// Paused, suspended, cut off or starved: times are not reckoned.
    troubled: bool,
}

pub(super) fn check(run: Run<'_>) -> Result<(), Finding> {
    let ends = run.slack(DRAIN) + run.options.failover;
    let asks = run.slack(INTERVAL) + LATENCY * 4;
    let mut lives: BTreeMap<NodeId, Life> = BTreeMap::new();
    let mut native = false;
    for (index, Entry { at, event }) in run.entries.iter().enumerate() {
        if native || matches!(event, Event::Native(_)) {
            late(&lives, *at, ends, asks).map_err(|what| (index, what))?;
        }
        match event {
            Event::Native(now) => {
                native = *now;
                lives.values_mut().for_each(|life| life.unasked_since = now.then_some(*at));
            }
            Event::Started(node, _) => drop(lives.insert(*node, Life::default())),
            Event::Killed(node) | Event::Stopped(node, _) | Event::AskedToStop(node) => drop(lives.remove(node)),
            Event::Nemesis(Action::Starve(..) | Action::ThrottleStore(_)) => {
                lives.values_mut().for_each(|life| life.troubled = true);
            }
            // After the audit nobody asks any more.
            Event::Enter(Stage::Shutdown) => return Ok(()),
            event => {
                if let Some((node, life)) = node_of(event).and_then(|node| Some((node, lives.get_mut(&node)?))) {
                    life.see(native, *at, event).map_err(|what| (index, format!("{node:?} {what}")))?;
                }
            }
        }
    }
    Ok(())
}

const fn node_of(event: &Event) -> Option<NodeId> {
    match event {
        Event::Paused(node)
        | Event::Suspended(node)
        | Event::Cut(node)
        | Event::Running(node)
        | Event::Left(node)
        | Event::FleetSeen(node, _)
        | Event::Fault(node, ..)
        | Event::Called(node, Api::Fleet | Api::Write(Verb::Take)) => Some(*node),
        _ => None,
    }
}

impl Life {
    fn see(&mut self, native: bool, at: Duration, event: &Event) -> Result<(), String> {
        match event {
            Event::Paused(_) | Event::Suspended(_) | Event::Cut(_) => self.troubled = true,
            Event::Running(_) => (self.running, self.unasked_since) = (true, native.then_some(at)),
            Event::Left(_) => *self = Self { troubled: self.troubled, ..Self::default() },
            Event::FleetSeen(_, told) => self.told = Some((*told, at)),
            Event::Called(_, Api::Fleet) => self.unasked_since = native.then_some(at),
            Event::Called(..) => match self.told {
                Some((false, _)) => {}
                Some((true, since)) => return Err(format!("takes a lease {:?} after it was told of native workers", at - since)),
                None => return Err("takes a lease and was not told whether there are native workers".to_owned()),
            },
            _ => {}
        }
        Ok(())
    }
}

/// Who should have left by now, or asked.
fn late(lives: &BTreeMap<NodeId, Life>, at: Duration, ends: Duration, asks: Duration) -> Result<(), String> {
    for (node, life) in lives.iter().filter(|(_, life)| life.running && !life.troubled) {
        if let Some((true, since)) = life.told.filter(|(_, since)| at > *since + ends) {
            return Err(format!("{node:?} still runs {:?} after it was told of native workers", at - since));
        }
        if let Some(since) = life.unasked_since.filter(|since| at > *since + asks) {
            return Err(format!("{node:?} has not asked for {:?} whether there are native workers", at - since));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::timed_log::{Log, log, node};
    use super::*;

    /// One worker that started beside others that are not native, and was told that they are at 100 s.
    fn told() -> Log {
        let log = log().workers(1).add(Event::FleetSeen(node(1), false)).add(Event::Running(node(1)));
        let log = log.at(50_000).add(Event::Native(true)).at(100_000).add(Event::Called(node(1), Api::Fleet));
        log.add(Event::FleetSeen(node(1), true))
    }

    fn take(log: Log) -> Log {
        log.add(Event::Called(node(1), Api::Write(Verb::Take)))
    }

    #[test]
    fn nothing_is_taken_unless_it_is_known_that_it_may() {
        take(log().workers(1)).says(check, "was not told");
        take(log().workers(1).add(Event::FleetSeen(node(1), true))).says(check, "after it was told");
        take(log().workers(1).add(Event::FleetSeen(node(1), false))).says(check, "");
        take(told().at(101_000)).says(check, "takes a lease 1s after");
        let back = told().add(Event::Left(node(1))).add(Event::FleetSeen(node(1), true)).add(Event::Native(false));
        take(back.add(Event::FleetSeen(node(1), false))).says(check, "");
    }

    #[test]
    fn a_worker_that_was_told_leaves() {
        // 30 s for processors and 9 s for the releases.
        told().at(139_000).add(Event::Left(node(1))).says(check, "");
        told().at(139_001).add(Event::Left(node(1))).says(check, "still runs 39.001s");
        told().add(Event::Paused(node(1))).at(150_000).add(Event::Left(node(1))).says(check, "");
        told().add(Event::Killed(node(1))).at(150_000).add(Event::Native(false)).says(check, "");
    }

    #[test]
    fn while_others_are_native_everybody_asks() {
        let log = || log().workers(1).add(Event::FleetSeen(node(1), false)).add(Event::Running(node(1)));
        let native = || log().at(50_000).add(Event::Native(true));
        native().at(140_000).add(Event::Native(false)).says(check, "");
        native().at(141_000).add(Event::Native(false)).says(check, "has not asked for 91s");
        log().at(900_000).add(Event::Native(true)).says(check, "");
    }
}
