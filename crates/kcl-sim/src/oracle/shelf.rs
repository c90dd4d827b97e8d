//! What was put on the stream so far, and what of it a reader is owed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kcl_core::{Checkpoint, ExtendedSequenceNumber, LeaseKey, SequenceNumber, ShardId, StartStrategy, Verb, Wall};
use kcl_testing::MemoryStream;

use crate::exec::NodeId;
use crate::scenario::Options;
use crate::trace::{Entry, Event};

/// One user record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Put {
    pub(super) position: ExtendedSequenceNumber,
    pub(super) arrival: Wall,
}

/// The next record of a tenure.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Next {
    /// Its index among the shard's records, if it is not before `since`.
    pub(super) index: usize,
    /// Until the first record: what arrived before is not read.
    pub(super) since: Option<Wall>,
}

/// What the stream holds, as far as the record of the run was read.
pub(super) struct Shelf {
    start: StartStrategy,
    records: BTreeMap<ShardId, Vec<Put>>,
    trimmed: BTreeMap<ShardId, SequenceNumber>,
    removed: BTreeSet<ShardId>,
    /// How each row was created last, and since when a row at LATEST counts.
    created: BTreeMap<LeaseKey, (Checkpoint, Option<Wall>)>,
    /// The earliest of those times.
    first_latest: Option<Wall>,
    java: BTreeSet<NodeId>,
    /// The rows at LATEST that a Java worker created or took: it reads from the moment at which it looks, and nothing says when that
    /// was. What follows the first stored position is owed.
    tips: BTreeMap<LeaseKey, Option<ExtendedSequenceNumber>>,
}

/// What the stream's clock shows after so much time.
pub(super) fn wall(passed: Duration) -> Wall {
    let passed = i64::try_from(passed.as_millis()).unwrap_or(i64::MAX);
    Wall::from_unix_millis(MemoryStream::START.unix_millis().saturating_add(passed))
}

impl Shelf {
    pub(super) const fn new(options: &Options) -> Self {
        Self {
            start: options.start,
            records: BTreeMap::new(),
            trimmed: BTreeMap::new(),
            removed: BTreeSet::new(),
            created: BTreeMap::new(),
            first_latest: None,
            java: BTreeSet::new(),
            tips: BTreeMap::new(),
        }
    }

    pub(super) fn see(&mut self, entry: &Entry) {
        self.see_java(&entry.event);
        match &entry.event {
            Event::Put(shard, position, _) => {
                let put = Put { position: position.clone(), arrival: wall(entry.at) };
                self.records.entry(shard.clone()).or_default().push(put);
            }
            Event::Trimmed(shard, before) => drop(self.trimmed.insert(shard.clone(), before.clone())),
            Event::Removed(shard) => drop(self.removed.insert(shard.clone())),
            Event::Write(write) if write.applied && write.before.is_none() => {
                if let Some(row) = &write.after {
                    self.created.insert(row.key.clone(), (row.checkpoint.clone(), row.latest_since));
                    // A clock that was set back may say that reading begins before there was anything. That holds for the
                    // shards that have rows; of the others only what follows is owed.
                    let since = row.latest_since.map(|since| if since < wall(Duration::ZERO) { wall(entry.at) } else { since });
                    self.first_latest = self.first_latest.or(since);
                }
            }
            _ => {}
        }
    }

    fn see_java(&mut self, event: &Event) {
        match event {
            Event::Java(node, _) => drop(self.java.insert(*node)),
            Event::Write(write) if write.applied && !self.java.is_empty() => {
                let Some(row) = &write.after else { return };
                if write.before.is_none() {
                    self.tips.remove(&row.key);
                }
                let begins = write.before.is_none() || write.write.verb() == Verb::Take;
                if row.checkpoint == Checkpoint::Latest && begins && self.java.contains(&write.node) {
                    self.tips.entry(row.key.clone()).or_default();
                }
                if let (Some(tip @ None), Some(stored)) = (self.tips.get_mut(&row.key), row.checkpoint.position()) {
                    *tip = Some(stored.clone());
                }
            }
            _ => {}
        }
    }

    /// Whether the row's start at LATEST says nothing about when that was.
    pub(super) fn is_undated(&self, shard: &ShardId, node: NodeId) -> bool {
        self.java.contains(&node) || self.created.get(&LeaseKey::of_shard(shard)).is_some_and(|(_, since)| since.is_none())
    }

    /// The records of a shard in order.
    pub(super) fn records(&self, shard: &ShardId) -> &[Put] {
        self.records.get(shard).map(Vec::as_slice).unwrap_or_default()
    }

    /// Every shard with records.
    pub(super) fn shards(&self) -> impl Iterator<Item = &ShardId> {
        self.records.keys()
    }

    /// Whether retention has removed this record.
    pub(super) fn is_trimmed(&self, shard: &ShardId, position: &ExtendedSequenceNumber) -> bool {
        self.removed.contains(shard) || self.trimmed.get(shard).is_some_and(|kept| position.sequence_number < *kept)
    }

    /// Where a tenure begins that is told this.
    pub(super) fn first(&self, shard: &ShardId, start: &Checkpoint) -> Next {
        let records = self.records(shard);
        let (index, since) = match start {
            Checkpoint::At(position) => (records.partition_point(|put| put.position <= *position), None),
            Checkpoint::Latest => (0, self.created.get(&LeaseKey::of_shard(shard)).and_then(|(_, since)| *since)),
            Checkpoint::AtTimestamp => (0, self.start.timestamp()),
            Checkpoint::TrimHorizon => (0, None),
            Checkpoint::ShardEnd => (records.len(), None),
        };
        Next { index, since }
    }

    /// Whether a record has to be processed, if retention does not remove it before.
    pub(super) fn is_owed(&self, shard: &ShardId, put: &Put) -> bool {
        if let Some(tip) = self.tips.get(&LeaseKey::of_shard(shard)) {
            return tip.as_ref().is_some_and(|tip| put.position > *tip);
        }
        match (self.start, self.created.get(&LeaseKey::of_shard(shard))) {
            (StartStrategy::Oldest, _) => true,
            (StartStrategy::Timestamp(millis), _) => put.arrival.unix_millis() >= millis,
            (StartStrategy::Latest, Some((Checkpoint::Latest, since))) => since.is_none_or(|since| put.arrival >= since),
            (StartStrategy::Latest, Some(_)) => true,
            (StartStrategy::Latest, None) => self.first_latest.is_some_and(|first| put.arrival >= first),
        }
    }
}
