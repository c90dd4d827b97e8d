use kcl_core::{ChildShard, ReadOutcome, Shard, ShardEndEvent, ShardId, check_listing, error_chain};
use tokio::sync::oneshot;

use super::Consumer;
use crate::command::{Command, ConsumerEnd};
use crate::race::{Either, race2};

impl Consumer {
    /// Everything was delivered: makes sure that the children have rows, so that the end may be acknowledged.
    pub(super) async fn finish(&mut self) -> Result<(), ConsumerEnd> {
        let due = self.end_pacer.next_read();
        if self.now() < due {
            return self.wait(Some(due), false).await;
        }
        match self.children().await {
            Some(children) => self.acknowledge_end(children).await,
            None => Ok(()),
        }
    }

    async fn acknowledge_end(&mut self, children: Vec<ChildShard>) -> Result<(), ConsumerEnd> {
        let sent = self.now();
        let (reply, created) = oneshot::channel();
        let tenancy = self.tenancy.clone();
        let command = Command::CreateChildren { tenancy, children, reply };
        if self.commands.send(command).await.is_err() {
            self.abandon();
            return Ok(());
        }
        // Given up when the phase changes or the shard is to be left: asking again does no harm.
        let interrupted = race2(self.phases.changed(), self.leave.cancelled());
        match race2(interrupted, created).await {
            Either::Second(Ok(())) => {
                self.cell.reach_end();
                self.lifecycle.all_delivered();
                tracing::info!(shard = %self.info.shard_id, "every record of the shard was delivered");
            }
            // They cannot have rows yet.
            Either::Second(Err(_)) => self.end_pacer.read(sent, self.now(), ReadOutcome::Failed),
            Either::First(_) => {}
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
        match self.list_shards().await? {
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
        let now = self.now();
        match self.list_shards().await {
            Some(Ok(shards)) if check_listing(&shards).is_ok() && shards.iter().all(|shard| shard.id != self.info.shard_id) => {
                self.missing_since.get_or_insert(now);
            }
            Some(Ok(_)) => self.missing_since = None,
            Some(Err(error)) => {
                tracing::warn!(shard = %self.info.shard_id, error = %error_chain(&error), "listing the shards failed");
            }
            None => {}
        }
        // Listings may lag behind: it must stay away for as long as a lease must before it counts as lost.
        let gone = self.missing_since.is_some_and(|since| self.now().since(since) >= self.parts.timing.failover);
        if gone && self.all_read {
            // Retention was faster than the search for its children; those have rows, or get them from the shard sync.
            self.end = Some(ShardEndEvent::default());
            return self.acknowledge_end(Vec::new()).await;
        }
        if !gone {
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
    let closed =
        check_listing(shards).is_ok() && shards.iter().find(|shard| shard.id == *ended).is_some_and(|shard| !shard.is_open());
    let children: Vec<ChildShard> = shards.iter().filter(|shard| shard.parents.contains(ended)).map(ChildShard::from).collect();
    (closed && !children.is_empty()).then_some(children)
}
