//! The KPL aggregation format: one Kinesis record in, user records out, and back.
//!
//! The Kinesis Producer Library (KPL) packs many small *user records* into one Kinesis record: a four-byte magic number, a
//! protobuf message, and the MD5 digest of that message. This crate reads and writes that format. It sits at the bottom
//! of the stack: bytes in, values out. It does no I/O, spawns nothing and logs nothing.
//!
//! Invariants:
//!
//! - **Total.** Every byte string decodes to a value or a typed reason; nothing panics.
//! - **All or nothing.** An aggregate is checked to its last byte before the first user record comes out, so a broken one
//!   never yields a prefix.
//! - **Lazy.** User records are slices of the input and are produced one at a time. Memory beside the input is four bytes
//!   for each key-table slot and one copy of each key that was asked for, whatever the number of records.
//!
//! What it deliberately leaves to its callers: what to do with an [`Undecodable`] record (usually: deliver it raw and count
//! it), whether a user record belongs to the shard it was read from (see [`hash_of`]), and grouping by shard when packing.
//! Unpacking goes one level deep: a user record whose data is itself an aggregate comes out as it is.
//!
//! ```
//! use kcl_aggregation::{Aggregator, Decoded, decode};
//!
//! let mut aggregator = Aggregator::default();
//! assert!(aggregator.add("sensor-1", None, "21.5")?.is_none()); // nothing is full yet
//! assert!(aggregator.add("sensor-2", None, "19.0")?.is_none());
//! let packed = aggregator.finish().expect("two records are pending");
//!
//! let Decoded::Aggregate(aggregate) = decode(&packed.data) else {
//!     panic!("two records make an aggregate");
//! };
//! let mut records = aggregate.user_records();
//! records.skip_to(1); // for instance to a checkpoint
//! let last = records.next().expect("the second record");
//! assert_eq!(last.partition_key, "sensor-2");
//! assert_eq!(last.data.as_ref(), b"19.0");
//! assert!(last.is_last);
//! # Ok::<(), kcl_aggregation::TooLarge>(())
//! ```

mod aggregate;
mod aggregator;
mod decode;
mod envelope;
mod hash_key;
mod layout;
mod message;
mod partition_key;
mod pending;
mod schema;
mod user_records;
mod wire;

pub use aggregate::Aggregate;
pub use aggregator::{Aggregator, DEFAULT_LIMIT_BYTES, PackedRecord, TooLarge};
pub use decode::{Decoded, KeyTable, Undecodable, decode};
pub use hash_key::hash_of;
pub use partition_key::PartitionKey;
pub use user_records::{UserRecord, UserRecords};
