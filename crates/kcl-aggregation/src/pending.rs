//! User records on their way into one aggregated record.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::{encoding::encoded_len_varint, length_delimiter_len};

use crate::aggregator::PackedRecord;
use crate::envelope;
use crate::schema::{AggregatedRecord, Record};

/// The partition key on the outside of an aggregated record, as KPL writes it: the explicit hash key beside it decides.
const OUTER_PARTITION_KEY: &str = "a";

/// An aggregate under construction, whose exact encoded size is always known.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    message: AggregatedRecord,
    message_bytes: usize,
    payload_bytes: usize,
    partition_keys: BTreeMap<String, u64>,
    explicit_hash_keys: BTreeMap<u128, u64>,
    first_explicit_hash_key: Option<u128>,
}

/// Where a user record's keys go and what it adds to the message.
struct Placement {
    partition_key_index: u64,
    explicit_hash_key_index: Option<u64>,
    added_bytes: usize,
}

impl Pending {
    pub(crate) fn count(&self) -> usize {
        self.message.records.len()
    }

    /// Size of the Kinesis record's data if it were finished now.
    pub(crate) fn size(&self) -> usize {
        match self.count() {
            0 => 0,
            1 => self.payload_bytes,
            _ => envelope::OVERHEAD_BYTES + self.message_bytes,
        }
    }

    /// Size of the aggregated record with one more user record.
    pub(crate) fn size_with(&self, partition_key: &str, explicit_hash_key: Option<u128>, data: &Bytes) -> usize {
        envelope::OVERHEAD_BYTES + self.message_bytes + self.place(partition_key, explicit_hash_key, data).added_bytes
    }

    pub(crate) fn push(&mut self, partition_key: &str, explicit_hash_key: Option<u128>, data: Bytes) {
        let placement = self.place(partition_key, explicit_hash_key, &data);
        if !self.partition_keys.contains_key(partition_key) {
            self.partition_keys.insert(partition_key.to_owned(), placement.partition_key_index);
            self.message.partition_key_table.push(partition_key.to_owned());
        }
        if let Some(key) = explicit_hash_key
            && !self.explicit_hash_keys.contains_key(&key)
        {
            self.explicit_hash_keys.insert(key, self.explicit_hash_keys.len() as u64);
            self.message.explicit_hash_key_table.push(key.to_string());
        }
        if self.count() == 0 {
            self.first_explicit_hash_key = explicit_hash_key;
        }
        self.message_bytes += placement.added_bytes;
        self.payload_bytes += data.len();
        self.message.records.push(Record {
            partition_key_index: placement.partition_key_index,
            explicit_hash_key_index: placement.explicit_hash_key_index,
            data,
        });
    }

    /// One record alone goes out plain; more are wrapped. `None` if there is none.
    pub(crate) fn pack(mut self) -> Option<PackedRecord> {
        let count = self.count();
        let partition_key = self.message.partition_key_table.first()?;
        if count == 1 {
            return Some(PackedRecord {
                partition_key: partition_key.as_str().into(),
                explicit_hash_key: self.first_explicit_hash_key,
                data: self.message.records.pop()?.data,
                count,
            });
        }
        let hash_key = self.first_explicit_hash_key.unwrap_or_else(|| crate::hash_of(partition_key.as_bytes()));
        Some(PackedRecord {
            partition_key: OUTER_PARTITION_KEY.into(),
            explicit_hash_key: Some(hash_key),
            data: envelope::seal(&self.message),
            count,
        })
    }

    fn place(&self, partition_key: &str, explicit_hash_key: Option<u128>, data: &Bytes) -> Placement {
        let mut added_bytes = 0;
        let known = self.partition_keys.get(partition_key).copied();
        let partition_key_index = known.unwrap_or_else(|| {
            added_bytes += delimited_bytes(partition_key.len());
            self.partition_keys.len() as u64
        });
        let explicit_hash_key_index = explicit_hash_key.map(|key| {
            self.explicit_hash_keys.get(&key).copied().unwrap_or_else(|| {
                added_bytes += delimited_bytes(decimal_digits(key));
                self.explicit_hash_keys.len() as u64
            })
        });
        let record_bytes =
            varint_bytes(partition_key_index) + explicit_hash_key_index.map_or(0, varint_bytes) + delimited_bytes(data.len());
        added_bytes += delimited_bytes(record_bytes);
        Placement { partition_key_index, explicit_hash_key_index, added_bytes }
    }
}

/// Size of a varint field with its tag; every field number here is below 16, so a tag is one byte.
fn varint_bytes(value: u64) -> usize {
    1 + encoded_len_varint(value)
}

/// Size of a length-delimited field with its tag and length.
fn delimited_bytes(length: usize) -> usize {
    1 + length_delimiter_len(length) + length
}

fn decimal_digits(value: u128) -> usize {
    value.checked_ilog10().map_or(1, |log| log as usize + 1)
}
