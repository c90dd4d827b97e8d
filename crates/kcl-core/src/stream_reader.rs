use async_trait::async_trait;

use crate::{ChildShard, ReadError, ReadPosition, Record, Shard, ShardFilter, ShardId};

/// The end of a shard: no record follows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShardEndEvent {
    /// The shards that follow. Empty if the backend did not say; then the caller lists the shards.
    pub children: Vec<ChildShard>,
}

/// What one read of a shard gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShardEvent {
    /// The records, in order, as they are stored: aggregated records are not taken apart.
    pub records: Vec<Record>,
    /// How far the end of the answer is behind the newest record, in milliseconds, if the backend said.
    pub millis_behind_latest: Option<i64>,
    /// Whether the shard ends after these records.
    pub end: Option<ShardEndEvent>,
}

/// A stream: which shards it has, and readers for them.
///
/// # Contract
/// - No method sleeps, spawns, retries or paces: the caller does.
/// - A listing is complete or an error: pages are put together by the implementation.
#[async_trait]
pub trait StreamReader: Send + Sync + 'static {
    /// The shards that the filter selects, each once, in no particular order.
    ///
    /// # Errors
    /// `NotFound` if the stream does not exist, `NotReady` while it is being made or deleted, otherwise by kind.
    async fn list_shards(&self, filter: ShardFilter) -> Result<Vec<Shard>, ReadError>;

    /// A reader of one shard from `position` on.
    ///
    /// # Errors
    /// `NotFound` if the shard (or the stream) does not exist, `Invalid` if the position is not one of this shard,
    /// otherwise by kind.
    async fn open(&self, shard: &ShardId, position: &ReadPosition) -> Result<Box<dyn ShardReader>, ReadError>;
}

/// Reads one shard in order.
///
/// # Contract
/// - `next` makes at most one call to the service and never sleeps.
/// - It is cancel-safe: dropping its future loses no record; the next call gives what that one would have given.
/// - After an error the same call may be made again; nothing is skipped. After an event with an end there is nothing more.
#[async_trait]
pub trait ShardReader: Send {
    /// The next records, possibly none.
    ///
    /// # Errors
    /// `Expired` if the shard must be opened again behind the last record, `NotFound` if it is gone (never an end of
    /// the shard), otherwise by kind.
    async fn next(&mut self) -> Result<ShardEvent, ReadError>;
}

#[async_trait]
impl<S: StreamReader + ?Sized> StreamReader for std::sync::Arc<S> {
    async fn list_shards(&self, filter: ShardFilter) -> Result<Vec<Shard>, ReadError> {
        (**self).list_shards(filter).await
    }

    async fn open(&self, shard: &ShardId, position: &ReadPosition) -> Result<Box<dyn ShardReader>, ReadError> {
        (**self).open(shard, position).await
    }
}
