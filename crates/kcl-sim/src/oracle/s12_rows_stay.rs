//! S12: a row is deleted only at its end, once no row of a parent is left and the row of each child was read past its
//! start. A child that never had a row is forgiven only if the shard had left the stream: nobody can know it any more.
//!
//! What somebody did to the row of a child or of a parent by hand is not the library's doing.

use std::collections::{BTreeMap, BTreeSet};

use kcl_core::{Checkpoint, LeaseKey, ShardId, Verb};

use super::family::Family;
use super::view::apply;
use super::{Finding, Run};
use crate::trace::{Applied, Event};

#[derive(Default)]
struct Rows {
    family: Family,
    table: BTreeMap<LeaseKey, kcl_core::Lease>,
    created: BTreeSet<LeaseKey>,
    /// Those that were past their start, and nobody edited them since.
    begun: BTreeSet<LeaseKey>,
    edited: BTreeSet<LeaseKey>,
    /// Those that were created at LATEST: a Java worker counts them as begun.
    at_latest: BTreeSet<LeaseKey>,
}

impl Rows {
    fn wrong(&self, deletion: &Applied, is_java: bool) -> Option<String> {
        let shard = deletion.write.key().shard_id();
        if !deletion.before.as_ref().is_some_and(|row| row.checkpoint.is_shard_end()) {
            return Some("it is not at its end".to_owned());
        }
        // It deletes the row of a shard that Kinesis does not know any more at once, if the row does not name its children.
        let row = deletion.before.as_ref();
        if is_java && self.family.is_removed(&shard) && row.is_some_and(|row| row.children.is_empty()) {
            return None;
        }
        let is_edited = |shard: &ShardId| self.edited.contains(&LeaseKey::of_shard(shard));
        let has_row = |shard: &&ShardId| self.table.contains_key(&LeaseKey::of_shard(shard));
        let mut parents = self.family.parents(&shard).iter().filter(has_row);
        if let Some(parent) = parents.find(|parent| !is_edited(parent)) {
            return Some(format!("its parent {parent} still has a row"));
        }
        let removed = self.family.is_removed(&shard);
        let may_go = |child: &&ShardId| {
            let key = LeaseKey::of_shard(child);
            let started = self.begun.contains(&key) || is_java && self.at_latest.contains(&key);
            started || is_edited(child) || removed && !self.created.contains(&key)
        };
        let waits = self.family.children(&shard).iter().find(|child| !may_go(child));
        waits.map(|child| format!("its child {child} has not begun"))
    }
}

pub(super) fn check(run: Run<'_>) -> Result<(), Finding> {
    let (java, mut rows) = (run.java(), Rows::default());
    for (index, entry) in run.entries.iter().enumerate() {
        rows.family.see(entry);
        match &entry.event {
            Event::Write(write) if write.applied => {
                let key = write.write.key();
                if write.write.verb() == Verb::Delete
                    && let Some(wrong) = rows.wrong(write, java.contains_key(&write.node))
                {
                    return Err((index, format!("the row of {key} was deleted by {:?}, and {wrong}", write.node)));
                }
                if let Some(row) = &write.after {
                    rows.created.insert(key.clone());
                    if !row.checkpoint.is_initial() {
                        rows.begun.insert(key.clone());
                    } else if row.checkpoint == Checkpoint::Latest {
                        rows.at_latest.insert(key.clone());
                    }
                }
            }
            Event::Edited(key, ..) => {
                rows.edited.insert(key.clone());
            }
            _ => {}
        }
        apply(&mut rows.table, &entry.event);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::oracle::log::{Log, at};
    use crate::trace::Event;
    use kcl_core::Checkpoint;

    /// A finished shard and one that follows.
    fn ended() -> Log {
        let log = Log::new().reshard(&[], &["p"]).create("p", Checkpoint::TrimHorizon).reshard(&["p"], &["c"]);
        log.take(1, "p").checkpoint(1, "p", Checkpoint::ShardEnd)
    }

    #[test]
    fn a_row_stays_until_each_child_was_read() {
        assert!(ended().delete(1, "p").judge(check).unwrap().ends_with("its child c has not begun"));
        let unread = || ended().create("c", Checkpoint::TrimHorizon).take(2, "c");
        assert!(unread().delete(1, "p").judge(check).is_some());
        assert_eq!(unread().checkpoint(2, "c", at(7)).delete(1, "p").judge(check), None);
        assert_eq!(unread().remove_by_hand("c").delete(1, "p").judge(check), None);
        let removed = |log: Log| log.event(Event::Removed("p".into())).delete(1, "p").judge(check);
        assert_eq!(removed(ended()), None, "nobody can know the child");
        assert!(removed(unread()).is_some());
    }

    #[test]
    fn an_older_generation_goes_first() {
        let both = || ended().create("c", Checkpoint::TrimHorizon).take(1, "c").checkpoint(1, "c", Checkpoint::ShardEnd);
        let grown = || both().reshard(&["c"], &["d"]).create("d", at(9));
        assert!(grown().delete(1, "c").judge(check).unwrap().ends_with("its parent p still has a row"));
        assert_eq!(grown().delete(1, "p").delete(1, "c").judge(check), None);
    }
}
