//! `LeaseCleanupManager`: the rows of the shards that this worker finished.

use std::sync::Arc;
use std::time::Duration;

use kcl_core::{Checkpoint, Lease, LeaseKey, ReadPosition, StoreError, StreamReader};

use super::JavaWrite;
use super::peer::Peer;

/// Between two looks.
const EVERY: Duration = Duration::from_secs(60);

impl Peer {
    pub(super) async fn clean_up_for_ever(self: Arc<Self>) {
        let now = self.now();
        self.state().cleaned = now;
        loop {
            self.sleep(EVERY.min(self.settings.cleanup)).await;
            let (queue, since) = {
                let state = self.state();
                (state.finished.clone(), state.cleaned)
            };
            // The stopwatch is the worker's, not the lease's.
            if self.now().since(since) < self.settings.cleanup {
                continue;
            }
            for key in queue {
                if self.clean_up(&key).await.unwrap_or(false) {
                    self.state().finished.retain(|other| *other != key);
                }
            }
        }
    }

    /// Whether the row is gone.
    async fn clean_up(&self, key: &LeaseKey) -> Result<bool, StoreError> {
        let Some(row) = self.table.get(key).await? else { return Ok(true) };
        if row.children.is_empty() {
            // The library asks Kinesis, which does not know the shard any more.
            let gone = self.stream.open(&key.shard_id(), &ReadPosition::Latest).await;
            if !gone.is_err_and(|error| error.kind() == kcl_core::ErrorKind::NotFound) {
                return Ok(false);
            }
        } else if !self.may_go(&row).await? {
            return Ok(false);
        }
        let _ = self.table.write(JavaWrite::Delete(row)).await?;
        let now = self.now();
        self.state().cleaned = now;
        Ok(true)
    }

    /// Every child has a row that is past its start, LATEST included, and no row of a parent is left.
    async fn may_go(&self, row: &Lease) -> Result<bool, StoreError> {
        for child in &row.children {
            let begun = |child: Lease| !matches!(child.checkpoint, Checkpoint::TrimHorizon | Checkpoint::AtTimestamp);
            if !self.table.get(&LeaseKey::of_shard(child)).await?.is_some_and(begun) {
                return Ok(false);
            }
        }
        for parent in &row.parents {
            if self.table.get(&LeaseKey::of_shard(parent)).await?.is_some() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
