//! Records of runs that never were, made by hand for the tests of oracles that reckon with times; the others use `log`.

use std::collections::BTreeMap;
use std::time::Duration;

use kcl_core::{Checkpoint, HashKeyRange, Lease, LeaseKey, LeaseWrite, Shard, StartStrategy};

use super::view::apply;
use super::{Finding, Oracle, Run};
use crate::exec::NodeId;
use crate::scenario::Options;
use crate::trace::{Applied, Call, Entry, Event, Stage, Tenure};

/// A record, in order of time; the table is kept up to date.
pub(super) struct Log {
    pub(super) options: Options,
    entries: Vec<Entry>,
    rows: BTreeMap<LeaseKey, Lease>,
    now: Duration,
}

/// Times that are easy to reckon with: a failover time of 9 s, so that 3 s lie between renewals and 4.5 s between scans.
pub(super) fn log() -> Log {
    let drawn = Options::draw(1);
    let options = Options {
        failover: Duration::from_secs(9),
        scan: None,
        poll: Duration::from_secs(1),
        sync: Duration::from_secs(10),
        start: StartStrategy::Oldest,
        leases_to_acquire: 1,
        mixed: false,
        hand_off: Duration::from_secs(30),
        java: crate::scenario::Java::default(),
        mixed_hand_off: false,
        rate_ppm: 0,
        stops_in_suspend: false,
        behaviour: crate::world::Behaviour { slowest: Duration::from_secs(1), ..drawn.behaviour },
        ..drawn
    };
    Log { options, entries: Vec::new(), rows: BTreeMap::new(), now: Duration::ZERO }
}

pub(super) const fn node(number: usize) -> NodeId {
    NodeId(number)
}

pub(super) fn tenure(number: usize, shard: &str) -> Tenure {
    Tenure { node: node(number), shard: shard.into(), number: number as u64 }
}

pub(super) fn shard(id: &str, parents: &[&str]) -> Shard {
    let parents = parents.iter().map(|&parent| parent.into()).collect();
    Shard { id: id.into(), parents, hash_range: HashKeyRange::FULL, starting_sequence_number: None, ending_sequence_number: None }
}

impl Log {
    /// From now on, what happens happens so many milliseconds after the start.
    pub(super) fn at(mut self, millis: u64) -> Self {
        self.now = Duration::from_millis(millis);
        self
    }

    pub(super) fn add(mut self, event: Event) -> Self {
        apply(&mut self.rows, &event);
        self.entries.push(Entry { at: self.now, event });
        self
    }

    pub(super) fn enter(self, stage: Stage) -> Self {
        self.add(Event::Enter(stage))
    }

    /// Processes w1, w2, and so on.
    pub(super) fn workers(self, count: usize) -> Self {
        (1..=count).fold(self, |log, number| log.add(Event::Started(node(number), format!("w{number}").as_str().into())))
    }

    pub(super) fn begin(self, number: usize, shard: &str, call: Call) -> Self {
        self.add(Event::Begin(tenure(number, shard), call))
    }

    fn row(&self, shard: &str) -> Lease {
        let key: LeaseKey = shard.into();
        self.rows.get(&key).cloned().unwrap_or_else(|| Lease::new(key, Checkpoint::TrimHorizon))
    }

    /// A write that was sent so many milliseconds before it is decided.
    pub(super) fn write(self, number: usize, millis_before: u64, write: LeaseWrite) -> Self {
        let before = self.rows.get(write.key()).cloned();
        let result = write.apply(before.as_ref());
        let (applied, after) = (result.is_ok(), result.ok().flatten());
        let sent = self.now - Duration::from_millis(millis_before);
        self.add(Event::Write(Applied { node: node(number), sent, write, before, after, applied }))
    }

    pub(super) fn create(self, shard: &str) -> Self {
        let row = self.row(shard);
        self.write(1, 0, LeaseWrite::create(row))
    }

    pub(super) fn take(self, number: usize, shard: &str) -> Self {
        let take = LeaseWrite::take(&self.row(shard), &format!("w{number}").as_str().into(), kcl_core::TenureToken::new(1));
        self.write(number, 0, take.with_hand_off(true))
    }

    pub(super) fn request(self, number: usize, shard: &str) -> Self {
        match LeaseWrite::request(&self.row(shard), &format!("w{number}").as_str().into()) {
            Some(request) => self.write(number, 0, request),
            None => self,
        }
    }

    /// To whoever asks, sent so many milliseconds before it is decided.
    pub(super) fn transfer(self, number: usize, shard: &str, millis_before: u64) -> Self {
        let row = self.row(shard);
        match row.requested_by.as_ref().and_then(|by| LeaseWrite::transfer(&row, by)) {
            Some(transfer) => self.write(number, millis_before, transfer),
            None => self,
        }
    }

    pub(super) fn renew(self, number: usize, shard: &str, millis_before: u64) -> Self {
        let renew = LeaseWrite::renew(&self.row(shard));
        self.write(number, millis_before, renew)
    }

    pub(super) fn end(self, number: usize, shard: &str) -> Self {
        let end = LeaseWrite::checkpoint(&self.row(shard), Checkpoint::ShardEnd);
        self.write(number, 0, end)
    }

    pub(super) fn delete(self, number: usize, shard: &str) -> Self {
        let delete = LeaseWrite::delete(&self.row(shard));
        self.write(number, 0, delete)
    }

    /// What was written down.
    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(super) fn judge(&self, oracle: Oracle) -> Result<(), Finding> {
        oracle(Run { entries: &self.entries, options: &self.options, seed: 1 })
    }

    /// It says something with these words, or nothing if there are none.
    #[track_caller]
    pub(super) fn says(&self, oracle: Oracle, words: &str) {
        let said = self.judge(oracle).err().map(|(_, what)| what).unwrap_or_default();
        assert!(if words.is_empty() { said.is_empty() } else { said.contains(words) }, "said: {said:?}");
    }
}
