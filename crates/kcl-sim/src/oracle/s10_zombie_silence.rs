//! S10: past its deadline, by its own clock, a tenure begins no callback until a renewal sent after that was applied and
//! the tenure was told; and none begins after another tenure took the lease because it had expired. A lease that is taken
//! from a live owner is worked on by both for as long as it takes the old one to renew, and no longer.

use std::collections::BTreeMap;
use std::time::Duration;

use kcl_core::{LeaseKey, Verb};

use super::bounds::LATENCY;
use super::lives::Lives;
use super::{Finding, Run};
use crate::exec::NodeId;
use crate::trace::{Applied, Call, Event, Told};

pub(super) fn check(run: Run<'_>) -> Result<(), Finding> {
    let calm = run.calm().unwrap_or(Duration::MAX);
    let mut world =
        World { calm, lives: Lives::new(run), run, holds: BTreeMap::new(), since: BTreeMap::new(), lost: BTreeMap::new() };
    for (index, entry) in run.entries.iter().enumerate() {
        world.lives.see(entry);
        match &entry.event {
            Event::Write(write) if write.applied => world.applied(entry.at, write),
            Event::Edited(key, ..) => drop(world.since.insert(key.clone(), entry.at)),
            Event::Told(node, verb, key, Told::Applied) => {
                if let Some(hold) = world.holds.get_mut(&(*node, key.clone())) {
                    hold.told = hold.deadline;
                    hold.untold &= *verb != Verb::Renew;
                }
            }
            Event::Begin(tenure, call) if *call != Call::LeaseLost => {
                if let Some(wrong) = world.wrong(entry.at, &(tenure.node, LeaseKey::of_shard(&tenure.shard))) {
                    return Err((index, format!("{tenure:?} begins a callback {wrong}")));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// What a process may believe of a lease that it took last; times are its own.
struct Hold {
    deadline: Duration,
    /// The deadline as its holder was told: after a write whose answer is lost it may pause then, until it reads the row.
    told: Duration,
    /// Set by a renewal that ends a pause, until its sender knows.
    untold: bool,
}

/// How a process lost a lease.
#[derive(Clone, Copy)]
struct Loss {
    at: Duration,
    expired: bool,
}

struct World<'a> {
    run: Run<'a>,
    calm: Duration,
    lives: Lives<'a>,
    holds: BTreeMap<(NodeId, LeaseKey), Hold>,
    /// Since when each row has its counter.
    since: BTreeMap<LeaseKey, Duration>,
    lost: BTreeMap<(NodeId, LeaseKey), Loss>,
}

/// A worker decides on a renewal at most so long before it is seen to send it, and counts from then: its deadline, and its
/// pause, may be that much earlier than it looks.
const DECIDED_BEFORE: Duration = Duration::from_millis(5);

impl World<'_> {
    fn applied(&mut self, now: Duration, write: &Applied) {
        let (key, node, verb) = (write.write.key(), write.node, write.write.verb());
        if matches!(verb, Verb::Describe | Verb::Request | Verb::Withdraw) {
            return;
        }
        let since = self.since.insert(key.clone(), now).unwrap_or(now);
        let name = (node, key.clone());
        let sent = self.lives.local(node, write.sent);
        let deadline = sent + self.run.hold();
        match verb {
            Verb::Take => {
                // A clock that is fast by as much as this run allows sees it so long at least.
                let fastest = 1.0 + f64::from(self.run.options.rate_ppm) / 1e6;
                let expired = now.saturating_sub(since) >= self.run.options.failover.div_f64(fastest);
                for name in self.holds.keys().filter(|(other, held)| *other != node && held == key) {
                    self.lost.entry(name.clone()).or_insert(Loss { at: now, expired });
                }
                self.lost.remove(&name);
                self.holds.insert(name, Hold { deadline, told: deadline, untold: false });
            }
            Verb::Renew | Verb::Checkpoint | Verb::PrepareCheckpoint => {
                let now = self.lives.local(node, now);
                let Some(hold) = self.holds.get_mut(&name) else { return };
                let paused = now >= hold.deadline;
                if !paused {
                    hold.deadline = hold.deadline.max(deadline);
                } else if verb == Verb::Renew && (hold.untold || sent + DECIDED_BEFORE >= hold.told) {
                    // One whose answer is lost has not ended the pause: the next one was sent in it, too.
                    *hold = Hold { deadline, untold: true, ..*hold };
                }
            }
            _ => {}
        }
    }

    fn wrong(&self, now: Duration, name: &(NodeId, LeaseKey)) -> Option<String> {
        let Some(hold) = self.holds.get(name) else { return Some("without a take".to_owned()) };
        let (node, _) = name;
        let late = self.lives.local(*node, now).checked_sub(hold.deadline);
        if let Some(late) = late {
            return Some(format!("{late:?} after its deadline"));
        }
        if hold.untold {
            return Some("after its deadline, before it was told of a renewal".to_owned());
        }
        let loss = self.lost.get(name)?;
        let overlap = now.saturating_sub(loss.at);
        if loss.expired && !self.lives.has_stood_still(*node) {
            return Some(format!("{overlap:?} after the lease had expired and was taken"));
        }
        let most = self.run.slack(self.run.renew()) + LATENCY * 4;
        (loss.at > self.calm && overlap > most).then(|| format!("{overlap:?} after the lease was taken from it"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::timed_log::{Log, log};
    use super::*;
    use crate::trace::Stage;

    /// A worker that renews at 3 s, when D_hold is 8.1 s.
    fn renewed() -> Log {
        log().workers(2).create("a").at(1_000).take(1, "a").at(3_100).renew(1, "a", 100)
    }

    fn process(log: Log, number: usize) -> Log {
        log.begin(number, "a", Call::Process(Vec::new()))
    }

    #[test]
    fn the_deadline_counts_from_when_the_renewal_was_sent() {
        process(renewed().at(11_099), 1).says(check, "");
        process(renewed().at(11_150), 1).says(check, "50ms after its deadline");
        process(log().workers(1).create("a"), 1).says(check, "without a take");
    }

    #[test]
    fn a_pause_is_ended_only_by_a_renewal_that_was_sent_in_it_and_is_known() {
        let told = |log: Log| log.add(Event::Told(NodeId(1), Verb::Renew, "a".into(), Told::Applied));
        process(told(renewed().at(12_000).renew(1, "a", 3_000)).at(12_001), 1).says(check, "after its deadline");
        process(told(renewed().at(12_000).renew(1, "a", 100)).at(12_001), 1).says(check, "");
        process(renewed().at(12_000).renew(1, "a", 100).at(12_001), 1).says(check, "before it was told");
        let unanswered = || renewed().at(12_000).renew(1, "a", 100).at(20_100).renew(1, "a", 200);
        process(unanswered().at(20_101), 1).says(check, "before it was told");
        process(told(unanswered()).at(20_101), 1).says(check, "");
        // Told of the first renewal and not of the second it pauses at 11.1 s, and renews right before 13.1 s.
        let unknown = || told(renewed()).at(5_100).renew(1, "a", 100).at(13_200);
        process(told(unknown().renew(1, "a", 150)).at(13_201), 1).says(check, "");
        process(unknown().renew(1, "a", 150).at(13_201), 1).says(check, "before it was told");
        process(told(told(unknown()).renew(1, "a", 150)).at(13_201), 1).says(check, "after its deadline");
    }

    #[test]
    fn a_clock_of_its_own() {
        // It ran for 8 s, by a clock that is up to 2.4 % fast or slow.
        let mut slow = process(renewed().at(11_090), 1);
        slow.options.rate_ppm = 24_000;
        let rate = slow.options.clock(1, 1).rate_ppm;
        slow.says(check, if rate > 1_500 { "after its deadline" } else { "" });
        let mut suspended = renewed().at(5_000).add(Event::Suspended(NodeId(1))).at(50_000).add(Event::Resumed(NodeId(1)));
        suspended.options.stops_in_suspend = true;
        process(suspended.at(51_000), 1).says(check, "");
    }

    #[test]
    fn nobody_works_on_what_was_taken_from_him_for_long() {
        process(renewed().at(5_000).take(2, "a").at(5_001), 1).says(check, "");
        process(renewed().at(3_000 + 9_200).take(2, "a").renew(2, "a", 0).at(13_000), 2).says(check, "");
        // With a deadline that is wrong this would be the only sign.
        let mut late = renewed().at(3_100 + 9_000).take(2, "a").at(12_101);
        late.options.rate_ppm = 0;
        process(late, 1).says(check, "after its deadline");
        let calm = || log().workers(2).enter(Stage::Heal).create("a").at(20_000).take(1, "a").at(21_000).take(2, "a");
        process(calm().at(24_000), 1).says(check, "");
        process(calm().at(24_300), 1).says(check, "3.3s after the lease was taken from it");
    }
}
