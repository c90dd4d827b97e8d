use std::sync::Arc;

use async_trait::async_trait;
use kcl_core::{
    Admission, Checkpoint, CheckpointError, CheckpointPort, ExtendedSequenceNumber, LeaseInfo, Measurement, PendingCheckpoint,
    RowChange,
};
use tokio::sync::{mpsc, oneshot};

use crate::cell::LeaseCell;
use crate::command::{Command, Tenancy};
use crate::parts::Parts;

/// The checkpoint port of one tenure: checks the range here, and leaves the writing to the coordinator.
pub(crate) struct TenurePort {
    pub(crate) parts: Arc<Parts>,
    pub(crate) info: LeaseInfo,
    pub(crate) tenancy: Tenancy,
    pub(crate) cell: Arc<LeaseCell>,
    pub(crate) commands: mpsc::Sender<Command>,
}

impl TenurePort {
    async fn change(&self, change: RowChange) -> Result<(), CheckpointError> {
        let (reply, answer) = oneshot::channel();
        let command = Command::Change { tenancy: self.tenancy.clone(), change, reply };
        // A coordinator that is gone takes and answers nothing.
        self.commands.send(command).await.map_err(|_| CheckpointError::ShuttingDown)?;
        answer.await.unwrap_or(Err(CheckpointError::ShuttingDown))
    }
}

#[async_trait]
impl CheckpointPort for TenurePort {
    fn lease(&self) -> &LeaseInfo {
        &self.info
    }

    fn fencing_token(&self) -> u64 {
        self.cell.lease().counter.value()
    }

    fn last_delivered(&self) -> Option<ExtendedSequenceNumber> {
        self.cell.last_delivered()
    }

    async fn checkpoint(&self, checkpoint: Checkpoint) -> Result<(), CheckpointError> {
        let result = self.store(checkpoint).await;
        self.measured(result)
    }

    async fn prepare(&self, pending: PendingCheckpoint) -> Result<(), CheckpointError> {
        let admitted = self.cell.admit(&pending.checkpoint);
        let result = match admitted {
            Ok(_) => self.change(RowChange::Prepare(pending)).await,
            Err(error) => Err(error),
        };
        self.measured(result)
    }
}

impl TenurePort {
    async fn store(&self, checkpoint: Checkpoint) -> Result<(), CheckpointError> {
        match self.cell.admit(&checkpoint)? {
            Admission::AlreadyStored => Ok(()),
            Admission::Write => self.change(RowChange::Checkpoint(checkpoint)).await,
        }
    }

    /// Every call counts, also one that fails before anything is written.
    fn measured(&self, result: Result<(), CheckpointError>) -> Result<(), CheckpointError> {
        let success = if result.is_ok() { 1.0 } else { 0.0 };
        let measurement = Measurement::count("ProcessTask", "UpdateLease.Success", success).of_shard(&self.info.shard_id);
        self.parts.metrics.record(&measurement);
        result
    }
}
