//! One shard's checkpoints: what was handled goes in, and is stored when it is worth a write.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use kcl::{CheckpointError, Checkpointer, ExtendedSequenceNumber};

use crate::progress::{CheckpointPolicy, Pending, Progress};

/// Stores the progress of one tenure of one shard. Usable from the processor and a timer at the same time.
#[derive(Debug)]
pub struct Checkpoints {
    checkpointer: Checkpointer,
    progress: Mutex<Progress>,
    /// Held while a checkpoint is stored: a later position must not overtake an earlier one, because going back is an
    /// error. Messages may be handled meanwhile.
    storing: tokio::sync::Mutex<()>,
}

impl Checkpoints {
    /// Nothing handled yet.
    pub fn new(checkpointer: Checkpointer, policy: CheckpointPolicy) -> Self {
        let progress = Mutex::new(Progress::new(policy, Instant::now()));
        Self { checkpointer, progress, storing: tokio::sync::Mutex::new(()) }
    }

    /// The handle that this stands on.
    pub const fn checkpointer(&self) -> &Checkpointer {
        &self.checkpointer
    }

    /// The message at `position`, and every one before it, is handled.
    pub fn handled(&self, position: ExtendedSequenceNumber) {
        self.progress().handled(position);
    }

    /// Stores the progress if enough was handled or enough time went by. Yields what was stored.
    ///
    /// # Errors
    /// As for [`Checkpointer::checkpoint`]; what was handled stays pending.
    pub async fn store_if_due(&self) -> Result<Option<Pending>, CheckpointError> {
        let _alone = self.storing.lock().await;
        let due = self.progress().due(Instant::now());
        self.store(due).await
    }

    /// Stores all of the progress. Yields what was stored.
    ///
    /// # Errors
    /// As for [`Checkpointer::checkpoint`]; what was handled stays pending.
    pub async fn store_all(&self) -> Result<Option<Pending>, CheckpointError> {
        let _alone = self.storing.lock().await;
        let pending = self.progress().pending();
        self.store(pending).await
    }

    async fn store(&self, pending: Option<Pending>) -> Result<Option<Pending>, CheckpointError> {
        if let Some(pending) = &pending {
            self.checkpointer.checkpoint(pending.position.clone()).await?;
            self.progress().stored(pending, Instant::now());
        }
        Ok(pending)
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use kcl::Checkpoint;
    use kcl_testing::TestShard;

    use super::*;

    fn checkpoints(shard: &TestShard, messages: usize, interval: Duration) -> Checkpoints {
        Checkpoints::new(shard.checkpointer(), CheckpointPolicy { messages, interval })
    }

    #[tokio::test]
    async fn a_checkpoint_never_passes_a_message_that_was_not_handled() {
        let mut shard = TestShard::new();
        let checkpoints = checkpoints(&shard, 2, Duration::from_secs(3600));
        let records = shard.aggregate(["a", "b", "c", "d"]);
        for record in &records[..3] {
            checkpoints.handled(record.extended_sequence_number());
            checkpoints.store_if_due().await.unwrap();
        }
        assert_eq!(shard.checkpoint(), Checkpoint::At(records[1].extended_sequence_number()), "two by two");
        let stored = checkpoints.store_all().await.unwrap().unwrap();
        assert_eq!(stored.messages, 1);
        assert_eq!(shard.checkpoint(), Checkpoint::At(records[2].extended_sequence_number()), "not the fourth");
    }

    #[tokio::test]
    async fn time_alone_stores_what_was_handled_and_nothing_twice() {
        let mut shard = TestShard::new();
        let checkpoints = checkpoints(&shard, 1000, Duration::ZERO);
        assert_eq!(checkpoints.store_if_due().await.unwrap(), None);
        let record = shard.record("key", "a");
        checkpoints.handled(record.extended_sequence_number());
        assert_eq!(checkpoints.store_if_due().await.unwrap().map(|stored| stored.messages), Some(1));
        assert_eq!(checkpoints.store_if_due().await.unwrap(), None);
        assert_eq!(shard.recorder().checkpoints().len(), 1);
    }

    #[tokio::test]
    async fn what_could_not_be_stored_stays_pending() {
        let mut shard = TestShard::new();
        let checkpoints = checkpoints(&shard, 1, Duration::from_secs(3600));
        checkpoints.handled(shard.record("key", "a").extended_sequence_number());
        shard.recorder().refuse_next(kcl::ErrorKind::Denied);
        assert!(matches!(checkpoints.store_if_due().await, Err(CheckpointError::Store(_))));
        assert_eq!(checkpoints.store_if_due().await.unwrap().map(|stored| stored.messages), Some(1));
        assert!(shard.is_fully_checkpointed());
    }
}
