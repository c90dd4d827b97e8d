use std::sync::Arc;

use async_trait::async_trait;
use kcl_core::{Checkpoint, CheckpointError, CheckpointPort, Checkpointer, ExtendedSequenceNumber, LeaseInfo, PendingCheckpoint};

use super::trace::{Answer, Event};
use super::watch::Watch;
use crate::MemoryLeaseStore;

/// A worker's checkpointer, and what is asked of it, recorded.
pub(super) struct WatchedPort {
    pub(super) inner: Checkpointer,
    pub(super) watch: Arc<Watch>,
    pub(super) store: MemoryLeaseStore,
}

#[async_trait]
impl CheckpointPort for WatchedPort {
    fn lease(&self) -> &LeaseInfo {
        self.inner.lease()
    }

    fn fencing_token(&self) -> u64 {
        self.inner.fencing_token()
    }

    /// Only `checkpoint_latest` asks this.
    fn last_delivered(&self) -> Option<ExtendedSequenceNumber> {
        if let (false, Some(open)) = (self.watch.is_in_callback(), self.watch.first_open()) {
            self.watch.trace.add(Event::LatestWhileBusy(self.watch.tenure.clone(), open));
        }
        self.watch.delivered()
    }

    async fn checkpoint(&self, checkpoint: Checkpoint) -> Result<(), CheckpointError> {
        let Watch { tenure, trace, .. } = &*self.watch;
        let in_lease_lost = self.watch.is_in_lease_lost();
        trace.add(Event::Asked { tenure: tenure.clone(), checkpoint: checkpoint.clone(), in_lease_lost });
        if let (true, Checkpoint::At(position)) = (self.watch.is_in_callback(), &checkpoint) {
            // From here on the records may never come again: the callback says that it is done with them.
            self.watch.accept(Some(position));
        }
        let result = match &checkpoint {
            Checkpoint::At(position) => self.inner.checkpoint(position.clone()).await,
            _ => self.inner.end().await,
        };
        let stored = self.store.lease(&self.inner.lease().lease_key).map(|lease| lease.checkpoint);
        trace.add(Event::Answered { tenure: tenure.clone(), checkpoint, answer: Answer::from(&result), stored });
        result
    }

    async fn prepare(&self, pending: PendingCheckpoint) -> Result<(), CheckpointError> {
        match pending.checkpoint.position().cloned() {
            Some(position) => self.inner.prepare(position, pending.state).await.map(drop),
            // A checkpointer proposes positions only.
            None => Ok(()),
        }
    }
}
