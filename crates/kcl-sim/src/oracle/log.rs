//! Records of runs that never were: made by hand, one event a second, for the tests of oracles.

use std::collections::BTreeMap;
use std::time::Duration;

use kcl_core::{
    Checkpoint, ExtendedSequenceNumber, HashKeyRange, Lease, LeaseKey, LeaseWrite, SequenceNumber, Shard, ShardId, StartStrategy,
    WorkerId,
};

use super::view::apply;
use super::{Finding, Run};
use crate::exec::NodeId;
use crate::scenario::Options;
use crate::trace::{Answer, Applied, Call, Entry, Event, Tenure};

/// A record that grows; its table follows.
pub(super) struct Log {
    pub(super) options: Options,
    entries: Vec<Entry>,
    table: BTreeMap<LeaseKey, Lease>,
}

/// A tenure of this process.
pub(super) fn tenure(node: usize, shard: &str, number: u64) -> Tenure {
    Tenure { node: NodeId(node), shard: shard.into(), number }
}

pub(super) fn position(number: u64) -> ExtendedSequenceNumber {
    ExtendedSequenceNumber::new(SequenceNumber::from(number), 0)
}

pub(super) fn at(number: u64) -> Checkpoint {
    Checkpoint::At(position(number))
}

impl Log {
    /// Nothing happened; reading begins at the oldest record.
    pub(super) fn new() -> Self {
        let options =
            Options { start: StartStrategy::Oldest, batch: 1, java: crate::scenario::Java::default(), ..Options::draw(1) };
        Self { options, entries: Vec::new(), table: BTreeMap::new() }
    }

    pub(super) fn starting(mut self, start: StartStrategy) -> Self {
        self.options.start = start;
        self
    }

    /// Adds any event.
    pub(super) fn event(mut self, event: Event) -> Self {
        apply(&mut self.table, &event);
        self.entries.push(Entry { at: Duration::from_secs(self.entries.len() as u64 + 1), event });
        self
    }

    /// Shards are closed, and others opened that follow all of them.
    pub(super) fn reshard(self, closed: &[&str], opened: &[&str]) -> Self {
        let parents: Vec<ShardId> = closed.iter().map(|&shard| shard.into()).collect();
        let shard = |id: &&str| Shard {
            id: (*id).into(),
            parents: parents.clone(),
            hash_range: HashKeyRange::FULL,
            starting_sequence_number: None,
            ending_sequence_number: None,
        };
        let opened = opened.iter().map(shard).collect();
        self.event(Event::Reshard(parents, opened))
    }

    pub(super) fn put(self, shard: &str, number: u64, key: &str) -> Self {
        self.event(Event::Put(shard.into(), position(number), key.to_owned()))
    }

    /// A write that is applied to whatever the row is, sent now.
    fn write(self, node: usize, key: &LeaseKey, write: impl FnOnce(&Lease) -> LeaseWrite) -> Self {
        let before = self.table.get(key).cloned();
        let write = write(&before.clone().unwrap_or_else(|| Lease::new(key.clone(), Checkpoint::TrimHorizon)));
        let after = write.apply(before.as_ref()).expect("the row is as this write expects it");
        let sent = Duration::from_secs(self.entries.len() as u64 + 1);
        self.event(Event::Write(Applied { node: NodeId(node), sent, write, before, after, applied: true }))
    }

    /// The last write was sent so many seconds after the start.
    pub(super) fn sent_at(mut self, seconds: u64) -> Self {
        if let Some(Entry { event: Event::Write(write), .. }) = self.entries.last_mut() {
            write.sent = Duration::from_secs(seconds);
        }
        self
    }

    pub(super) fn create(self, shard: &str, checkpoint: Checkpoint) -> Self {
        let row = Lease::new(shard.into(), checkpoint);
        self.write(1, &shard.into(), |_| LeaseWrite::create(row))
    }

    pub(super) fn take(self, node: usize, shard: &str) -> Self {
        self.write(node, &shard.into(), |row| {
            LeaseWrite::take(row, &WorkerId::new(format!("w{node}")), kcl_core::TenureToken::new(1))
        })
    }

    pub(super) fn renew(self, node: usize, shard: &str) -> Self {
        self.write(node, &shard.into(), LeaseWrite::renew)
    }

    pub(super) fn checkpoint(self, node: usize, shard: &str, checkpoint: Checkpoint) -> Self {
        self.write(node, &shard.into(), |row| LeaseWrite::checkpoint(row, checkpoint))
    }

    pub(super) fn release(self, node: usize, shard: &str) -> Self {
        self.write(node, &shard.into(), LeaseWrite::release)
    }

    pub(super) fn delete(self, node: usize, shard: &str) -> Self {
        self.write(node, &shard.into(), LeaseWrite::delete)
    }

    /// Somebody removes a row by hand.
    pub(super) fn remove_by_hand(self, shard: &str) -> Self {
        let before = self.table.get(&LeaseKey::from(shard)).cloned();
        self.event(Event::Edited(shard.into(), before, None))
    }

    pub(super) fn begin(self, tenure: &Tenure, call: Call) -> Self {
        self.event(Event::Begin(tenure.clone(), call))
    }

    pub(super) fn initialize(self, tenure: &Tenure, start: Checkpoint) -> Self {
        self.begin(tenure, Call::Initialize(start))
    }

    /// Records are handed over.
    pub(super) fn hand_over(self, tenure: &Tenure, numbers: &[u64]) -> Self {
        self.begin(tenure, Call::Process(numbers.iter().copied().map(position).collect()))
    }

    /// Records are handed over and processed.
    pub(super) fn process(self, tenure: &Tenure, numbers: &[u64]) -> Self {
        self.hand_over(tenure, numbers).event(Event::Processed(tenure.clone()))
    }

    pub(super) fn ask(self, tenure: &Tenure, checkpoint: Checkpoint) -> Self {
        self.event(Event::Asked(tenure.clone(), checkpoint))
    }

    pub(super) fn stored(self, tenure: &Tenure, checkpoint: Checkpoint) -> Self {
        self.event(Event::Answered(tenure.clone(), checkpoint, Answer::Stored))
    }

    pub(super) fn read(self, node: usize, shard: &str, first: u64, count: usize) -> Self {
        self.event(Event::Read(NodeId(node), shard.into(), Some(SequenceNumber::from(first)), count, None))
    }

    /// What an oracle says of it.
    pub(super) fn judge(&self, check: fn(Run<'_>) -> Result<(), Finding>) -> Option<String> {
        check(Run { entries: &self.entries, options: &self.options, seed: 1 }).err().map(|(_, what)| what)
    }
}
