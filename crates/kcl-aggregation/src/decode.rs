//! From a Kinesis record's data to what it is.

use std::fmt;

use bytes::Bytes;
use thiserror::Error;

use crate::aggregate::Aggregate;
use crate::envelope;
use crate::layout::Layout;
use crate::wire::Malformed;

/// What the data of one Kinesis record turned out to be.
#[derive(Debug, Clone)]
pub enum Decoded {
    /// An ordinary record: deliver it as it is.
    Plain,
    /// A valid aggregated record, possibly without any user record in it.
    Aggregate(Aggregate),
    /// It has the frame of an aggregated record but does not hold a valid one: deliver it as it is and count the reason.
    Undecodable(Undecodable),
}

/// Why data with the frame of an aggregated record is not one.
///
/// The Java KCL delivers the whole record silently for the first two. For the others it loses user records, or the worker;
/// here they are errors of the whole record too. No variant carries payload or key text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum Undecodable {
    /// The MD5 digest at the end does not match. Most likely the record only happens to begin with the magic number.
    #[error("digest of the aggregated record does not match its message")]
    Digest,
    /// The message is not valid protobuf, or a required field is missing.
    #[error("message of the aggregated record is not valid protobuf")]
    Protobuf,
    /// A user record names a key beyond the end of its table. Indexes count in full 64 bits; Java narrows them to 32.
    #[error("{table} index is outside its table sub_sequence_number={sub_sequence_number} index={index} entries={entries}")]
    KeyIndex {
        /// The table it points into.
        table: KeyTable,
        /// Position of the user record in the aggregate, from 0.
        sub_sequence_number: u64,
        /// The index as it stands in the message.
        index: u64,
        /// Number of entries in the table.
        entries: u64,
    },
    /// A user record names an explicit hash key that is not a decimal integer between 0 and 2^128 - 1.
    #[error("explicit hash key is not a 128-bit integer sub_sequence_number={sub_sequence_number} index={index}")]
    HashKey {
        /// Position of the user record in the aggregate, from 0.
        sub_sequence_number: u64,
        /// Index of the explicit hash key in its table.
        index: u64,
    },
}

impl Undecodable {
    /// A short label for metrics: `digest`, `protobuf`, `index` or `hash_key`.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::Digest => "digest",
            Self::Protobuf => "protobuf",
            Self::KeyIndex { .. } => "index",
            Self::HashKey { .. } => "hash_key",
        }
    }
}

impl From<Malformed> for Undecodable {
    fn from(_: Malformed) -> Self {
        Self::Protobuf
    }
}

/// One of the two key tables of an aggregate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyTable {
    /// The table of partition keys.
    PartitionKey,
    /// The table of explicit hash keys.
    ExplicitHashKey,
}

impl fmt::Display for KeyTable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::PartitionKey => "partition key",
            Self::ExplicitHashKey => "explicit hash key",
        })
    }
}

/// Tells whether a Kinesis record's data is an aggregated record, and checks it completely if so.
///
/// What counts as one is the rule of the Java `AggregatorUtil`: the magic number, more than 16 bytes after it, a message
/// whose MD5 digest is those last 16 bytes, and a message that parses. The accepted protobuf is that of the Java runtime:
/// unknown fields are ignored, broken UTF-8 in keys is replaced by U+FFFD, keys that no record names are not looked at.
/// Takes time linear in the size of `data`, and neither copies nor keeps anything but a handle on it.
#[must_use]
pub fn decode(data: &Bytes) -> Decoded {
    match envelope::open(data) {
        None => Decoded::Plain,
        Some(body) => match body.and_then(Layout::read) {
            Ok(layout) => Decoded::Aggregate(Aggregate::new(layout)),
            Err(reason) => Decoded::Undecodable(reason),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_read_well_and_have_labels() {
        let index = Undecodable::KeyIndex { table: KeyTable::PartitionKey, sub_sequence_number: 1, index: 7, entries: 1 };
        assert_eq!(index.to_string(), "partition key index is outside its table sub_sequence_number=1 index=7 entries=1");
        let hash_key = Undecodable::HashKey { sub_sequence_number: 0, index: 2 };
        let labels = [Undecodable::Digest, Undecodable::Protobuf, index, hash_key].map(|reason| reason.label());
        assert_eq!(labels, ["digest", "protobuf", "index", "hash_key"]);
    }
}
