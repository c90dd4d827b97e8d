use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use kcl_core::{
    Admission, Checkpoint, CheckpointError, CheckpointPort, CheckpointTracker, Checkpointer, ErrorKind, ExtendedSequenceNumber,
    LeaseInfo, LeaseKey, PendingCheckpoint, StoreError,
};

/// What a [`Checkpointer`] stands on in a unit test of a processor: it keeps what is checkpointed and refuses what a worker
/// would refuse.
///
/// A handle to one tenure of a lease: clones are the same tenure. Most tests want a [`TestShard`](crate::TestShard),
/// which makes the records too; this is for tests that make their own.
///
/// ```
/// # use kcl_core::{CheckpointError, ExtendedSequenceNumber};
/// # use kcl_testing::RecordingCheckpointer;
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let recorder = RecordingCheckpointer::for_shard("shardId-000000000000");
/// let position = ExtendedSequenceNumber::new(7.into(), 0);
/// let early = recorder.checkpointer().checkpoint(position.clone()).await;
/// assert!(matches!(early, Err(CheckpointError::OutOfRange { .. })));
///
/// recorder.deliver(position.clone());
/// recorder.checkpointer().checkpoint(position).await?;
/// assert_eq!(recorder.checkpoints().len(), 1);
/// # Ok::<(), CheckpointError>(())
/// # }).unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct RecordingCheckpointer {
    port: Arc<Port>,
}

#[derive(Debug)]
struct Port {
    lease: LeaseInfo,
    tenure: Mutex<Tenure>,
}

#[derive(Debug)]
struct Tenure {
    tracker: CheckpointTracker,
    history: Vec<Checkpoint>,
    pending: Option<PendingCheckpoint>,
    fencing_token: u64,
    refusal: Option<ErrorKind>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Running,
    ShuttingDown,
    LeaseLost,
}

impl RecordingCheckpointer {
    /// A tenure that starts with these facts; nothing is delivered yet.
    pub fn new(lease: LeaseInfo) -> Self {
        Self::with_token(lease, 1)
    }

    /// The first tenure of a shard of the stream `test-stream`, from the oldest record on.
    pub fn for_shard(shard: &str) -> Self {
        Self::new(LeaseInfo::new("test-stream", LeaseKey::from(shard), Checkpoint::TrimHorizon, None))
    }

    fn with_token(lease: LeaseInfo, fencing_token: u64) -> Self {
        let tenure = Tenure {
            tracker: CheckpointTracker::new(lease.start_position.clone()),
            history: Vec::new(),
            pending: lease.pending.clone(),
            fencing_token,
            refusal: None,
            state: State::Running,
        };
        Self { port: Arc::new(Port { lease, tenure: Mutex::new(tenure) }) }
    }

    /// A checkpointer of this tenure, for a processor.
    pub fn checkpointer(&self) -> Checkpointer {
        Checkpointer::new(Arc::clone(&self.port) as Arc<dyn CheckpointPort>)
    }

    /// Says that everything up to `position` was delivered: what may be checkpointed from now on.
    pub fn deliver(&self, position: ExtendedSequenceNumber) {
        self.port.lock().tracker.deliver(position);
    }

    /// What was stored in this tenure, in order. A position that was stored already is not stored again.
    pub fn checkpoints(&self) -> Vec<Checkpoint> {
        self.port.lock().history.clone()
    }

    /// What is stored now: where the next tenure starts.
    pub fn stored(&self) -> Checkpoint {
        self.port.lock().tracker.stored().clone()
    }

    /// The proposed checkpoint that is neither committed nor replaced.
    pub fn pending(&self) -> Option<PendingCheckpoint> {
        self.port.lock().pending.clone()
    }

    /// From now on every checkpoint answers [`CheckpointError::LeaseLost`].
    pub fn lose_lease(&self) {
        self.port.lock().state = State::LeaseLost;
    }

    /// Says that the shard has ended: [`Checkpointer::end`] may be called.
    pub fn end_shard(&self) {
        self.port.lock().tracker.reach_end();
    }

    /// From now on every checkpoint answers [`CheckpointError::ShuttingDown`]: the worker is gone. Nothing happens after
    /// a loss.
    pub fn shut_down(&self) {
        let mut tenure = self.port.lock();
        if tenure.state != State::LeaseLost {
            tenure.state = State::ShuttingDown;
        }
    }

    /// Makes the next checkpoint or proposal that would be stored answer [`CheckpointError::Store`] with this kind.
    pub fn refuse_next(&self, kind: ErrorKind) {
        self.port.lock().refusal = Some(kind);
    }

    /// Ends this tenure as a crash does, and begins the next one where the stored checkpoint says. Its fencing token is
    /// greater, and it knows the pending checkpoint.
    #[must_use]
    pub fn next_tenure(&self) -> Self {
        let mut tenure = self.port.lock();
        tenure.state = State::LeaseLost;
        let LeaseInfo { stream, lease_key, .. } = self.port.lease.clone();
        let lease = LeaseInfo::new(stream, lease_key, tenure.tracker.stored().clone(), tenure.pending.clone());
        Self::with_token(lease, tenure.fencing_token + 1)
    }
}

impl Port {
    fn lock(&self) -> MutexGuard<'_, Tenure> {
        self.tenure.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tenure {
    /// Whether `checkpoint` may be stored, by the rules that a worker has too.
    fn admit(&self, checkpoint: &Checkpoint) -> Result<Admission, CheckpointError> {
        match self.state {
            State::Running => self.tracker.admit(checkpoint),
            State::ShuttingDown => Err(CheckpointError::ShuttingDown),
            State::LeaseLost => Err(CheckpointError::LeaseLost),
        }
    }

    /// One write to the store.
    fn write(&mut self, lease_key: &LeaseKey) -> Result<(), CheckpointError> {
        if let Some(kind) = self.refusal.take() {
            let error = StoreError::new(kind, "checkpoint", lease_key.as_str());
            return Err(CheckpointError::Store(Arc::new(error)));
        }
        self.fencing_token += 1;
        Ok(())
    }
}

#[async_trait]
impl CheckpointPort for Port {
    fn lease(&self) -> &LeaseInfo {
        &self.lease
    }

    fn fencing_token(&self) -> u64 {
        self.lock().fencing_token
    }

    fn last_delivered(&self) -> Option<ExtendedSequenceNumber> {
        self.lock().tracker.delivered().cloned()
    }

    async fn checkpoint(&self, checkpoint: Checkpoint) -> Result<(), CheckpointError> {
        let mut tenure = self.lock();
        let admission = tenure.admit(&checkpoint)?;
        if admission == Admission::AlreadyStored && tenure.pending.is_none() {
            return Ok(());
        }
        tenure.write(&self.lease.lease_key)?;
        tenure.pending = None;
        if admission == Admission::Write {
            tenure.tracker.store(&checkpoint);
            tenure.history.push(checkpoint);
        }
        Ok(())
    }

    async fn prepare(&self, pending: PendingCheckpoint) -> Result<(), CheckpointError> {
        let mut tenure = self.lock();
        tenure.admit(&pending.checkpoint)?;
        tenure.write(&self.lease.lease_key)?;
        tenure.pending = Some(pending);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
