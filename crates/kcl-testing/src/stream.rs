use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use kcl_core::{ReadError, ReadPosition, SequenceNumber, Shard, ShardFilter, ShardId, ShardReader, StreamReader, Wall};

use self::reader::MemoryShardReader;
use self::state::State;

mod filter;
mod log;
mod reader;
mod reshard;
mod state;
#[cfg(test)]
mod tests;

/// A stream in memory, with the rules of Kinesis for hashes, resharding, positions, filters and retention.
///
/// A handle: clones share one stream, so that a test keeps one and gives the other to a worker. Shards are named
/// `shardId-000000000000` and so on. Sequence numbers increase strictly over the whole stream, and creating or closing a
/// shard takes one too, so a shard's records have gaps between them as on Kinesis. Time is what the test says: it starts
/// at [`MemoryStream::START`] and moves only by [`set_now`](Self::set_now) and [`advance`](Self::advance), unless the stream
/// was made [in real time](Self::in_real_time).
///
/// Reading never waits: at the tip it gives an empty event. Every call is done when its future is first polled.
#[derive(Clone, Debug)]
pub struct MemoryStream {
    state: Arc<Mutex<State>>,
}

impl MemoryStream {
    /// The time at which every stream begins: 2024-01-01T00:00:00Z.
    pub const START: Wall = Wall::from_unix_millis(1_704_067_200_000);

    /// A stream whose open shards divide the hashes evenly. `shard_count` 0 counts as 1.
    pub fn new(name: impl Into<String>, shard_count: u32) -> Self {
        Self { state: Arc::new(Mutex::new(State::new(name.into(), shard_count))) }
    }

    /// As [`new`](Self::new), but records arrive at the machine's time until [`set_now`](Self::set_now) or
    /// [`advance`](Self::advance) is called: for a consumer that starts at LATEST or at a timestamp of today.
    pub fn in_real_time(name: impl Into<String>, shard_count: u32) -> Self {
        let stream = Self::new(name, shard_count);
        stream.lock().real_time = true;
        stream
    }

    /// The stream's name.
    pub fn name(&self) -> String {
        self.lock().name.clone()
    }

    /// Puts a record on the open shard that serves the MD5 hash of the key. Where it went.
    ///
    /// # Panics
    /// If no open shard serves the hash: after [`close`](Self::close), [`delete`](Self::delete), or
    /// [`remove_shard`](Self::remove_shard) of an open shard.
    #[track_caller]
    pub fn put(&self, partition_key: &str, data: impl AsRef<[u8]>) -> (ShardId, SequenceNumber) {
        let now = self.now();
        self.put_record_at(partition_key, data, now)
    }

    /// As [`put`](Self::put), with another arrival time than now, which need not follow that of the record before.
    ///
    /// # Panics
    /// As [`put`](Self::put).
    #[track_caller]
    pub fn put_record_at(&self, partition_key: &str, data: impl AsRef<[u8]>, arrival: Wall) -> (ShardId, SequenceNumber) {
        let put = self.lock().put(partition_key, data.as_ref(), arrival);
        match put {
            Ok(put) => put,
            Err(refused) => panic!("{refused}"),
        }
    }

    /// Puts a record on this shard, whatever the hash of the key: what Kinesis does for an explicit hash key.
    ///
    /// # Errors
    /// `NotFound` for an unknown shard, `Invalid` for a closed one.
    pub fn put_to(&self, shard: &ShardId, partition_key: &str, data: impl AsRef<[u8]>) -> Result<SequenceNumber, ReadError> {
        let mut state = self.lock();
        let now = state.now;
        state.put_to(shard, partition_key, data.as_ref(), now)
    }

    /// Closes a shard and opens two that divide its hashes in the middle. The children, lower hashes first.
    ///
    /// # Errors
    /// `NotFound` for an unknown shard, `Invalid` for a closed one or one that serves a single hash.
    pub fn split(&self, shard: &ShardId) -> Result<[ShardId; 2], ReadError> {
        self.lock().split(shard)
    }

    /// Closes two shards with adjacent hashes and opens one that serves both. The child.
    ///
    /// # Errors
    /// `NotFound` for an unknown shard, `Invalid` for a closed one or for hashes that are not adjacent.
    pub fn merge(&self, shard: &ShardId, adjacent: &ShardId) -> Result<ShardId, ReadError> {
        self.lock().merge(shard, adjacent)
    }

