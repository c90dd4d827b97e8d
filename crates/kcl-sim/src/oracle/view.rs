//! Ways to look at a record that several oracles share.

use std::collections::BTreeMap;

use kcl_core::{Lease, LeaseKey};

use super::Run;
use crate::exec::NodeId;
use crate::trace::{Applied, Entry, Event, Stage};

impl<'a> Run<'a> {
    pub(super) fn last(&self) -> usize {
        self.entries.len().saturating_sub(1)
    }

    /// The writes that were applied, with the entry of each.
    pub(super) fn writes(&self) -> impl Iterator<Item = (usize, &'a Applied)> {
        self.entries.iter().enumerate().filter_map(|(index, entry)| match &entry.event {
            Event::Write(write) if write.applied => Some((index, write)),
            _ => None,
        })
    }

    /// The entry with which a part of the run begins; the end if it never did.
    pub(crate) fn stage(&self, stage: Stage) -> usize {
        self.entries.iter().position(|entry| entry.event == Event::Enter(stage)).unwrap_or(self.entries.len())
    }

    /// The table before this entry.
    pub(crate) fn table(&self, before: usize) -> BTreeMap<LeaseKey, Lease> {
        let mut rows = BTreeMap::new();
        for entry in self.entries.iter().take(before) {
            apply(&mut rows, &entry.event);
        }
        rows
    }

    /// The processes that outlive the trouble, by name: well after the heal, and not asked to stop before.
    pub(super) fn survivors(&self) -> BTreeMap<String, NodeId> {
        let heal = self.stage(Stage::Heal);
        // The heal itself takes no time.
        let at = self.entries.get(heal).map(|entry| entry.at);
        let healed = self.entries.iter().skip(heal).take_while(|entry| Some(entry.at) == at).count();
        let mut workers = self.core(heal + healed);
        for entry in self.entries.iter().take(heal) {
            if let Event::AskedToStop(gone) | Event::Stopped(gone, _) = &entry.event {
                workers.retain(|_, node| node != gone);
            }
        }
        workers
    }

    /// The processes that are well at this entry, by name: running, not paused, and able to reach the store.
    pub(crate) fn core(&self, before: usize) -> BTreeMap<String, NodeId> {
        let mut names = BTreeMap::new();
        let mut unwell: BTreeMap<NodeId, u32> = BTreeMap::new();
        let mut change = |node: &NodeId, by: i64| {
            let count = unwell.entry(*node).or_default();
            *count = count.saturating_add_signed(i32::try_from(by).unwrap_or(i32::MAX));
        };
        for Entry { event, .. } in self.entries.iter().take(before) {
            match event {
                Event::Started(node, id) => drop(names.insert(*node, id.to_string())),
                Event::Killed(node) | Event::Stopped(node, _) => change(node, i64::from(i32::MAX)),
                Event::Paused(node) | Event::Suspended(node) | Event::Cut(node) => change(node, 1),
                Event::Resumed(node) | Event::Joined(node) => change(node, -1),
                _ => {}
            }
        }
        // Of several processes with one name the newest that is well.
        let is_well = |node: &NodeId| unwell.get(node).is_none_or(|count| *count == 0);
        names.into_iter().filter(|(node, _)| is_well(node)).map(|(node, name)| (name, node)).collect()
    }
}

/// What an event does to the table.
pub(super) fn apply(rows: &mut BTreeMap<LeaseKey, Lease>, event: &Event) {
    let (key, after) = match event {
        Event::Write(write) if write.applied => (write.write.key(), &write.after),
        Event::Edited(key, _, after) => (key, after),
        _ => return,
    };
    match after {
        Some(row) => drop(rows.insert(key.clone(), row.clone())),
        None => drop(rows.remove(key)),
    }
}
