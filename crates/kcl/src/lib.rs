//! A Kinesis Client Library for Rust.
//!
//! Many workers share the shards of a stream through leases in a DynamoDB table, read them, take KPL aggregates apart,
//! hand user records to your processor in order and at least once, and checkpoint. The lease table and the protocol are
//! those of the Java KCL 2.x.
//!
//! ```no_run
//! use kcl::{Checkpointer, Consumer, KinesisClientRecord, ManagementConfig, ShardRecordProcessor};
//! use kcl::{ShardRecordProcessorFactory, StartStrategy};
//!
//! struct Factory;
//! struct Processor(Checkpointer);
//!
//! #[async_trait::async_trait]
//! impl ShardRecordProcessorFactory for Factory {
//!     async fn initialize(&self, checkpointer: Checkpointer) -> Box<dyn ShardRecordProcessor> {
//!         Box::new(Processor(checkpointer))
//!     }
//! }
//!
//! #[async_trait::async_trait]
//! impl ShardRecordProcessor for Processor {
//!     async fn process_records(&self, records: Vec<KinesisClientRecord>, _millis_behind_latest: i64) {
//!         for record in &records {
//!             println!("{}: {} bytes", record.record.partition_key, record.record.data.len());
//!         }
//!         let _ = self.0.checkpoint_latest().await;
//!     }
//!     async fn lease_lost(&self) {}
//!     async fn shard_ended(&self) {
//!         let _ = self.0.end().await;
//!     }
//!     async fn shutdown_requested(&self) {
//!         let _ = self.0.checkpoint_latest().await;
//!     }
//! }
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let aws = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
//! let consumer = Consumer::builder("my-app-leases", "my-stream")
//!     .aws_config(&aws)
//!     .management(ManagementConfig { leases_to_acquire: 2, max_leases: 20, start_strategy: StartStrategy::Oldest })
//!     .start(Factory)
//!     .await?;
//! consumer.wait().await?;
//! # Ok(())
//! # }
//! ```
//!
//! Processors are unit-tested on the in-memory backends of the crate `kcl-testing`, without AWS.

mod builder;
mod consumer;

pub use builder::ConsumerBuilder;
pub use consumer::Consumer;
pub use kcl_core::{
    Checkpoint, CheckpointError, Checkpointer, ConfigError, EnvironmentConfig, EnvironmentError, ErrorKind,
    ExtendedSequenceNumber, FleetRefusal, InvalidSequenceNumber, KinesisClientRecord, LeaseConfig, LeaseInfo, LeaseKey,
    ManagementConfig, OnPanic, PartitionKey, PendingCheckpoint, PreparedCheckpoint, ReadError, Record, SequenceNumber, ShardId,
    ShardRecordProcessor, ShardRecordProcessorFactory, StartStrategy, StoreError, WorkerConfig, WorkerId, error_chain,
};
pub use kcl_runtime::{ConsumerError, ConsumerState, ConsumerStatus, LeaseState, LeaseStatus, StartError};

/// The seams: what to implement to keep leases elsewhere, to read another kind of stream, or to collect metrics.
pub mod backend {
    pub use kcl_core::metrics::{Measurement, MetricsLevel, MetricsPublisher, MetricsSink, NoMetrics, Unit};
    pub use kcl_core::{
        Change, CheckpointPort, ChildShard, CoordinatorTable, Expectation, Field, FleetRows, HashKeyRange, Lease, LeaseCounter,
        LeaseScan, LeaseStore, LeaseWrite, Mono, NotAsExpected, OwnerSwitches, ReadPosition, Shard, ShardEndEvent, ShardEvent,
        ShardFilter, ShardReader, StoredState, StreamReader, UnreadableRow, Update, Verb, Wall, WriteOutcome,
    };
    #[cfg(feature = "dynamo")]
    pub use kcl_dynamo::DynamoLeaseStore;
    #[cfg(feature = "kinesis")]
    pub use kcl_kinesis::KinesisStreamReader;
    #[cfg(feature = "cloudwatch")]
    pub use kcl_metrics::{CloudWatchOptions, CloudWatchSink};
    pub use kcl_runtime::{Env, SeededRng, TaskClass, TaskEnd, TaskHandle, TokioEnv};
}
