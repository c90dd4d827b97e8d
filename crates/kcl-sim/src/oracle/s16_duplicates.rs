//! S16: a record is handed over again only to another tenure, and never if a checkpoint at or behind it was acknowledged
//! before that tenure's take. So nothing is handed over again after a clean shutdown, or any other end with a checkpoint.
//!
//! Somebody who edits a row by hand may set it back: then what was acknowledged before does not count, nor what tenures
//! that began before still are told.

use std::collections::BTreeMap;

use kcl_core::{Checkpoint, ExtendedSequenceNumber, LeaseKey, ShardId, Verb};

use super::{Finding, Run};
use crate::exec::NodeId;
use crate::trace::{Answer, Call, Event, Tenure};

#[derive(Default)]
struct Memory<'a> {
    /// The furthest that was acknowledged.
    acknowledged: BTreeMap<LeaseKey, &'a Checkpoint>,
    /// What was acknowledged when a process took a lease last.
    at_take: BTreeMap<(NodeId, LeaseKey), Option<&'a Checkpoint>>,
    /// Who was handed each record last.
    handed_over: BTreeMap<&'a ShardId, BTreeMap<&'a ExtendedSequenceNumber, &'a Tenure>>,
}

impl<'a> Memory<'a> {
    fn acknowledge(&mut self, tenure: &Tenure, checkpoint: &'a Checkpoint) {
        let key = LeaseKey::of_shard(&tenure.shard);
        if self.at_take.contains_key(&(tenure.node, key.clone())) {
            let furthest = self.acknowledged.entry(key).or_insert(checkpoint);
            *furthest = checkpoint.max(furthest);
        }
    }

    fn forget(&mut self, key: &LeaseKey) {
        self.acknowledged.remove(key);
        self.at_take.retain(|(_, taken), _| taken != key);
    }

    fn hand_over(&mut self, tenure: &'a Tenure, position: &'a ExtendedSequenceNumber) -> Option<String> {
        let before = self.handed_over.entry(&tenure.shard).or_default().insert(position, tenure)?;
        if before == tenure {
            return Some(format!("{tenure:?} was handed {position} twice"));
        }
        let taken = self.at_take.get(&(tenure.node, LeaseKey::of_shard(&tenure.shard)));
        let durable = taken.copied().flatten().filter(|durable| match durable {
            Checkpoint::At(durable) => position <= durable,
            _ => durable.is_shard_end(),
        })?;
        Some(format!("{tenure:?} was handed {position} as {before:?} was, although {durable} was acknowledged before its take"))
    }
}

pub(super) fn check(run: Run<'_>) -> Result<(), Finding> {
    // A Java worker may hand over again what it pleases, but what it stored counts.
    let (java, mut memory) = (run.java(), Memory::default());
    for (index, entry) in run.entries.iter().enumerate() {
        match &entry.event {
            Event::Write(write) if write.applied && write.write.verb() == Verb::Take => {
                let key = write.write.key();
                memory.at_take.insert((write.node, key.clone()), memory.acknowledged.get(key).copied());
            }
            Event::Edited(key, ..) => memory.forget(key),
            Event::Answered(tenure, checkpoint, Answer::Stored) => memory.acknowledge(tenure, checkpoint),
            Event::Begin(tenure, Call::Process(positions)) => {
                for position in positions {
                    if let Some(wrong) = memory.hand_over(tenure, position).filter(|_| !java.contains_key(&tenure.node)) {
                        return Err((index, wrong));
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::oracle::log::{Log, at, tenure};
    use crate::trace::Call;
    use kcl_core::Checkpoint;

    #[test]
    fn nothing_that_was_acknowledged_comes_again() {
        let (first, second) = (tenure(1, "p", 1), tenure(2, "p", 2));
        let log = || Log::new().create("p", Checkpoint::TrimHorizon).take(1, "p").hand_over(&first, &[1, 2]);
        let stopped = || log().begin(&first, Call::ShutdownRequested).stored(&first, at(2)).take(2, "p");
        assert_eq!(stopped().hand_over(&second, &[3]).judge(check), None);
        assert!(stopped().hand_over(&second, &[2]).judge(check).unwrap().contains("2.0 was acknowledged before its take"));
        assert_eq!(log().take(2, "p").stored(&first, at(2)).hand_over(&second, &[2]).judge(check), None, "after its take");
        let by_hand = stopped().remove_by_hand("p").stored(&first, at(2)).create("p", Checkpoint::TrimHorizon).take(2, "p");
        assert_eq!(by_hand.hand_over(&second, &[1, 2]).judge(check), None);
        assert!(log().hand_over(&first, &[2]).judge(check).unwrap().ends_with("was handed 2.0 twice"));
    }
}
