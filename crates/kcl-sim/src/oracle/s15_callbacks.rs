//! S15: `initialize` once for each take; calls of a tenure never overlap; after `shard_ended` no records; `shutdown_requested` at most
//! once; `lease_lost` at most once and last, and a checkpoint in it answers that the lease is lost; nothing after a panic.

use std::collections::{BTreeMap, BTreeSet};

use kcl_core::{LeaseKey, Verb};

use super::{Finding, Run};
use crate::trace::{Answer, Call, Event, Tenure};

#[derive(Default)]
struct State {
    busy: bool,
    ended: bool,
    shut_down: bool,
    lost: bool,
    panicked: bool,
}

impl State {
    /// What is wrong with this call now.
    fn begin(&mut self, call: &Call) -> Option<&'static str> {
        if self.busy || self.lost || self.panicked {
            return Some("begins although another call runs or nothing may follow");
        }
        self.busy = true;
        match call {
            Call::Initialize(_) => return Some("begins a second time"),
            Call::Process(positions) => {
                if self.ended || self.shut_down || positions.is_empty() {
                    return Some("comes after the end, or is empty");
                }
            }
            Call::ShardEnded => {
                if self.shut_down {
                    return Some("comes after the shutdown");
                }
                self.ended = true;
            }
            Call::ShutdownRequested => {
                if std::mem::replace(&mut self.shut_down, true) {
                    return Some("comes twice");
                }
            }
            Call::LeaseLost => self.lost = true,
        }
        None
    }
}

pub(super) fn check(run: Run<'_>) -> Result<(), Finding> {
    let mut tenures: BTreeMap<&Tenure, State> = BTreeMap::new();
    let mut after_loss = BTreeSet::new();
    // The leases that a process took and did not initialize a processor for.
    let mut taken = BTreeSet::new();
    for (index, entry) in run.entries.iter().enumerate() {
        match &entry.event {
            Event::Write(write) if write.applied && write.write.verb() == Verb::Take => {
                taken.insert((write.node, write.write.key().clone()));
            }
            Event::Begin(tenure, call) => {
                let of_take = (tenure.node, LeaseKey::of_shard(&tenure.shard));
                if matches!(call, Call::Initialize(_)) && !taken.remove(&of_take) {
                    return Err((index, format!("{tenure:?}: initialize begins without a take, or a second time after it")));
                }
                let known = tenures.contains_key(tenure);
                if !known && matches!(call, Call::Initialize(_)) {
                    tenures.insert(tenure, State { busy: true, ..State::default() });
                } else if !known {
                    return Err((index, format!("{tenure:?}: {call:?} comes before initialize")));
                } else if let Some(wrong) = tenures.entry(tenure).or_default().begin(call) {
                    return Err((index, format!("{tenure:?}: {call:?} {wrong}")));
                }
            }
            Event::End(tenure) => tenures.entry(tenure).or_default().busy = false,
            Event::Panic(tenure) => {
                let state = tenures.entry(tenure).or_default();
                state.panicked = true;
                state.busy = false;
            }
            // One that was asked for before may have been stored.
            Event::Asked(tenure, checkpoint) if tenures.get(tenure).is_some_and(|state| state.lost) => {
                after_loss.insert((tenure, checkpoint));
            }
            Event::Answered(tenure, checkpoint, answer)
                if after_loss.remove(&(tenure, checkpoint)) && *answer != Answer::LeaseLost =>
            {
                return Err((index, format!("{tenure:?}: after the loss {checkpoint} was answered {answer:?}")));
            }
            _ => {}
        }
    }
    Ok(())
}
