//! S14: once the end of a shard is stored, whoever takes its lease after that is handed nothing of it, also if the row
//! was deleted and came back. A tenure that began before may still find out.

use std::collections::{BTreeMap, BTreeSet};

use kcl_core::{LeaseKey, Verb};

use super::{Finding, Run};
use crate::trace::{Call, Event};

pub(super) fn check(run: Run<'_>) -> Result<(), Finding> {
    let mut ended = BTreeSet::new();
    // Who took which lease last when it was not finished.
    let mut early = BTreeMap::new();
    for (index, entry) in run.entries.iter().enumerate() {
        match &entry.event {
            Event::Write(write) if write.applied => {
                let key = write.write.key();
                if write.write.verb() == Verb::Take {
                    early.insert((write.node, key), !ended.contains(key));
                }
                if write.after.as_ref().is_some_and(|row| row.checkpoint.is_shard_end()) {
                    ended.insert(key);
                }
            }
            Event::Edited(key, ..) => drop(ended.remove(key)),
            Event::Begin(tenure, call @ (Call::Process(_) | Call::ShardEnded)) => {
                let key = LeaseKey::of_shard(&tenure.shard);
                let took_early = early.get(&(tenure.node, &key)).is_some_and(|early| *early);
                if ended.contains(&key) && !took_early {
                    return Err((index, format!("{tenure:?}: {call:?} begins, the shard was finished before its take")));
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
    use crate::oracle::log::{Log, tenure};
    use kcl_core::Checkpoint;

    #[test]
    fn whoever_takes_a_finished_shard_is_handed_nothing() {
        let ended = || {
            let log = Log::new().create("p", Checkpoint::TrimHorizon).take(2, "p").take(1, "p");
            log.checkpoint(1, "p", Checkpoint::ShardEnd)
        };
        assert_eq!(ended().hand_over(&tenure(2, "p", 1), &[1]).judge(check), None, "it may not know yet");
        assert!(ended().take(2, "p").hand_over(&tenure(2, "p", 1), &[1]).judge(check).is_some());
        let again = ended().delete(1, "p").create("p", Checkpoint::TrimHorizon).take(3, "p");
        assert!(again.hand_over(&tenure(3, "p", 2), &[1]).judge(check).is_some(), "a row that came back");
        let by_hand = ended().remove_by_hand("p").create("p", Checkpoint::TrimHorizon).take(3, "p");
        assert_eq!(by_hand.hand_over(&tenure(3, "p", 2), &[1]).judge(check), None);
    }
}
