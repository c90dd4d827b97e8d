//! Domain types, decisions and seams of the `kcl` Kinesis consumer library.
//!
//! Every rule of the lease protocol is here, as a *planner* (a function from what was observed to a list of writes)
//! or a *machine* (`handle(now, input)`, `poll()`, `deadline()`), and never as an effect: this crate has no clock, no
//! randomness of its own, no task, no network and no log. `kcl-runtime` carries out what is decided here.
//!
//! The seams are small traits: [`LeaseStore`], [`StreamReader`], [`MetricsSink`], and the user's
//! [`ShardRecordProcessorFactory`].

mod audit;
mod checkpoint;
mod checkpointer;
mod cleanup;
mod config;
mod error;
mod fleet;
mod hash_range;
mod held;
mod ids;
mod incarnation;
mod leader;
mod lease;
mod lease_store;
mod lease_write;
mod lifecycle;
mod lineage;
mod listings;
pub mod metrics;
mod observe;
mod pace;
mod processor;
mod record;
mod requests;
mod sequence;
mod shard;
mod shard_sync;
mod stream_reader;
mod take;
mod time;
mod timing;
mod tracker;

pub use audit::{Audit, Hole, HoleWatch, audit};
pub use checkpoint::{Checkpoint, PendingCheckpoint};
pub use checkpointer::{CheckpointError, CheckpointPort, Checkpointer, LeaseInfo, PreparedCheckpoint};
pub use cleanup::{CleanupPlan, plan_cleanup};
pub use config::{
    ConfigError, EnvironmentConfig, EnvironmentError, LeaseConfig, ManagementConfig, OnPanic, StartStrategy, WorkerConfig,
};
pub use error::{ErrorKind, ReadError, StoreError, error_chain};
pub use fleet::{CoordinatorTable, FleetMode, FleetRefusal, FleetRows, StoredState, fleet_mode};
pub use hash_range::HashKeyRange;
pub use held::{ChangeOutcome, HeldAction, HeldInput, HeldLease, Phase, RequestId, RowChange, TenureEnd, WriteAnswer};
pub use ids::{HoldId, LeaseKey, PartitionKey, ShardId, TenureToken, WorkerId};
pub use incarnation::{Incarnation, Proof, Stranger, incarnation};
pub use leader::elect_leader;
pub use lease::{Lease, LeaseCounter};
pub use lease_store::{LeaseScan, LeaseStore, UnreadableRow};
pub use lease_write::{Change, Expectation, Field, LeaseWrite, NotAsExpected, OwnerSwitches, Update, Verb, WriteOutcome};
pub use lifecycle::{ShardLifecycle, Step, StopReason, Surroundings};
pub use lineage::{Gate, Lineage};
pub use listings::Listings;
pub use metrics::{Measurement, MetricsLevel, MetricsPublisher, MetricsSink, NoMetrics, Unit};
pub use observe::{Observer, Standing};
pub use pace::{PollPacer, ReadOutcome};
pub use processor::{ShardRecordProcessor, ShardRecordProcessorFactory};
pub use record::{KinesisClientRecord, Record};
pub(crate) use requests::gives_away;
pub use requests::{LeaseCount, RequestStep, Requests, gives_away_to};
pub use sequence::{ExtendedSequenceNumber, InvalidSequenceNumber, SequenceNumber};
pub use shard::{ChildShard, ReadPosition, Shard, ShardFilter};
pub use shard_sync::{IncompleteListing, check_listing, child_lease, in_own_order, plan_shard_sync, rows_to_check};
pub use stream_reader::{ShardEndEvent, ShardEvent, ShardReader, StreamReader};
pub use take::{NextRound, PlannedTake, ReadPacing, Settled, TakeInput, TakePacing, TakePlan, plan_takes};
pub use time::{Mono, Wall};
pub use timing::{LeaseTiming, backoff};
pub use tracker::{Admission, CheckpointTracker};
