//! From user records to Kinesis records.

use std::fmt;
use std::mem;

use bytes::Bytes;
use thiserror::Error;

use crate::partition_key::PartitionKey;
use crate::pending::Pending;

/// The default size limit of a packed record: KPL's `AggregationMaxSize`, 51,200 bytes.
pub const DEFAULT_LIMIT_BYTES: usize = 51_200;

/// Packs user records into Kinesis records, like KPL.
///
/// Records are packed in the order in which they are added. It knows nothing of shards: Kinesis places a packed record by
/// the hash key of its *first* user record, and Java consumers discard an aggregate in which any hash key lies outside the
/// shard. So use one aggregator for each shard, or for keys that belong together. Keys are not checked; Kinesis wants
/// partition keys of 1 to 256 characters. Dropping an aggregator drops what is pending in it.
#[derive(Debug)]
pub struct Aggregator {
    limit_bytes: usize,
    pending: Pending,
}

impl Aggregator {
    /// An empty aggregator whose packed records have at most `limit_bytes` of data.
    ///
    /// KPL accepts 64 bytes to 10 MiB; the bound of Kinesis, which counts the partition key too, is up to the stream. With a
    /// very low limit every record goes out alone.
    #[must_use]
    pub fn new(limit_bytes: usize) -> Self {
        Self { limit_bytes, pending: Pending::default() }
    }

    /// Adds a user record, and returns the packed record before it if this one did not fit in.
    ///
    /// A record that fits the limit only without the frame is accepted and goes out alone.
    ///
    /// # Errors
    ///
    /// [`TooLarge`] if `data` alone exceeds the limit. What was pending stays pending.
    pub fn add(
        &mut self,
        partition_key: &str,
        explicit_hash_key: Option<u128>,
        data: impl Into<Bytes>,
    ) -> Result<Option<PackedRecord>, TooLarge> {
        let data = data.into();
        if data.len() > self.limit_bytes {
            return Err(TooLarge { size_bytes: data.len(), limit_bytes: self.limit_bytes });
        }
        let fits =
            self.pending.count() == 0 || self.pending.size_with(partition_key, explicit_hash_key, &data) <= self.limit_bytes;
        let packed = if fits { None } else { self.finish() };
        self.pending.push(partition_key, explicit_hash_key, data);
        Ok(packed)
    }

    /// Packs what is pending and starts afresh. `None` if nothing is.
    pub fn finish(&mut self) -> Option<PackedRecord> {
        mem::take(&mut self.pending).pack()
    }

    /// Number of user records that are pending.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pending.count()
    }

    /// Whether nothing is pending.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Size of the data that [`finish`](Self::finish) would return now; never above the limit.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.pending.size()
    }
}

impl Default for Aggregator {
    fn default() -> Self {
        Self::new(DEFAULT_LIMIT_BYTES)
    }
}

/// A Kinesis record, ready to be put on a stream.
///
/// Two or more user records are wrapped; the outer keys are then KPL's: the partition key `a`, and as explicit hash key the
/// hash key of the first user record. One user record alone is not wrapped but goes out plain with the keys that it was added with.
/// (If such a payload is itself an aggregated record, consumers unpack it.)
#[derive(Clone, PartialEq, Eq)]
pub struct PackedRecord {
    /// What to put on the stream.
    pub data: Bytes,
    /// The partition key to put it with.
    pub partition_key: PartitionKey,
    /// The explicit hash key to put it with, if any: `map(|key| key.to_string())` is what the Kinesis API takes.
    pub explicit_hash_key: Option<u128>,
    /// Number of user records in it, at least 1.
    pub count: usize,
}

/// Shows sizes, never payload or keys.
impl fmt::Debug for PackedRecord {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("PackedRecord")
            .field("count", &self.count)
            .field("data_bytes", &self.data.len())
            .finish_non_exhaustive()
    }
}

/// A user record's data exceeds the limit of a packed record even on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("user record is larger than a packed record may be size_bytes={size_bytes} limit_bytes={limit_bytes}")]
pub struct TooLarge {
    /// Size of the user record's data.
    pub size_bytes: usize,
    /// The aggregator's limit.
    pub limit_bytes: usize,
}

#[cfg(test)]
mod tests;
