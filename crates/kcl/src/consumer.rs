use kcl_core::WorkerId;
use kcl_runtime::{ConsumerError, ConsumerStatus, Worker};

use crate::ConsumerBuilder;

/// A running consumer. Dropping it begins a shutdown without waiting for it.
#[derive(Debug)]
pub struct Consumer {
    worker: Worker,
}

impl Consumer {
    /// A builder for a consumer of `stream` that shares its leases with every other worker of `application` (the name
    /// of the lease table).
    pub fn builder(application: impl Into<String>, stream: impl Into<String>) -> ConsumerBuilder {
        ConsumerBuilder::new(application, stream)
    }

    pub(crate) const fn new(worker: Worker) -> Self {
        Self { worker }
    }

    /// The name under which it owns leases.
    pub fn worker_id(&self) -> &WorkerId {
        self.worker.worker_id()
    }

    /// Leases held, lag and last progress of each shard. Cheap: makes no call. For health checks.
    pub fn status(&self) -> ConsumerStatus {
        self.worker.status()
    }

    /// Lets processors finish, calls `shutdown_requested`, stores final checkpoints, releases every lease so that other
    /// workers need not wait for them to expire, and waits for all of it: for processors at most for the shutdown timeout,
    /// then for the releases at most for two thirds of the failover time.
    ///
    /// May be called from several tasks and again. Dropping the future leaves the shutdown going.
    ///
    /// # Errors
    /// As for [`wait`](Self::wait); `ShutdownTimedOut` names the shards whose processors were left behind.
    pub async fn shutdown(&self) -> Result<(), ConsumerError> {
        self.worker.shutdown().await
    }

    /// Waits until the consumer has stopped: `Ok` after a shutdown.
    ///
    /// May be called from several tasks and again. Dropping the future changes nothing.
    ///
    /// # Errors
    /// Why it stopped by itself.
    pub async fn wait(&self) -> Result<(), ConsumerError> {
        self.worker.wait().await
    }
}
