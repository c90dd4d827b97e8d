//! What a user sets, its defaults and its bounds.

mod environment;
mod worker;

pub use environment::{EnvironmentConfig, EnvironmentError};
pub use worker::{ConfigError, OnPanic, WorkerConfig};

use crate::{Checkpoint, Wall};

/// Where reading begins in shards that have no checkpoint yet (KCL: `InitialPositionInStream`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum StartStrategy {
    /// With the records that are put after the lease was created. The default, as in KCL.
    #[default]
    Latest,
    /// With the oldest record that the stream still keeps.
    Oldest,
    /// With the first record that arrived at or after this moment, in Unix milliseconds.
    Timestamp(i64),
}

impl StartStrategy {
    /// The checkpoint of a lease that was created with this strategy and never read.
    pub const fn initial_checkpoint(self) -> Checkpoint {
        match self {
            Self::Latest => Checkpoint::Latest,
            Self::Oldest => Checkpoint::TrimHorizon,
            Self::Timestamp(_) => Checkpoint::AtTimestamp,
        }
    }

    /// The moment, if the strategy names one.
    pub const fn timestamp(self) -> Option<Wall> {
        match self {
            Self::Timestamp(millis) => Some(Wall::from_unix_millis(millis)),
            _ => None,
        }
    }
}

/// How many leases a worker takes, and where it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ManagementConfig {
    /// The most leases taken from live owners in one round (KCL: `maxLeasesToStealAtOneTime`). Default 1; at least 1.
    /// Small values rebalance slowly; large ones move many shards at once. Leases that nobody holds are not limited by it.
    pub leases_to_acquire: usize,
    /// The most leases this worker holds (KCL: `maxLeasesForWorker`). Default unlimited; at least 1. If all workers
    /// together may hold fewer than there are shards, some shards are read by nobody.
    pub max_leases: usize,
    /// Where reading begins in shards that have no checkpoint yet. Default [`StartStrategy::Latest`].
    pub start_strategy: StartStrategy,
}

impl Default for ManagementConfig {
    fn default() -> Self {
        Self { leases_to_acquire: 1, max_leases: usize::MAX, start_strategy: StartStrategy::Latest }
    }
}

/// How records are read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LeaseConfig {
    /// By GetRecords calls, at most five a second and shard.
    PollingConfig {
        /// The most records one call returns (KCL: `maxRecords`), 1 to 10,000. Default 10,000. Small values cost
        /// throughput, because calls are limited; the answer is at most 10 MiB in any case.
        limit: u32,
    },
}

impl Default for LeaseConfig {
    fn default() -> Self {
        Self::PollingConfig { limit: 10_000 }
    }
}
