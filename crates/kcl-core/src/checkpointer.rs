use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::{Checkpoint, ExtendedSequenceNumber, LeaseKey, PendingCheckpoint, ShardId, StoreError};

/// Why a checkpoint was not stored.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The lease belongs, or may belong, to another worker. Stop working on this shard; its next owner starts from
    /// the last durable checkpoint.
    #[error("the lease is lost")]
    LeaseLost,
    /// The worker has shut down and takes no more checkpoints.
    #[error("the worker is shutting down")]
    ShuttingDown,
    /// The position is not between the last checkpoint and the last delivered record. A mistake of the caller;
    /// nothing was stored.
    #[error("the position is outside of what may be checkpointed: position={position} lowest={lowest} highest={highest}")]
    OutOfRange {
        /// The position that was asked for.
        position: Checkpoint,
        /// The last checkpoint.
        lowest: Checkpoint,
        /// The last position that was delivered.
        highest: Checkpoint,
    },
    /// `end` was called before the last record of the shard was delivered. A mistake of the caller.
    #[error("the shard has not ended yet; call end only from shard_ended")]
    NotEnded,
    /// The store refused in a way that trying again does not cure, for example a missing permission.
    #[error("the lease store refused the checkpoint")]
    Store(#[source] Arc<StoreError>),
}

/// Where a lease is: what a processor may want to know when it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeaseInfo {
    /// The stream's name.
    pub stream: String,
    /// The shard.
    pub shard_id: ShardId,
    /// The lease row's key.
    pub lease_key: LeaseKey,
    /// The durable checkpoint at the start of this tenure: delivery begins right after it.
    pub start_position: Checkpoint,
    /// A checkpoint that an earlier owner prepared and did not commit, with its state.
    pub pending: Option<PendingCheckpoint>,
}

impl LeaseInfo {
    /// The facts of a tenure.
    pub fn new(
        stream: impl Into<String>,
        lease_key: LeaseKey,
        start_position: Checkpoint,
        pending: Option<PendingCheckpoint>,
    ) -> Self {
        let shard_id = lease_key.shard_id();
        Self { stream: stream.into(), shard_id, lease_key, start_position, pending }
    }
}

/// What a [`Checkpointer`] stands on: the runtime implements it, and the recorder of `kcl-testing`.
#[async_trait]
pub trait CheckpointPort: Send + Sync + 'static {
    /// The tenure's facts.
    fn lease(&self) -> &LeaseInfo;

    /// A number that is greater for every later tenure and checkpoint of this lease key.
    fn fencing_token(&self) -> u64;

    /// The position of the last delivered record; `None` before the first.
    fn last_delivered(&self) -> Option<ExtendedSequenceNumber>;

    /// Stores a checkpoint: a position, or the end of the shard.
    ///
    /// # Errors
    /// See [`CheckpointError`].
    async fn checkpoint(&self, checkpoint: Checkpoint) -> Result<(), CheckpointError>;

    /// Stores a proposed checkpoint.
    ///
    /// # Errors
    /// See [`CheckpointError`].
    async fn prepare(&self, pending: PendingCheckpoint) -> Result<(), CheckpointError>;
}

/// Stores how far a shard has been processed. A handle to one tenure: cheap to clone, usable from any task.
#[derive(Clone)]
pub struct Checkpointer {
    port: Arc<dyn CheckpointPort>,
}

impl Checkpointer {
    /// A checkpointer over a port.
    pub fn new(port: Arc<dyn CheckpointPort>) -> Self {
        Self { port }
    }

    /// Stores `position`: everything up to and including it is processed. Durable when it returns `Ok`.
    ///
    /// Waits while the store cannot be reached and the lease is not known to be lost. Checkpoints that arrive faster
    /// than the store writes them are merged: the highest is stored, and each call returns when it or a later one is
    /// durable. Dropping the future leaves it open whether the checkpoint is stored. A position that is stored
    /// already is `Ok` without a write.
    ///
    /// # Errors
    /// [`CheckpointError::LeaseLost`] after the lease is lost, [`CheckpointError::OutOfRange`] for a position that
    /// was not delivered or is before the last checkpoint, [`CheckpointError::Store`] if the store refuses for good.
    pub async fn checkpoint(&self, position: ExtendedSequenceNumber) -> Result<(), CheckpointError> {
        self.port.checkpoint(Checkpoint::At(position)).await
    }

    /// Stores the position of the last delivered record. Before the first record there is nothing to store: `Ok`.
    ///
    /// # Errors
    /// As for [`checkpoint`](Self::checkpoint).
    pub async fn checkpoint_latest(&self) -> Result<(), CheckpointError> {
        match self.port.last_delivered() {
            Some(position) => self.checkpoint(position).await,
            None => Ok(()),
        }
    }

    /// Stores that the whole shard is processed. Its children may start when this returns `Ok`.
    ///
    /// # Errors
    /// [`CheckpointError::NotEnded`] before `shard_ended`, otherwise as for [`checkpoint`](Self::checkpoint).
    pub async fn end(&self) -> Result<(), CheckpointError> {
        self.port.checkpoint(Checkpoint::ShardEnd).await
    }

    /// Stores `position` as proposed, with the application's own `state`. The next owner gets both in
    /// [`LeaseInfo::pending`] if it is not committed; reading still starts from the committed checkpoint.
    ///
    /// # Errors
    /// As for [`checkpoint`](Self::checkpoint).
    pub async fn prepare(
        &self,
        position: ExtendedSequenceNumber,
        state: Option<Bytes>,
    ) -> Result<PreparedCheckpoint, CheckpointError> {
        let checkpoint = Checkpoint::At(position);
        self.port.prepare(PendingCheckpoint { checkpoint: checkpoint.clone(), state }).await?;
        Ok(PreparedCheckpoint { port: Arc::clone(&self.port), checkpoint })
    }

    /// The lease that this handle is for.
    pub fn lease(&self) -> &LeaseInfo {
        self.port.lease()
    }

    /// The lease counter of this tenure as last stored: never decreases, and is greater in every later tenure of this
    /// lease key. Store it beside results and refuse smaller ones, so that a worker that lost the lease cannot
    /// overwrite those of its successor.
    pub fn fencing_token(&self) -> u64 {
        self.port.fencing_token()
    }
}

impl fmt::Debug for Checkpointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checkpointer").field("lease_key", &self.lease().lease_key).finish_non_exhaustive()
    }
}

/// A proposed checkpoint. Dropping it changes nothing: the proposal stays until it is committed or replaced.
#[derive(Clone)]
pub struct PreparedCheckpoint {
    port: Arc<dyn CheckpointPort>,
    checkpoint: Checkpoint,
}

impl PreparedCheckpoint {
    /// The proposed position.
    pub const fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Makes the proposed position the checkpoint and removes the proposal.
    ///
    /// # Errors
    /// As for [`Checkpointer::checkpoint`]; `OutOfRange` if a later position was committed meanwhile.
    pub async fn commit(self) -> Result<(), CheckpointError> {
        self.port.checkpoint(self.checkpoint).await
    }
}

impl fmt::Debug for PreparedCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PreparedCheckpoint").field("checkpoint", &self.checkpoint).finish_non_exhaustive()
    }
}