    /// Removes the shard's records before this sequence number, as retention does. How many it removed. Readers and
    /// positions before it go on with the oldest record that is left, without notice.
    ///
    /// # Errors
    /// `NotFound` for an unknown shard.
    pub fn trim(&self, shard: &ShardId, before: &SequenceNumber) -> Result<usize, ReadError> {
        self.lock().trim(shard, before)
    }

    /// Removes every record and moves the trim horizon to now. Closed shards stay listed. How many records it removed.
    pub fn trim_all(&self) -> usize {
        self.lock().trim_all()
    }

    /// Removes a shard from listings, as Kinesis does when retention has passed a closed shard: opening or reading it
    /// answers `NotFound`, and its children still name it as their parent. For a closed shard, the trim horizon moves to
    /// its end.
    ///
    /// # Errors
    /// `NotFound` for an unknown shard.
    pub fn remove_shard(&self, shard: &ShardId) -> Result<(), ReadError> {
        self.lock().remove_shard(shard)
    }

    /// Closes every open shard, without children: a stream that comes to an end. Kinesis never does that: its closed
    /// shards have children, so code that looks for them does not find any here.
    pub fn close(&self) {
        self.lock().close_all();
    }

    /// Deletes the stream: from now on every call, of existing readers too, answers `NotFound`.
    pub fn delete(&self) {
        self.lock().deleted = true;
    }

    /// Creates the stream again under its name, after [`delete`](Self::delete) or instead of it: empty, with so many shards,
    /// which have the ids of the first ones. Numbers of the stream before are refused.
    pub fn recreate(&self, shard_count: u32) {
        self.lock().recreate(shard_count);
    }

    /// Makes every existing reader answer `Expired` from now on.
    pub fn expire_iterators(&self) {
        self.lock().iterator_generation += 1;
    }

    /// The most records that one read gives: 10,000 at first, as in Kinesis. 0 counts as 1.
    pub fn set_records_per_read(&self, records: usize) {
        self.lock().records_per_read = records.max(1);
    }

    /// Whether the end of a shard names the shards that follow: true at first. Without that, a reader's caller has to
    /// find them in a listing.
    pub fn set_children_named(&self, named: bool) {
        self.lock().children_named = named;
    }

    /// The stream's time: when a record that is put now arrives.
    pub fn now(&self) -> Wall {
        self.lock().now
    }

    /// Sets the stream's time. It may go back.
    pub fn set_now(&self, now: Wall) {
        let mut state = self.lock();
        (state.now, state.real_time) = (now, false);
    }

    /// Moves the stream's time on, in whole milliseconds.
    pub fn advance(&self, by: Duration) {
        let mut state = self.lock();
        let millis = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        state.real_time = false;
        state.now = Wall::from_unix_millis(state.now.unix_millis().saturating_add(millis));
    }

    /// Every shard that is listed, in the order of creation.
    pub fn shards(&self) -> Vec<Shard> {
        self.lock().shards(ShardFilter::All)
    }

    /// The ids of the open shards, in the order of creation.
    pub fn open_shards(&self) -> Vec<ShardId> {
        self.lock().shards(ShardFilter::AtLatest).into_iter().map(|shard| shard.id).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change is complete before anything can panic, so a panicking test leaves the stream whole.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.real_time {
            state.now = machine_time().max(state.now);
        }
        state
    }
}

#[allow(clippy::disallowed_methods, reason = "a stream in real time is asked for by name")]
fn machine_time() -> Wall {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Wall::from_unix_millis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}

#[async_trait]
impl StreamReader for MemoryStream {
    async fn list_shards(&self, filter: ShardFilter) -> Result<Vec<Shard>, ReadError> {
        let state = self.lock();
        state.check_exists("list_shards")?;
        Ok(state.shards(filter))
    }

    async fn open(&self, shard: &ShardId, position: &ReadPosition) -> Result<Box<dyn ShardReader>, ReadError> {
        let state = self.lock();
        state.check_exists("open")?;
        let cursor = state.log("open", shard)?.cursor(position, state.next_number)?;
        let generation = state.iterator_generation;
        Ok(Box::new(MemoryShardReader::new(self.clone(), shard.clone(), cursor, generation)))
    }
}
