//! S11: what a tenure sent before its end is not applied after it, and it sends nothing more.
//!
//! A tenure ends, as the table shows it, with another take, with its release, with a deletion, or with an edit by hand.
//! After that only another take of that process makes its renewals, checkpoints and releases be applied again, and none
//! that was sent before. As its process knows it, a tenure is over
//! - with `lease_lost`: after that not even a renewal, except of a shard that left the stream (its end is stored then) and
//!   of a worker that was asked to stop (its processors are told so without the row being lost);
//! - with a panic: after that no checkpoint is sent; one that was under way may be applied, and the row is released;
//! - when its worker has stopped: after that nothing is sent.
//!
//! A row that somebody removed by hand comes back with counters that were used before, and nothing is said of it (P2).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kcl_core::{LeaseKey, Verb};

use super::family::Family;
use super::{Finding, Run};
use crate::exec::NodeId;
use crate::trace::{Applied, Call, Event};

#[derive(Default)]
struct Ends {
    family: Family,
    /// Who holds each row, since when.
    holders: BTreeMap<LeaseKey, (NodeId, Duration)>,
    lost: BTreeSet<(NodeId, LeaseKey)>,
    panicked: BTreeMap<(NodeId, LeaseKey), Duration>,
    asked_to_stop: BTreeSet<NodeId>,
    stopped: BTreeMap<NodeId, Duration>,
    removed_by_hand: BTreeSet<LeaseKey>,
}

impl Ends {
    fn wrong(&self, write: &Applied) -> Option<&'static str> {
        let (node, key, verb) = (write.node, write.write.key(), write.write.verb());
        if self.stopped.get(&node).is_some_and(|at| write.sent > *at) {
            return Some("was sent after its worker had stopped");
        }
        let is_checkpoint = matches!(verb, Verb::Checkpoint | Verb::PrepareCheckpoint);
        if !is_checkpoint && !matches!(verb, Verb::Renew | Verb::Release | Verb::Transfer) || self.removed_by_hand.contains(key) {
            return None;
        }
        // Whoever stops gives back what was transferred to it before it had a tenure.
        let transferred = |row: &kcl_core::Lease| row.owner.as_ref().is_some_and(|owner| row.is_transferred_to(owner));
        if verb == Verb::Release && write.before.as_ref().is_some_and(transferred) {
            return None;
        }
        match self.holders.get(key) {
            Some((holder, since)) if *holder == node && write.sent >= *since => {}
            Some((holder, _)) if *holder == node => return Some("was sent by an earlier tenure"),
            _ => return Some("was applied after its tenure had ended"),
        }
        let tenure = (node, key.clone());
        if self.lost.contains(&tenure) {
            return Some("was applied after lease_lost");
        }
        let panicked = self.panicked.get(&tenure).is_some_and(|at| write.sent > *at);
        (is_checkpoint && panicked).then_some("was sent after the panic")
    }

    fn apply(&mut self, write: &Applied, at: Duration) {
        let (node, key) = (write.node, write.write.key());
        match write.write.verb() {
            Verb::Take => {
                self.holders.insert(key.clone(), (node, at));
                self.lost.remove(&(node, key.clone()));
                self.panicked.remove(&(node, key.clone()));
            }
            Verb::Release | Verb::Transfer | Verb::Delete => drop(self.holders.remove(key)),
            _ => {}
        }
    }
}

pub(super) fn check(run: Run<'_>) -> Result<(), Finding> {
    let mut ends = Ends::default();
    for (index, entry) in run.entries.iter().enumerate() {
        ends.family.see(entry);
        match &entry.event {
            Event::Write(write) if write.applied => {
                if let Some(wrong) = ends.wrong(write) {
                    let (node, key, verb) = (write.node, write.write.key(), write.write.verb().name());
                    return Err((index, format!("a {verb} of {key} by {node:?} {wrong}")));
                }
                ends.apply(write, entry.at);
            }
            Event::Edited(key, _, after) => {
                ends.holders.remove(key);
                if after.is_none() {
                    ends.removed_by_hand.insert(key.clone());
                }
            }
            Event::Begin(tenure, Call::LeaseLost)
                if !ends.family.is_removed(&tenure.shard) && !ends.asked_to_stop.contains(&tenure.node) =>
            {
                ends.lost.insert((tenure.node, LeaseKey::of_shard(&tenure.shard)));
            }
            Event::Panic(tenure) => {
                ends.panicked.insert((tenure.node, LeaseKey::of_shard(&tenure.shard)), entry.at);
            }
            Event::AskedToStop(node) => drop(ends.asked_to_stop.insert(*node)),
            Event::Stopped(node, _) => drop(ends.stopped.insert(*node, entry.at)),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::exec::NodeId;
    use crate::oracle::log::{Log, at, tenure};
    use crate::trace::{Call, Event};
    use kcl_core::Checkpoint;

    /// Created and taken at two seconds.
    fn log() -> Log {
        Log::new().create("p", Checkpoint::TrimHorizon).take(1, "p")
    }

    #[test]
    fn an_earlier_tenure_is_not_resurrected() {
        assert_eq!(log().renew(1, "p").checkpoint(1, "p", at(1)).release(1, "p").judge(check), None);
        assert!(log().release(1, "p").renew(1, "p").judge(check).is_some(), "released");
        assert!(log().take(2, "p").checkpoint(1, "p", at(1)).judge(check).is_some(), "taken");
        assert!(log().release(1, "p").take(1, "p").renew(1, "p").sent_at(2).judge(check).is_some(), "of the first tenure");
        assert!(log().remove_by_hand("p").create("p", Checkpoint::TrimHorizon).renew(1, "p").judge(check).is_none());
    }

    #[test]
    fn after_lease_lost_not_even_a_renewal() {
        let lost = || log().begin(&tenure(1, "p", 1), Call::LeaseLost);
        assert!(lost().renew(1, "p").judge(check).unwrap().ends_with("was applied after lease_lost"));
        assert_eq!(lost().take(1, "p").renew(1, "p").judge(check), None, "a new tenure");
        let stopping = log().event(Event::AskedToStop(NodeId(1))).begin(&tenure(1, "p", 1), Call::LeaseLost);
        assert_eq!(stopping.release(1, "p").judge(check), None);
    }

    #[test]
    fn after_a_panic_no_checkpoint_and_after_the_stop_nothing_is_sent() {
        // At three seconds.
        let panicked = || log().event(Event::Panic(tenure(1, "p", 1)));
        assert!(panicked().checkpoint(1, "p", at(1)).judge(check).unwrap().ends_with("was sent after the panic"));
        assert_eq!(panicked().checkpoint(1, "p", at(1)).sent_at(3).renew(1, "p").release(1, "p").judge(check), None);
        let stopped = || log().event(Event::Stopped(NodeId(1), Ok(())));
        assert!(stopped().renew(1, "p").judge(check).is_some());
        assert_eq!(stopped().renew(1, "p").sent_at(3).judge(check), None);
    }
}
