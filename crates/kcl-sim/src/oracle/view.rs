//! Ways to look at a record that several oracles share.

use std::collections::{BTreeMap, BTreeSet};

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
    pub(super) fn stage(&self, stage: Stage) -> usize {
        self.entries.iter().position(|entry| entry.event == Event::Enter(stage)).unwrap_or(self.entries.len())
    }

    /// The table before this entry.
    pub(super) fn table(&self, before: usize) -> BTreeMap<LeaseKey, Lease> {
        let mut rows = BTreeMap::new();
        for (_, write) in self.writes().take_while(|(index, _)| *index < before) {
            apply(&mut rows, write);
        }
        rows
    }

    /// The names of the processes that run at this entry, and their nodes.
    pub(super) fn workers(&self, before: usize) -> BTreeMap<String, NodeId> {
        let mut workers = BTreeMap::new();
        let mut dead = BTreeSet::new();
        for Entry { event, .. } in self.entries.iter().take(before) {
            match event {
                Event::Started(node, id) => drop(workers.insert(id.to_string(), *node)),
                Event::Killed(node) | Event::Stopped(node, _) => drop(dead.insert(*node)),
                _ => {}
            }
        }
        workers.retain(|_, node| !dead.contains(node));
        workers
    }
}

pub(super) fn apply(rows: &mut BTreeMap<LeaseKey, Lease>, write: &Applied) {
    match &write.after {
        Some(row) => drop(rows.insert(row.key.clone(), row.clone())),
        None => drop(rows.remove(write.write.key())),
    }
}
