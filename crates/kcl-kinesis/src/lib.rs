//! The Kinesis stream reader of the kcl Kinesis consumer library.
//!
//! [`KinesisStreamReader`] implements [`kcl_core::StreamReader`] over `aws-sdk-kinesis` by polling: `ListShards`,
//! `GetShardIterator`, `GetRecords`. It sits beside the lease store at the bottom of the stack and knows nothing of
//! leases, checkpoints or aggregated records.
//!
//! The invariant it keeps: a shard's position moves only with an answer that was understood to its last record, and
//! the end of a shard is something that an answer says, never something that an error is taken for.
//!
//! It does not sleep, retry, pace, spawn or read a clock; the runtime above does. A call is at most one request,
//! except a listing, which is as many as the listing has pages.
//!
//! ```
//! use kcl_kinesis::KinesisStreamReader;
//!
//! # fn main() -> Result<(), kcl_core::ReadError> {
//! let aws = aws_types::SdkConfig::builder().region(aws_types::region::Region::new("eu-west-1")).build();
//! let reader = KinesisStreamReader::from_config(&aws, "orders", 1_000)?;
//! assert_eq!(reader.stream(), "orders");
//! # Ok(())
//! # }
//! ```

#[cfg(test)]
mod canned;
mod client;
mod dispatch;
mod error;
mod error_code;
mod listing;
mod reader;
mod record;
mod shard;
mod shard_reader;
mod stream;

pub use reader::KinesisStreamReader;
