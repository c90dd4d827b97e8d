use async_trait::async_trait;

use crate::{Checkpointer, KinesisClientRecord};

/// Makes a processor for each shard that this worker works on.
///
/// ```
/// # use kcl_core::*;
/// struct Print(Checkpointer);
/// struct PrintFactory;
///
/// #[async_trait::async_trait]
/// impl ShardRecordProcessorFactory for PrintFactory {
///     async fn initialize(&self, checkpointer: Checkpointer) -> Box<dyn ShardRecordProcessor> {
///         Box::new(Print(checkpointer))
///     }
/// }
///
/// #[async_trait::async_trait]
/// impl ShardRecordProcessor for Print {
///     async fn process_records(&self, records: Vec<KinesisClientRecord>, millis_behind_latest: i64) {
///         if let Some(last) = records.last() {
///             println!("{} records, {millis_behind_latest} ms behind", records.len());
///             let _ = self.0.checkpoint(last.extended_sequence_number()).await;
///         }
///     }
///     async fn lease_lost(&self) {}
///     async fn shard_ended(&self) {
///         let _ = self.0.end().await;
///     }
///     async fn shutdown_requested(&self) {}
/// }
/// ```
#[async_trait]
pub trait ShardRecordProcessorFactory: Send + Sync {
    /// Called once for each tenure of a shard's lease, before any record and after all of the shard's parents are
    /// finished. [`Checkpointer::lease`] tells which shard it is and where reading begins.
    ///
    /// A panic ends the tenure; the shard backs off and is tried again, or stops the consumer, as configured.
    async fn initialize(&self, checkpointer: Checkpointer) -> Box<dyn ShardRecordProcessor>;
}

/// The application's code for one tenure of one shard's lease.
///
/// Calls for one shard never overlap. Records arrive in order, at least once: what was not checkpointed comes again
/// with the next tenure. A panic ends the tenure without a checkpoint and never the process.
#[async_trait]
pub trait ShardRecordProcessor: Send + Sync {
    /// The next records, never none, and how far the reader is behind the newest record, in milliseconds.
    ///
    /// Returning accepts the records; they come again only with another tenure. Nothing is durable until a checkpoint.
    async fn process_records(&self, records: Vec<KinesisClientRecord>, millis_behind_latest: i64);

    /// The lease is gone: another worker has the shard, or may have it. Called at most once, and last. Every
    /// checkpoint from now on answers [`CheckpointError::LeaseLost`](crate::CheckpointError::LeaseLost).
    async fn lease_lost(&self);

    /// Every record of the shard was delivered. Call [`Checkpointer::end`] here; until it succeeds this is called
    /// again, with back-off, and the shard's children do not start.
    async fn shard_ended(&self);

    /// The worker shuts down, or hands the lease off to another worker of this library that has fewer: the last chance to
    /// checkpoint. Called at most once in a tenure; afterwards the lease is released or goes to the other worker, which begins
    /// at the checkpoint. A hand-off waits for this call, and for the one before it, no longer than `hand_off_timeout`.
    async fn shutdown_requested(&self);
}
