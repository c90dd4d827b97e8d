use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use kcl_core::{
    ErrorKind, ExtendedSequenceNumber, ReadError, ReadPosition, Shard, ShardEvent, ShardFilter, ShardId, ShardReader,
    StreamReader, Wall,
};
use kcl_testing::MemoryStream;

use super::{Api, Fate, FaultMix, Mutant};
use crate::exec::{NodeId, Sim};
use crate::keyed::{Stream, time_between};
use crate::trace::{Event, Trace};

/// How long an iterator is good for.
const ITERATOR_LIFE: Duration = Duration::from_secs(300);

/// The stream. A handle: clones share it.
#[derive(Clone, Debug)]
pub struct StreamServer {
    sim: Sim,
    trace: Trace,
    mutant: Mutant,
    memory: MemoryStream,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    calls: BTreeMap<(NodeId, Api), u64>,
    faults: FaultMix,
}

impl StreamServer {
    /// A stream of so many shards.
    pub fn new(sim: Sim, trace: Trace, faults: FaultMix, mutant: Mutant, shards: u32) -> Self {
        let state = Arc::new(Mutex::new(State { calls: BTreeMap::new(), faults }));
        Self { sim, trace, mutant, memory: MemoryStream::new("stream", shards), state }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The stream as one node sees it.
    pub fn client(&self, node: NodeId) -> StreamClient {
        StreamClient { server: self.clone(), node }
    }

    /// From now on no call meets a fault.
    pub fn heal(&self) {
        self.state().faults = FaultMix::default();
    }

    /// The shards that records can be put on, in order of their hashes.
    pub fn open_shards(&self) -> Vec<ShardId> {
        self.memory.open_shards()
    }

    /// The most records that one read gives.
    pub fn set_records_per_read(&self, records: usize) {
        self.memory.set_records_per_read(records);
    }

    fn memory(&self) -> &MemoryStream {
        let passed = i64::try_from(self.sim.now().as_millis()).unwrap_or(i64::MAX);
        self.memory.set_now(Wall::from_unix_millis(MemoryStream::START.unix_millis() + passed));
        &self.memory
    }

    /// Puts a record on a shard, if it is open.
    pub fn put(&self, shard: &ShardId, data: &[u8]) {
        if let Ok(number) = self.memory().put_to(shard, "key", data) {
            self.trace.add(Event::Put(shard.clone(), ExtendedSequenceNumber::new(number, 0)));
        }
    }

    /// Splits a shard, if it can be split.
    pub fn split(&self, shard: &ShardId) {
        if let Ok(children) = self.memory().split(shard) {
            self.trace.add(Event::Reshard(vec![shard.clone()], children.to_vec()));
        }
    }

    /// Merges two shards, if they are neighbours.
    pub fn merge(&self, shard: &ShardId, adjacent: &ShardId) {
        if let Ok(child) = self.memory().merge(shard, adjacent) {
            self.trace.add(Event::Reshard(vec![shard.clone(), adjacent.clone()], vec![child]));
        }
    }

    async fn call(&self, node: NodeId, api: Api) -> Result<(), ReadError> {
        let (nth, fate) = {
            let mut state = self.state();
            let calls = state.calls.entry((node, api)).or_default();
            *calls += 1;
            let nth = *calls;
            (nth, state.faults.fate(self.sim.seed(), node, api, nth))
        };
        if fate != Fate::Ok {
            self.trace.add(Event::Fault(node, api, nth, fate));
        }
        let key = (node.number(), (api as u64) << 8, nth);
        let (least, most) = (Duration::from_millis(1), Duration::from_millis(30));
        let slow = if let Fate::SlowReply(time) = fate { time } else { Duration::ZERO };
        self.sim.sleep(time_between(self.sim.seed(), Stream::Latency, key, least, most) + slow).await;
        let kind = match fate {
            Fate::FailBefore => ErrorKind::Unavailable,
            Fate::Throttle => ErrorKind::Throttled,
            Fate::Expire => ErrorKind::Expired,
            _ => return Ok(()),
        };
        let operation = match api {
            Api::List => "list_shards",
            Api::Open => "open",
            _ => "next",
        };
        Err(ReadError::new(kind, operation, "stream"))
    }
}

/// The stream as one node sees it.
#[derive(Clone, Debug)]
pub struct StreamClient {
    server: StreamServer,
    node: NodeId,
}

#[async_trait]
impl StreamReader for StreamClient {
    async fn list_shards(&self, filter: ShardFilter) -> Result<Vec<Shard>, ReadError> {
        self.server.call(self.node, Api::List).await?;
        self.server.memory().list_shards(filter).await
    }

    async fn open(&self, shard: &ShardId, position: &ReadPosition) -> Result<Box<dyn ShardReader>, ReadError> {
        self.server.call(self.node, Api::Open).await?;
        let again = matches!(position, ReadPosition::After(_)) && self.server.mutant == Mutant::ReopenAtLatest;
        let position = if again { &ReadPosition::Latest } else { position };
        let inner = self.server.memory().open(shard, position).await?;
        let used = self.server.sim.now();
        Ok(Box::new(Reader { client: self.clone(), shard: shard.clone(), inner, used, expired: false }))
    }
}

struct Reader {
    client: StreamClient,
    shard: ShardId,
    inner: Box<dyn ShardReader>,
    used: Duration,
    expired: bool,
}

#[async_trait]
impl ShardReader for Reader {
    async fn next(&mut self) -> Result<ShardEvent, ReadError> {
        let server = &self.client.server;
        let called = server.call(self.client.node, Api::Next).await;
        let now = server.sim.now();
        self.expired |= now.saturating_sub(self.used) > ITERATOR_LIFE;
        self.expired |= called.as_ref().is_err_and(|error| error.kind() == ErrorKind::Expired);
        if self.expired {
            return Err(ReadError::new(ErrorKind::Expired, "next", self.shard.as_str()));
        }
        called?;
        // No await before this is polled, and it is done when it is first polled: cancelling loses nothing.
        let event = self.inner.next().await?;
        self.used = now;
        server.trace.add(Event::Read(self.client.node, self.shard.clone()));
        Ok(event)
    }
}
