//! The user records of an aggregate, one at a time.

use std::collections::BTreeMap;
use std::fmt;
use std::iter::FusedIterator;
use std::sync::Arc;

use bytes::Bytes;

use crate::layout::Layout;
use crate::message::{Fields, RawRecord};
use crate::partition_key::PartitionKey;
use crate::wire::Reader;

/// One record as an application put it into the producer.
#[derive(Clone, PartialEq, Eq)]
pub struct UserRecord {
    /// Its own partition key, which need not be that of the Kinesis record.
    pub partition_key: PartitionKey,
    /// Its explicit hash key as the producer wrote it: a decimal integer between 0 and 2^128 - 1, possibly with a sign or
    /// leading zeros.
    pub explicit_hash_key: Option<Arc<str>>,
    /// Its payload: a slice of the Kinesis record's data.
    pub data: Bytes,
    /// Its position in the aggregate, from 0. With the sequence number of the Kinesis record it identifies the user record.
    pub sub_sequence_number: u64,
    /// Whether it is the last one of its aggregate.
    pub is_last: bool,
}

/// Shows position and size, never payload or keys.
impl fmt::Debug for UserRecord {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("UserRecord")
            .field("sub_sequence_number", &self.sub_sequence_number)
            .field("is_last", &self.is_last)
            .field("data_bytes", &self.data.len())
            .finish_non_exhaustive()
    }
}

/// Iterator over the user records of an [`Aggregate`](crate::Aggregate), in sub-sequence order.
///
/// Owns what it needs, so it can be kept between deliveries. A key is copied out of the message when a record that
/// names it is first produced; every later record that names it shares that copy.
#[derive(Clone)]
pub struct UserRecords {
    layout: Arc<Layout>,
    position: usize,
    next: usize,
    partition_keys: Interned,
    explicit_hash_keys: Interned,
}

impl UserRecords {
    pub(crate) fn new(layout: Arc<Layout>) -> Self {
        let (partition_keys, explicit_hash_keys) = (Interned::default(), Interned::default());
        Self { layout, position: 0, next: 0, partition_keys, explicit_hash_keys }
    }

    /// Moves forward so that the next record is the one with this sub-sequence number, or so that none is left if the
    /// aggregate ends before it. Never moves back. Skipped records cost a look at their length, no more.
    pub fn skip_to(&mut self, sub_sequence_number: u64) {
        let mut fields = Fields::resume(&self.layout.body, self.position);
        while self.next < self.layout.count && (self.next as u64) < sub_sequence_number {
            // The message was checked, so this finds one record for each that is left.
            if !matches!(fields.next_record(), Ok(Some(_))) {
                break;
            }
            self.next += 1;
        }
        self.position = fields.position();
    }

    fn next_raw(&mut self) -> Option<RawRecord> {
        let mut fields = Fields::resume(&self.layout.body, self.position);
        let content = fields.next_record().ok()??;
        self.position = fields.position();
        RawRecord::read(&self.layout.body, content).ok()
    }
}

impl Iterator for UserRecords {
    type Item = UserRecord;

    fn next(&mut self) -> Option<UserRecord> {
        let raw = self.next_raw()?;
        let layout = &*self.layout;
        let partition_key = self.partition_keys.get(&layout.body, &layout.partition_keys, raw.partition_key_index)?;
        let explicit_hash_key = match raw.explicit_hash_key_index {
            Some(index) => Some(self.explicit_hash_keys.get(&layout.body, &layout.explicit_hash_keys, index)?),
            None => None,
        };
        let sub_sequence_number = self.next as u64;
        self.next += 1;
        Some(UserRecord {
            partition_key: partition_key.into(),
            explicit_hash_key,
            data: layout.body.slice(raw.data),
            sub_sequence_number,
            is_last: self.next == layout.count,
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.layout.count.saturating_sub(self.next);
        (left, Some(left))
    }

    fn nth(&mut self, count: usize) -> Option<UserRecord> {
        self.skip_to(self.next.saturating_add(count) as u64);
        self.next()
    }
}

impl ExactSizeIterator for UserRecords {}
impl FusedIterator for UserRecords {}

/// Shows how far it is, never payload or keys.
impl fmt::Debug for UserRecords {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("UserRecords").field("next", &self.next).field("left", &self.len()).finish_non_exhaustive()
    }
}

/// The keys of one table that were asked for so far. Grows with use: most slots of a hostile table are never named.
#[derive(Clone, Default)]
struct Interned {
    keys: BTreeMap<u64, Arc<str>>,
}

impl Interned {
    fn get(&mut self, body: &[u8], table: &[u32], index: u64) -> Option<Arc<str>> {
        if let Some(key) = self.keys.get(&index) {
            return Some(Arc::clone(key));
        }
        let prefix = usize::try_from(*table.get(usize::try_from(index).ok()?)?).ok()?;
        let content = Reader::over(body, prefix..body.len()).delimited().ok()?.content;
        let key: Arc<str> = String::from_utf8_lossy(body.get(content)?).into();
        self.keys.insert(index, Arc::clone(&key));
        Some(key)
    }
}

#[cfg(test)]
mod tests;
