use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kcl_core::{ErrorKind, ExtendedSequenceNumber, ReadError, SequenceNumber, Shard, ShardFilter, ShardId, Wall};
use kcl_testing::MemoryStream;

use super::{Api, Call, Fate, FaultPlan, Mutant, StreamClient};
use crate::exec::{NodeId, Sim};
use crate::keyed::{Stream, decide, time_between};
use crate::trace::{Event, Trace};

/// The stream. A handle: clones share it.
#[derive(Clone, Debug)]
pub struct StreamServer {
    pub(super) sim: Sim,
    pub(super) trace: Trace,
    pub(super) mutant: Mutant,
    memory: MemoryStream,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    calls: BTreeMap<(NodeId, Api), u64>,
    faults: FaultPlan,
    /// The listing as it was, by the time since when.
    listings: Vec<(Duration, Vec<Shard>)>,
    /// The newest record of each shard, by time.
    puts: BTreeMap<ShardId, Vec<(Duration, SequenceNumber)>>,
    /// When each shard was closed.
    closed: BTreeMap<ShardId, Duration>,
    /// Until when the stream does not exist.
    gone_until: Duration,
}

impl StreamServer {
    /// A stream of so many shards.
    pub fn new(sim: Sim, trace: Trace, faults: FaultPlan, mutant: Mutant, shards: u32) -> Self {
        let memory = MemoryStream::new("stream", shards);
        let (calls, puts, closed) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let state = State { calls, faults, listings: Vec::new(), puts, closed, gone_until: Duration::ZERO };
        let server = Self { sim, trace, mutant, memory, state: Arc::new(Mutex::new(state)) };
        server.changed(Vec::new());
        server
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The stream as one node sees it.
    pub fn client(&self, node: NodeId) -> StreamClient {
        StreamClient::new(self.clone(), node)
    }

    /// From now on no call meets a fault, and the stream exists.
    pub fn heal(&self) {
        let mut state = self.state();
        state.faults = FaultPlan::default();
        state.gone_until = Duration::ZERO;
    }

    /// Every call answers that there is no such stream, until this moment. Not again right after the last time: a stream that
    /// is gone whenever somebody looks is gone for good.
    pub fn gone_until(&self, until: Duration) {
        const APART: Duration = Duration::from_secs(120);
        let now = self.sim.now();
        let mut state = self.state();
        if state.gone_until.is_zero() || now > state.gone_until + APART {
            state.gone_until = until;
        }
    }

    /// The shards that records can be put on, in order of their creation.
    pub fn open_shards(&self) -> Vec<ShardId> {
        self.memory.open_shards()
    }

    /// The most records that one read gives.
    pub fn set_records_per_read(&self, records: usize) {
        self.memory.set_records_per_read(records);
    }

    pub(super) fn memory(&self) -> &MemoryStream {
        let passed = i64::try_from(self.sim.now().as_millis()).unwrap_or(i64::MAX);
        self.memory.set_now(Wall::from_unix_millis(MemoryStream::START.unix_millis() + passed));
        &self.memory
    }

    /// Puts a record on the shard that serves the key: `count` user records, aggregated if they are two or more.
    pub fn put(&self, key: &str, count: u64, data: &[u8]) {
        let memory = self.memory();
        let (shard, number) = if count < 2 { memory.put(key, data) } else { memory.put(key, aggregated(key, count, data)) };
        self.state().puts.entry(shard.clone()).or_default().push((self.sim.now(), number.clone()));
        for sub_sequence in 0..count.max(1) {
            let position = ExtendedSequenceNumber::new(number.clone(), sub_sequence);
            self.trace.add(Event::Put(shard.clone(), position, key.to_owned()));
        }
    }

    /// Splits a shard, if it can be split.
    pub fn split(&self, shard: &ShardId) {
        if self.memory().split(shard).is_ok() {
            self.changed(vec![shard.clone()]);
        }
    }

    /// Merges two shards, if they are neighbours.
    pub fn merge(&self, shard: &ShardId, adjacent: &ShardId) {
        if self.memory().merge(shard, adjacent).is_ok() {
            self.changed(vec![shard.clone(), adjacent.clone()]);
        }
    }

    /// Ends the retention of all records older than `age`.
    pub fn trim(&self, age: Duration) {
        let old = self.sim.now().saturating_sub(age);
        let puts = self.state().puts.clone();
        for (shard, records) in puts {
            // The newest stays, as the first that is not removed.
            let kept = records.iter().find(|(at, _)| *at >= old).or_else(|| records.last());
            if let Some((_, first)) = kept
                && self.memory().trim(&shard, first).is_ok_and(|removed| removed > 0)
            {
                self.trace.add(Event::Trimmed(shard, first.clone()));
            }
        }
    }

    /// Forgets the shards that were closed longer than `age` ago.
    pub fn forget(&self, age: Duration) {
        let old = self.sim.now().saturating_sub(age);
        let closed = self.state().closed.clone();
        let past: Vec<ShardId> = closed.into_iter().filter(|(_, at)| *at < old).map(|(shard, _)| shard).collect();
        for shard in past {
            self.state().closed.remove(&shard);
            if self.memory().remove_shard(&shard).is_ok() {
                self.trace.add(Event::Removed(shard));
            }
        }
        self.remember_listing();
    }

    fn remember_listing(&self) {
        let listing = (self.sim.now(), self.memory.shards());
        self.state().listings.push(listing);
    }

    fn changed(&self, closed: Vec<ShardId>) {
        let known: Vec<ShardId> = self
            .state()
            .listings
            .last()
            .map(|(_, shards)| shards.iter().map(|shard| shard.id.clone()).collect())
            .unwrap_or_default();
        let opened = self.memory.shards().into_iter().filter(|shard| !known.contains(&shard.id)).collect();
        let now = self.sim.now();
        self.state().closed.extend(closed.iter().map(|shard| (shard.clone(), now)));
        self.remember_listing();
        self.trace.add(Event::Reshard(closed, opened));
    }

    /// What a listing shows of these shards, which are the true answer.
    pub(super) fn shown(&self, filter: ShardFilter, shards: Vec<Shard>, nth: u64, fate: Fate) -> Vec<Shard> {
        match fate {
            Fate::LateListing(age) => {
                let moment = self.sim.now().saturating_sub(age);
                let state = self.state();
                let as_it_was = state.listings.iter().rev().find(|(since, _)| *since <= moment);
                let old = as_it_was.map(|(_, old)| old.clone()).unwrap_or_default();
                match filter {
                    ShardFilter::AtLatest => old.into_iter().filter(Shard::is_open).collect(),
                    _ => old.into_iter().filter(|shard| shards.iter().any(|now| now.id == shard.id)).collect(),
                }
            }
            Fate::PartialListing(one_in) => {
                let kept = |index: u64| !decide(self.sim.seed(), Stream::Fault, (nth, index, 55)).is_multiple_of(one_in);
                (0..).zip(shards).filter(|(index, _)| kept(*index)).map(|(_, shard)| shard).collect()
            }
            Fate::DoubleListing => [shards.clone(), shards].concat(),
            _ => shards,
        }
    }

    /// One call: how many'th it is and what happens to it, or its error.
    pub(super) async fn call(&self, node: NodeId, api: Api) -> Result<(u64, Fate), ReadError> {
        let (nth, fate) = {
            let mut state = self.state();
            let calls = state.calls.entry((node, api)).or_default();
            *calls += 1;
            let nth = *calls;
            (nth, state.faults.fate(self.sim.seed(), Call { node, api, nth }))
        };
        self.trace.add(Event::Called(node, api));
        if fate != Fate::Ok {
            self.trace.add(Event::Fault(node, api, nth, fate));
        }
        let key = (node.number(), api.number() << 8, nth);
        let (least, most) = (Duration::from_millis(1), Duration::from_millis(30));
        let slow = if let Fate::SlowReply(time) = fate { time } else { Duration::ZERO };
        self.sim.sleep(time_between(self.sim.seed(), Stream::Latency, key, least, most) + slow).await;
        let gone = self.state().gone_until > self.sim.now();
        let failed = if let Fate::Fail(kind) = fate { Some(kind) } else { gone.then_some(ErrorKind::NotFound) };
        let operation = match api {
            Api::List => "list_shards",
            Api::Open => "open",
            _ => "next",
        };
        failed.map_or(Ok((nth, fate)), |kind| Err(ReadError::new(kind, operation, "stream")))
    }
}

fn aggregated(key: &str, count: u64, data: &[u8]) -> bytes::Bytes {
    let mut aggregator = kcl_aggregation::Aggregator::default();
    for nth in 0..count {
        // Far below the limit: nothing is packed before the end.
        let _ = aggregator.add(key, None, [data, &nth.to_be_bytes()].concat());
    }
    aggregator.finish().map(|packed| packed.data).unwrap_or_default()
}
