use bytes::Bytes;

use crate::{ExtendedSequenceNumber, PartitionKey, SequenceNumber, Wall};

/// A Kinesis record as the stream delivers it, or one user record taken out of an aggregated one.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// The payload. A user record out of an aggregate shares the memory of the whole aggregate.
    pub data: Bytes,
    /// The partition key.
    pub partition_key: PartitionKey,
    /// The position of the Kinesis record; all user records of one aggregate share it.
    pub sequence_number: SequenceNumber,
    /// When the stream received the record, in Unix milliseconds; 0 if the stream did not say.
    pub approximate_arrival_timestamp: i64,
}

impl Record {
    /// When the stream received the record.
    pub const fn arrival(&self) -> Wall {
        Wall::from_unix_millis(self.approximate_arrival_timestamp)
    }
}

/// Payload and key are left out: they are the application's data and do not belong in logs.
impl std::fmt::Debug for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Record")
            .field("sequence_number", &self.sequence_number)
            .field("data_bytes", &self.data.len())
            .field("approximate_arrival_timestamp", &self.approximate_arrival_timestamp)
            .finish_non_exhaustive()
    }
}

/// What a processor receives: one user record and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KinesisClientRecord {
    /// The record.
    pub record: Record,
    /// Its place inside the aggregate it came in, from 0; 0 if it was not aggregated.
    pub sub_sequence_number: u64,
    /// The explicit hash key that the producer stored for it inside an aggregate.
    pub explicit_hash_key: Option<std::sync::Arc<str>>,
    /// How many user records its Kinesis record carried, or `None` if it was not aggregated.
    pub aggregate_size: Option<u64>,
}

impl KinesisClientRecord {
    /// A record that was not aggregated.
    pub const fn plain(record: Record) -> Self {
        Self { record, sub_sequence_number: 0, explicit_hash_key: None, aggregate_size: None }
    }

    /// User record number `sub_sequence_number` of an aggregate of `aggregate_size`.
    pub const fn from_aggregate(
        record: Record,
        sub_sequence_number: u64,
        explicit_hash_key: Option<std::sync::Arc<str>>,
        aggregate_size: u64,
    ) -> Self {
        Self { record, sub_sequence_number, explicit_hash_key, aggregate_size: Some(aggregate_size) }
    }

    /// The position to checkpoint once this record is processed.
    pub fn extended_sequence_number(&self) -> ExtendedSequenceNumber {
        ExtendedSequenceNumber::new(self.record.sequence_number.clone(), self.sub_sequence_number)
    }

    /// Whether the record came out of an aggregate.
    pub const fn is_aggregated(&self) -> bool {
        self.aggregate_size.is_some()
    }

    /// Whether no user record of the same Kinesis record follows. True for a record that was not aggregated.
    pub const fn is_last_in_aggregate(&self) -> bool {
        match self.aggregate_size {
            Some(size) => self.sub_sequence_number + 1 >= size,
            None => true,
        }
    }
}
