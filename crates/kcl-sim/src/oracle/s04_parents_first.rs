//! S4: no callback of a shard begins before each of its parents is at its end, or proven out of scope: it has left the
//! stream, or the initial position leaves it out.
//!
//! The initial position leaves a shard out, and all before it, if the row of a shard that follows was created at that
//! position (LATEST, or a timestamp at which the parent was closed already) while the parent had no row.

use std::collections::{BTreeMap, BTreeSet};

use kcl_core::{Checkpoint, Lease, LeaseKey, ShardId, StartStrategy};

use super::family::Family;
use super::shelf::wall;
use super::view::apply;
use super::{Finding, Run};
use crate::trace::{Entry, Event};

#[derive(Default)]
struct Scope {
    family: Family,
    rows: BTreeMap<LeaseKey, Lease>,
    ended: BTreeSet<ShardId>,
    left_out: BTreeSet<ShardId>,
}

impl Scope {
    fn see(&mut self, entry: &Entry, start: StartStrategy) {
        self.family.see(entry);
        if let Event::Write(write) = &entry.event
            && let (true, Some(row)) = (write.applied, &write.after)
        {
            if row.checkpoint.is_shard_end() {
                self.ended.insert(row.key.shard_id());
            }
            if write.before.is_none() {
                self.created(row, start);
            }
        }
        apply(&mut self.rows, &entry.event);
    }

    fn created(&mut self, row: &Lease, start: StartStrategy) {
        let shard = row.key.shard_id();
        for parent in self.family.parents(&shard) {
            let closed = self.family.closed_at(parent);
            let before_start = match (&row.checkpoint, start) {
                (Checkpoint::Latest, StartStrategy::Latest) => true,
                (Checkpoint::AtTimestamp, StartStrategy::Timestamp(millis)) => {
                    closed.is_some_and(|at| wall(at).unix_millis() <= millis)
                }
                _ => false,
            };
            if before_start && !self.rows.contains_key(&LeaseKey::of_shard(parent)) {
                self.left_out.insert(parent.clone());
                self.left_out.extend(self.family.ancestors(parent));
            }
        }
    }

    fn is_settled(&self, parent: &ShardId) -> bool {
        self.ended.contains(parent) || self.left_out.contains(parent) || self.family.is_removed(parent)
    }
}

pub(super) fn check(run: Run<'_>) -> Result<(), Finding> {
    let mut scope = Scope::default();
    for (index, entry) in run.entries.iter().enumerate() {
        scope.see(entry, run.options.start);
        if let Event::Begin(tenure, call) = &entry.event
            && let Some(parent) = scope.family.parents(&tenure.shard).iter().find(|parent| !scope.is_settled(parent))
        {
            return Err((index, format!("{tenure:?}: {call:?} begins, its parent {parent} has not ended")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::oracle::log::{Log, tenure};
    use crate::trace::Event;
    use kcl_core::{Checkpoint, StartStrategy};

    fn split() -> Log {
        Log::new().reshard(&[], &["p"]).create("p", Checkpoint::TrimHorizon).reshard(&["p"], &["c", "d"])
    }

    fn begun(log: Log) -> Log {
        log.take(1, "c").initialize(&tenure(1, "c", 1), Checkpoint::TrimHorizon)
    }

    #[test]
    fn a_child_waits_for_the_end_of_its_parent() {
        let created = || split().create("c", Checkpoint::TrimHorizon);
        let what = begun(created()).judge(check).unwrap();
        assert!(what.ends_with("its parent p has not ended"), "{what}");
        let ended = created().take(2, "p").checkpoint(2, "p", Checkpoint::ShardEnd);
        assert_eq!(begun(ended).judge(check), None);
        assert_eq!(begun(created().event(Event::Removed("p".into()))).judge(check), None);
        assert!(begun(created().remove_by_hand("p")).judge(check).is_some(), "a missing row proves nothing");
    }

    #[test]
    fn the_initial_position_leaves_a_parent_out_that_has_no_row() {
        let latest = |log: Log| begun(log.starting(StartStrategy::Latest).create("c", Checkpoint::Latest)).judge(check);
        assert_eq!(latest(Log::new().reshard(&[], &["p"]).reshard(&["p"], &["c"])), None);
        assert!(latest(split()).is_some());
    }
}
