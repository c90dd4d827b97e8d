use kcl_core::{ChildShard, ReadOutcome, Shard, ShardId, error_chain};
use tokio::sync::oneshot;

use super::Consumer;
use crate::command::{Command, ConsumerEnd};
use crate::race::{Either, race2};

/// How often in a row a complete listing must lack a shard before it counts as gone.
const TIMES_MISSING: u32 = 2;

impl Consumer {
    /// Everything was delivered: makes sure that the children have rows, so that the end may be acknowledged.
    pub(super) async fn finish(&mut self) -> Result<(), ConsumerEnd> {
        let due = self.end_pacer.next_read();
        if self.now() < due {
            return self.wait(Some(due), false).await;
        }
        let Some(children) = self.children().await else { return Ok(()) };
        let (reply, created) = oneshot::channel();
        let tenancy = self.tenancy.clone();
        let command = Command::CreateChildren { tenancy, children, reply };
        if self.commands.send(command).await.is_err() {
            return Err(ConsumerEnd::LeaseLost);
        }
        // Given up when the phase changes or the shutdown begins: asking again does no harm.
        let interrupted = race2(self.phases.changed(), self.shutdown.cancelled());
        if matches!(race2(interrupted, created).await, Either::Second(Ok(()))) {
            self.cell.reach_end();
            self.lifecycle.all_delivered();
            tracing::info!(shard = %self.info.shard_id, "every record of the shard was delivered");
        }
        Ok(())
    }

    /// The shards that follow: as the reader named them, or as the stream lists them. `None`: not known yet.
    async fn children(&mut self) -> Option<Vec<ChildShard>> {
        let named = self.end.as_ref().map(|end| end.children.clone()).unwrap_or_default();
        if !named.is_empty() {
            return Some(named);
        }
        let sent = self.now();
        match self.list_shards().await {
            Ok(shards) => match listed_children(&shards, &self.info.shard_id) {
                Some(children) => return Some(children),
                None => tracing::debug!(shard = %self.info.shard_id, "the shard ended and no children are listed yet"),
            },
            Err(error) => tracing::warn!(
                shard = %self.info.shard_id, error = %error_chain(&error),
                "listing the shards to find the children failed"
            ),
        }
        // Not an end without children: read again, and ask again.
        self.end = None;
        self.end_pacer.read(sent, self.now(), ReadOutcome::Failed);
        self.pacer.read(sent, self.now(), ReadOutcome::Failed);
        None
    }

    /// The stream said that the shard does not exist. That is never its end; but once complete listings lack it, too,
    /// its records are gone, and somebody has to say so.
    pub(super) async fn check_whether_gone(&mut self) -> Result<(), ConsumerEnd> {
        match self.list_shards().await {
            Ok(shards) if !shards.is_empty() && shards.iter().all(|shard| shard.id != self.info.shard_id) => {
                self.times_missing += 1;
            }
            Ok(_) => self.times_missing = 0,
            Err(error) => {
                tracing::warn!(shard = %self.info.shard_id, error = %error_chain(&error), "listing the shards failed");
            }
        }
        if self.times_missing < TIMES_MISSING {
            return Ok(());
        }
        tracing::error!(
            shard = %self.info.shard_id, checkpoint = %self.cell.lease().checkpoint,
            "the shard has left the stream before it was read to its end: its unread records are lost; \
             lengthen the stream's retention or process faster"
        );
        Err(ConsumerEnd::ShardGone)
    }
}

/// The children of a closed shard in a listing; `None` if it is still open or nobody names it as parent.
fn listed_children(shards: &[Shard], ended: &ShardId) -> Option<Vec<ChildShard>> {
    let closed = shards.iter().find(|shard| shard.id == *ended).is_some_and(|shard| !shard.is_open());
    let children: Vec<ChildShard> = shards.iter().filter(|shard| shard.parents.contains(ended)).map(ChildShard::from).collect();
    (closed && !children.is_empty()).then_some(children)
}
