//! The family tree of the stream's shards, as far as the record of the run was read.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kcl_core::{Shard, ShardId};

use crate::trace::{Entry, Event};

/// Every shard that there was, and what became of it.
#[derive(Default)]
pub(super) struct Family {
    shards: BTreeMap<ShardId, Shard>,
    children: BTreeMap<ShardId, Vec<ShardId>>,
    closed: BTreeMap<ShardId, Duration>,
    removed: BTreeSet<ShardId>,
}

impl Family {
    pub(super) fn see(&mut self, entry: &Entry) {
        match &entry.event {
            Event::Reshard(closed, opened) => {
                self.closed.extend(closed.iter().map(|shard| (shard.clone(), entry.at)));
                for shard in opened {
                    for parent in &shard.parents {
                        self.children.entry(parent.clone()).or_default().push(shard.id.clone());
                    }
                    self.shards.insert(shard.id.clone(), shard.clone());
                }
            }
            Event::Removed(shard) => drop(self.removed.insert(shard.clone())),
            _ => {}
        }
    }

    /// A shard as it was opened.
    pub(super) fn shard(&self, shard: &ShardId) -> Option<&Shard> {
        self.shards.get(shard)
    }

    /// The shards that a reshard has not closed.
    pub(super) fn open(&self) -> impl Iterator<Item = &ShardId> {
        self.shards.keys().filter(|shard| !self.closed.contains_key(*shard))
    }

    /// The shards that this one followed.
    pub(super) fn parents(&self, shard: &ShardId) -> &[ShardId] {
        self.shards.get(shard).map(|shard| shard.parents.as_slice()).unwrap_or_default()
    }

    /// The shards that followed this one.
    pub(super) fn children(&self, shard: &ShardId) -> &[ShardId] {
        self.children.get(shard).map(Vec::as_slice).unwrap_or_default()
    }

    /// Every shard that this one descends from.
    pub(super) fn ancestors(&self, shard: &ShardId) -> BTreeSet<ShardId> {
        let mut found = BTreeSet::new();
        let mut open = self.parents(shard).to_vec();
        while let Some(shard) = open.pop() {
            if found.insert(shard.clone()) {
                open.extend(self.parents(&shard).iter().cloned());
            }
        }
        found
    }

    /// When a reshard closed it.
    pub(super) fn closed_at(&self, shard: &ShardId) -> Option<Duration> {
        self.closed.get(shard).copied()
    }

    /// Whether it has left the stream.
    pub(super) fn is_removed(&self, shard: &ShardId) -> bool {
        self.removed.contains(shard)
    }
}
