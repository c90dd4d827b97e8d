//! S13: an open shard that has an unfinished row, or an ancestor with one, keeps that: whoever finishes or deletes a row
//! leaves nothing behind that nobody will read. From the quiet time on that holds for every open shard.
//!
//! Open shards cover every hash once, so that the rows found in this way do so, too, as long as each says what range its
//! shard has. Only somebody who removes a row by hand makes a hole, and a shard that leaves the stream unread, whose
//! children may have to be found by a listing.

use std::collections::{BTreeMap, BTreeSet};

use kcl_core::{Lease, LeaseKey, ShardId, Verb};

use super::family::Family;
use super::view::apply;
use super::{Finding, Run};
use crate::trace::{Event, Stage};

#[derive(Default)]
struct Cover {
    family: Family,
    table: BTreeMap<LeaseKey, Lease>,
    covered: BTreeSet<ShardId>,
    /// The rows that somebody removed by hand, until they come back.
    missing: BTreeSet<LeaseKey>,
}

impl Cover {
    fn is_covered(&self, shard: &ShardId) -> bool {
        let is_unfinished = |shard: &ShardId| {
            let row = self.table.get(&LeaseKey::of_shard(shard));
            row.is_some_and(|row| !row.checkpoint.is_shard_end())
        };
        is_unfinished(shard) || self.family.ancestors(shard).iter().any(is_unfinished)
    }

    /// The open shards that are covered now.
    fn look(&self) -> BTreeSet<ShardId> {
        self.family.open().filter(|shard| self.is_covered(shard)).cloned().collect()
    }

    /// An open shard that was covered and no longer is.
    fn lost(&mut self) -> Option<ShardId> {
        let now = self.look();
        let before = std::mem::replace(&mut self.covered, now);
        let is_lost = |shard: &ShardId| {
            let line = self.family.ancestors(shard).into_iter().chain([shard.clone()]);
            let by_hand = line.map(|shard| LeaseKey::of_shard(&shard)).any(|key| self.missing.contains(&key));
            self.family.closed_at(shard).is_none() && !self.covered.contains(shard) && !by_hand
        };
        before.into_iter().find(is_lost)
    }

    /// A row that claims other hashes than its shard has.
    fn wrong_range(&self, row: &Lease) -> bool {
        let shard = self.family.shard(&row.key.shard_id());
        row.hash_range.is_some_and(|range| shard.is_none_or(|shard| shard.hash_range != range))
    }
}

pub(super) fn check(run: Run<'_>) -> Result<(), Finding> {
    let mut cover = Cover::default();
    let (quiet, end) = (run.stage(Stage::Quiet), run.stage(Stage::Audit));
    for (index, entry) in run.entries.iter().enumerate() {
        cover.family.see(entry);
        apply(&mut cover.table, &entry.event);
        if let Event::Edited(key, _, None) = &entry.event {
            cover.missing.insert(key.clone());
        }
        match &entry.event {
            Event::Write(write) if write.applied => {
                if write.before.is_none() {
                    cover.missing.remove(write.write.key());
                }
                let after = write.after.as_ref();
                if let Some(row) = after.filter(|row| cover.wrong_range(row)) {
                    return Err((index, format!("{} says that it has the hashes {:?}", row.key, row.hash_range)));
                }
                let shard = write.write.key().shard_id();
                let is_end = after.is_none_or(|row| row.checkpoint.is_shard_end()) && write.write.verb() != Verb::Renew;
                if is_end && cover.family.is_removed(&shard) {
                    cover.covered = cover.look();
                } else if (is_end || write.before.is_none())
                    && let Some(lost) = cover.lost()
                {
                    return Err((index, format!("nobody will read {lost} once {shard} is finished or gone")));
                }
            }
            Event::Edited(..) | Event::Reshard(..) => cover.covered = cover.look(),
            _ => {}
        }
        let is_quiet = (quiet..end).contains(&index) && run.entries.len() > quiet;
        if is_quiet && let Some(hole) = cover.family.open().find(|shard| !cover.covered.contains(*shard)) {
            return Err((index, format!("in the quiet time nobody will read {hole}")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::oracle::log::{Log, at};
    use crate::trace::{Event, Stage};
    use kcl_core::Checkpoint;

    fn split() -> Log {
        let log = Log::new().reshard(&[], &["p"]).create("p", Checkpoint::TrimHorizon).take(1, "p");
        log.reshard(&["p"], &["c", "d"])
    }

    #[test]
    fn whoever_finishes_a_shard_leaves_rows_for_its_children() {
        let end = |log: Log| log.checkpoint(1, "p", Checkpoint::ShardEnd).judge(check);
        let both = || split().create("c", Checkpoint::TrimHorizon).create("d", Checkpoint::TrimHorizon);
        assert_eq!(end(both()), None);
        assert!(end(split().create("d", at(3))).unwrap().contains("nobody will read c"));
        assert_eq!(end(split().event(Event::Removed("p".into()))), None, "a listing may have to tell");
        assert_eq!(end(both().remove_by_hand("c")), None, "a listing has to tell");
        let quiet = both().event(Event::Enter(Stage::Quiet));
        assert_eq!(quiet.judge(check), None);
    }

    #[test]
    fn in_the_quiet_time_there_is_no_hole() {
        let hole = split().remove_by_hand("p").event(Event::Enter(Stage::Quiet));
        assert!(hole.judge(check).unwrap().contains("nobody will read c"));
    }
}
