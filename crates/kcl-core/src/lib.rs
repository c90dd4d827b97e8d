//! Domain types, decisions and seams of the `kcl` Kinesis consumer library.
//!
//! Every rule of the lease protocol is here, as a *planner* (a function from what was observed to a list of writes)
//! or a *machine* (`handle(now, input)`, `poll()`, `deadline()`), and never as an effect: this crate has no clock, no
//! randomness of its own, no task, no network and no log. `kcl-runtime` carries out what is decided here.
//!
//! The seams are small traits: [`LeaseStore`], [`StreamReader`], [`MetricsSink`], and the user's
//! [`ShardRecordProcessorFactory`].

mod checkpoint;
mod checkpointer;
mod error;
mod hash_range;
mod ids;
mod lease;
mod lease_store;
mod lease_write;
pub mod metrics;
mod processor;
mod record;
mod sequence;
mod shard;
mod stream_reader;
mod time;

pub use checkpoint::{Checkpoint, PendingCheckpoint};
pub use checkpointer::{CheckpointError, CheckpointPort, Checkpointer, LeaseInfo, PreparedCheckpoint};
pub use error::{ErrorKind, ReadError, StoreError, error_chain};
pub use hash_range::HashKeyRange;
pub use ids::{HoldId, LeaseKey, PartitionKey, ShardId, WorkerId};
pub use lease::{Lease, LeaseCounter};
pub use lease_store::{LeaseScan, LeaseStore, UnreadableRow};
pub use lease_write::{Change, Expectation, Field, LeaseWrite, NotAsExpected, OwnerSwitches, Update, Verb, WriteOutcome};
pub use metrics::{Measurement, MetricsLevel, MetricsPublisher, MetricsSink, NoMetrics, Unit};
pub use processor::{ShardRecordProcessor, ShardRecordProcessorFactory};
pub use record::{KinesisClientRecord, Record};
pub use sequence::{ExtendedSequenceNumber, InvalidSequenceNumber, SequenceNumber};
pub use shard::{ChildShard, ReadPosition, Shard, ShardFilter};
pub use stream_reader::{ShardEndEvent, ShardEvent, ShardReader, StreamReader};
pub use time::{Mono, Wall};
