//! `HierarchicalShardSyncer`, `PeriodicShardSyncManager` and the election: when shards are listed, and what follows.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use kcl_core::{ErrorKind, Shard, ShardFilter, StartStrategy, StoreError, StreamReader, elect_leader};

use super::JavaWrite;
use super::peer::Peer;
use super::sync::{hole, missing};
use crate::trace::Event;

/// How often the same hole is seen before it is believed.
const CONFIDENCE: u32 = 3;
/// An election holds for so long.
const ELECTION: Duration = Duration::from_secs(300);

impl Peer {
    /// `initialize`: the first shard sync, if nobody was faster, and what was held before.
    pub(super) async fn initialize(&self) -> Result<(), StoreError> {
        let wait = Duration::from_millis(1_000 + self.dice.below(29_000) as u64);
        let deadline = self.now() + wait;
        let mut empty = true;
        while empty && self.now() < deadline {
            empty = self.table.scan().await?.is_empty();
            if empty {
                self.sleep(Duration::from_secs(3)).await;
            }
        }
        // Since 3.4.3 only the leader does it; with no leases everybody is.
        if empty && self.sync().await? {
            self.sleep(self.settings.sync).await;
        }
        self.resume().await
    }

    /// The audit of the leader.
    pub(super) async fn audit_for_ever(self: Arc<Self>) {
        loop {
            self.sleep(self.settings.sync).await;
            // An error is tried again in the next round.
            let _ = self.audit().await;
        }
    }

    async fn audit(&self) -> Result<(), StoreError> {
        if !self.is_leader().await? {
            return Ok(());
        }
        let rows = self.table.scan().await?;
        let seen = hole(rows.iter());
        let confident = {
            let mut state = self.state();
            let before = state.hole.take();
            let times = |found| before.filter(|(hole, _)| *hole == found).map_or(1, |(_, times)| times + 1);
            state.hole = seen.map(|found| (found, times(found)));
            rows.is_empty() || state.hole.is_some_and(|(_, times)| times >= CONFIDENCE)
        };
        if confident && self.sync().await? {
            self.state().hole = None;
            self.sleep(self.settings.sync).await;
        }
        Ok(())
    }

    async fn is_leader(&self) -> Result<bool, StoreError> {
        let now = self.now();
        let elected = self.state().leader.clone().filter(|(_, at)| now.since(*at) < ELECTION).map(|(leader, _)| leader);
        let leader = match elected {
            Some(leader) => leader,
            None => {
                let rows = self.table.scan().await?;
                let leader = elect_leader(rows.iter().filter_map(|row| row.owner.as_ref()));
                self.state().leader = Some((leader.clone(), self.now()));
                leader
            }
        };
        Ok(leader.is_none_or(|leader| leader == self.me))
    }

    /// A shard sync; whether it came to its end.
    async fn sync(&self) -> Result<bool, StoreError> {
        let failed = |_| StoreError::new(ErrorKind::Unavailable, "sync", "shards");
        let empty = self.table.scan().await?.is_empty();
        let filter = match self.settings.start {
            _ if !empty => ShardFilter::All,
            StartStrategy::Latest => ShardFilter::AtLatest,
            StartStrategy::Oldest => ShardFilter::AtTrimHorizon,
            StartStrategy::Timestamp(millis) => ShardFilter::AtTimestamp(kcl_core::Wall::from_unix_millis(millis)),
        };
        let mut shards = self.stream.list_shards(filter).await.map_err(failed)?;
        let mut ids = BTreeSet::new();
        shards.retain(|shard: &Shard| ids.insert(shard.id.clone()));
        if shards.is_empty() {
            return Ok(false);
        }
        let leases = if empty { Vec::new() } else { self.table.scan().await? };
        let leases = leases.iter().map(|row| row.key.shard_id()).collect();
        // A child of an open shard: tried again later.
        let Some(rows) = missing(&shards, &leases, self.settings.start) else { return Ok(false) };
        for row in rows {
            // That somebody else created it is no error.
            let _ = self.table.write(JavaWrite::Create(row)).await?;
        }
        self.trace.add(Event::JavaSynced(self.node));
        Ok(true)
    }
}
