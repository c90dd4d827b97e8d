use std::time::Duration;

use async_trait::async_trait;
use kcl_core::{ErrorKind, ReadError, ReadPosition, Shard, ShardEvent, ShardFilter, ShardId, ShardReader, StreamReader};

use super::{Api, Fate, Mutant, StreamServer};
use crate::exec::NodeId;
use crate::trace::Event;

/// How long an iterator is good for.
const ITERATOR_LIFE: Duration = Duration::from_secs(300);

/// The stream as one node sees it.
#[derive(Clone, Debug)]
pub struct StreamClient {
    server: StreamServer,
    node: NodeId,
    /// No listing leaves a shard out.
    complete: bool,
}

impl StreamClient {
    pub(super) const fn new(server: StreamServer, node: NodeId) -> Self {
        Self { server, node, complete: false }
    }

    /// The same without partial listings.
    pub(super) fn complete(self) -> Self {
        Self { complete: true, ..self }
    }
}

#[async_trait]
impl StreamReader for StreamClient {
    async fn list_shards(&self, filter: ShardFilter) -> Result<Vec<Shard>, ReadError> {
        let (nth, fate) = self.server.call(self.node, Api::List).await?;
        let shards = self.server.memory().list_shards(filter).await?;
        let fate = if self.complete && matches!(fate, Fate::PartialListing(_)) { Fate::Ok } else { fate };
        let shown = self.server.shown(filter, shards, nth, fate);
        let ids = shown.iter().map(|shard| shard.id.clone()).collect();
        self.server.trace.add(Event::Listed(self.node, filter, ids));
        Ok(shown)
    }

    async fn open(&self, shard: &ShardId, position: &ReadPosition) -> Result<Box<dyn ShardReader>, ReadError> {
        self.server.call(self.node, Api::Open).await?;
        let again = matches!(position, ReadPosition::After(_)) && self.server.mutant == Mutant::ReopenAtLatest;
        let position = if again { &ReadPosition::Latest } else { position };
        let inner = self.server.memory().open(shard, position).await?;
        let used = self.server.sim.now();
        self.server.trace.add(Event::Opened(self.node, shard.clone(), position.clone()));
        Ok(Box::new(Reader { client: self.clone(), shard: shard.clone(), inner, used, expired: false }))
    }
}

struct Reader {
    client: StreamClient,
    shard: ShardId,
    inner: Box<dyn ShardReader>,
    used: Duration,
    expired: bool,
}

#[async_trait]
impl ShardReader for Reader {
    async fn next(&mut self) -> Result<ShardEvent, ReadError> {
        let server = &self.client.server;
        let called = server.call(self.client.node, Api::Next).await;
        let now = server.sim.now();
        self.expired |= now.saturating_sub(self.used) > ITERATOR_LIFE;
        self.expired |= called.as_ref().is_err_and(|error| error.kind() == ErrorKind::Expired);
        if self.expired {
            return Err(ReadError::new(ErrorKind::Expired, "next", self.shard.as_str()));
        }
        let (_, fate) = called?;
        self.used = now;
        let mut event = ShardEvent::default();
        if fate != Fate::EmptyPage {
            // No await before this is polled, and it is done when it is first polled: cancelling loses nothing.
            server.memory();
            event = self.inner.next().await?;
        }
        if let (Fate::NoChildren, Some(end)) = (fate, &mut event.end) {
            end.children.clear();
        }
        let first = event.records.first().map(|record| record.sequence_number.clone());
        let end = event.end.as_ref().map(|end| end.children.len());
        server.trace.add(Event::Read(self.client.node, self.shard.clone(), first, event.records.len(), end));
        Ok(event)
    }
}
