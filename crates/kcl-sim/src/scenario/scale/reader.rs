use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use kcl_core::{ReadError, ReadPosition, Shard, ShardEvent, ShardFilter, ShardId, ShardReader, StreamReader};
use kcl_testing::MemoryStream;

use crate::exec::{NodeId, Sim};
use crate::keyed::{Stream, time_between};

/// The stream as one node sees it: calls take their time and never fail.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    pub(super) sim: Sim,
    pub(super) memory: MemoryStream,
    pub(super) node: NodeId,
    pub(super) calls: Arc<AtomicU64>,
    pub(super) readings: Readings,
}

/// Which node has read each shard last. A handle: clones share it.
#[derive(Clone, Debug, Default)]
pub(in crate::scenario) struct Readings(Arc<Mutex<BTreeMap<ShardId, NodeId>>>);

impl Readings {
    fn read(&self, shard: &ShardId, node: NodeId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(shard.clone(), node);
    }

    /// Of how many shards the last to read is one of these.
    pub(in crate::scenario) fn of(&self, is_one: impl Fn(NodeId) -> bool) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().filter(|node| is_one(**node)).count()
    }
}

impl Reader {
    async fn delay(&self) {
        let key = (self.node.number(), 3, self.calls.fetch_add(1, Ordering::Relaxed));
        let (least, most) = (Duration::from_millis(1), Duration::from_millis(30));
        self.sim.sleep(time_between(self.sim.seed(), Stream::Latency, key, least, most)).await;
    }
}

#[async_trait]
impl StreamReader for Reader {
    async fn list_shards(&self, filter: ShardFilter) -> Result<Vec<Shard>, ReadError> {
        self.delay().await;
        self.memory.list_shards(filter).await
    }

    async fn open(&self, shard: &ShardId, position: &ReadPosition) -> Result<Box<dyn ShardReader>, ReadError> {
        self.delay().await;
        let inner = self.memory.open(shard, position).await?;
        Ok(Box::new(OneShard { of: self.clone(), shard: shard.clone(), inner }))
    }
}

struct OneShard {
    of: Reader,
    shard: ShardId,
    inner: Box<dyn ShardReader>,
}

#[async_trait]
impl ShardReader for OneShard {
    async fn next(&mut self) -> Result<ShardEvent, ReadError> {
        self.of.delay().await;
        self.of.readings.read(&self.shard, self.of.node);
        // No await before this is polled, and it is done when it is first polled: cancelling loses nothing.
        self.inner.next().await
    }
}
