//! A lease store and a stream as one process sees them: every call takes its time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use kcl_core::{
    FleetRows, Lease, LeaseKey, LeaseScan, LeaseStore, LeaseWrite, ReadError, ReadPosition, Shard, ShardEvent, ShardFilter,
    ShardId, ShardReader, StoreError, StreamReader, WriteOutcome,
};

use super::clock::sleep;
use super::draws::Draws;

/// How long calls take. A handle: clones share the draws.
#[derive(Clone, Debug)]
pub(super) struct Latency {
    draws: Arc<Mutex<Draws>>,
    longest: Duration,
}

impl Latency {
    pub(super) fn new(draws: Draws, longest: Duration) -> Self {
        Self { draws: Arc::new(Mutex::new(draws)), longest }
    }

    async fn pass(&self) {
        let time = self.draws.lock().unwrap_or_else(PoisonError::into_inner).time(Duration::ZERO, self.longest);
        sleep(time).await;
    }

    /// A request travels there, and its answer back.
    async fn around<T>(&self, call: impl Future<Output = T>) -> T {
        self.pass().await;
        let answer = call.await;
        self.pass().await;
        answer
    }
}

#[derive(Clone, Debug)]
pub(super) struct Distant<S> {
    pub(super) inner: S,
    pub(super) latency: Latency,
}

#[async_trait]
impl<S: LeaseStore> LeaseStore for Distant<S> {
    async fn prepare(&self) -> Result<(), StoreError> {
        self.latency.around(self.inner.prepare()).await
    }

    async fn scan(&self) -> Result<LeaseScan, StoreError> {
        self.latency.around(self.inner.scan()).await
    }

    async fn get(&self, key: &LeaseKey) -> Result<Option<Lease>, StoreError> {
        self.latency.around(self.inner.get(key)).await
    }

    async fn write(&self, write: &LeaseWrite) -> Result<WriteOutcome, StoreError> {
        self.latency.around(self.inner.write(write)).await
    }

    async fn fleet(&self) -> Result<FleetRows, StoreError> {
        self.latency.around(self.inner.fleet()).await
    }
}

#[async_trait]
impl<S: StreamReader> StreamReader for Distant<S> {
    async fn list_shards(&self, filter: ShardFilter) -> Result<Vec<Shard>, ReadError> {
        self.latency.around(self.inner.list_shards(filter)).await
    }

    async fn open(&self, shard: &ShardId, position: &ReadPosition) -> Result<Box<dyn ShardReader>, ReadError> {
        let inner = self.latency.around(self.inner.open(shard, position)).await?;
        Ok(Box::new(Distant { inner, latency: self.latency.clone() }))
    }
}

#[async_trait]
impl ShardReader for Distant<Box<dyn ShardReader>> {
    async fn next(&mut self) -> Result<ShardEvent, ReadError> {
        // Before the call only: a read that is given up must not lose what it read.
        self.latency.pass().await;
        self.inner.next().await
    }
}
