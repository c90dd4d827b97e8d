use std::sync::Arc;

use kcl_core::{
    LeaseStore, LeaseTiming, MetricsPublisher, MetricsSink, ShardRecordProcessorFactory, StreamReader, WorkerConfig, WorkerId,
};

use crate::env::Env;
use crate::status::StatusBoard;

/// What a worker stands on.
pub struct Backends {
    /// Where leases are kept.
    pub store: Arc<dyn LeaseStore>,
    /// What is read.
    pub stream: Arc<dyn StreamReader>,
    /// Where measurements go.
    pub metrics: Arc<dyn MetricsSink>,
    /// Who sends what the sink collected, if anybody.
    pub publisher: Option<Arc<dyn MetricsPublisher>>,
    /// Time, sleep, tasks and randomness.
    pub env: Arc<dyn Env>,
}

/// What every task of a worker shares.
pub(crate) struct Parts {
    pub(crate) env: Arc<dyn Env>,
    pub(crate) store: Arc<dyn LeaseStore>,
    pub(crate) stream: Arc<dyn StreamReader>,
    pub(crate) metrics: Arc<dyn MetricsSink>,
    pub(crate) factory: Arc<dyn ShardRecordProcessorFactory>,
    pub(crate) config: WorkerConfig,
    pub(crate) timing: LeaseTiming,
    pub(crate) me: WorkerId,
    pub(crate) status: StatusBoard,
}
