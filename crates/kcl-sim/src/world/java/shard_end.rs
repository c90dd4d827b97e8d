//! `ShutdownTask` at the end of a shard.

use std::time::Duration;

use kcl_core::{Checkpoint, ChildShard, Lease, LeaseKey};

use super::JavaWrite;
use super::consumer::Work;
use crate::trace::{Answer, Call, Event};

/// `taskBackoffTimeMillis`.
const BACK_OFF: Duration = Duration::from_millis(500);
/// One in so many gives a lease up that waits for the other parent of a merge.
const GIVES_UP: usize = 30;

/// What came of a try.
enum Tried {
    Done,
    Again,
    /// The lease is left to another worker.
    Leave,
}

impl Work {
    /// The rows of the children first, then the end. Without children it was finished before this tenure, or the shard is gone.
    pub(super) async fn finish(&mut self, children: Option<Vec<ChildShard>>) -> Option<()> {
        let children = children.unwrap_or_default();
        loop {
            self.going()?;
            match self.end(&children).await {
                Tried::Done => break,
                Tried::Leave => return None,
                Tried::Again => self.pause(BACK_OFF).await?,
            }
        }
        let mut state = self.peer.state();
        if !state.finished.contains(&self.key) {
            state.finished.push(self.key.clone());
        }
        Some(())
    }

    async fn end(&mut self, children: &[ChildShard]) -> Tried {
        let now = self.peer.now();
        let held = self.peer.state().owned.held(now, self.peer.settings.failover);
        if !held.iter().any(|owned| owned.row.key == self.key && owned.token == self.token) {
            return Tried::Leave;
        }
        if !children.is_empty() {
            match self.children(children).await {
                Ok(Tried::Done) => {}
                Ok(other) => return other,
                Err(_) => return Tried::Again,
            }
        }
        match self.peer.table.get(&self.key).await {
            Ok(Some(row)) if row.checkpoint.is_shard_end() => Tried::Done,
            Ok(Some(_)) => self.say_end().await,
            Ok(None) => Tried::Leave,
            Err(_) => Tried::Again,
        }
    }

    async fn say_end(&mut self) -> Tried {
        let Some(tenure) = self.tenure.clone() else { return Tried::Leave };
        self.peer.trace.add(Event::Begin(tenure.clone(), Call::ShardEnded));
        let answer = self.store(Checkpoint::ShardEnd).await;
        self.peer.trace.add(Event::End(tenure));
        match answer {
            Answer::Stored => Tried::Done,
            Answer::LeaseLost => Tried::Leave,
            Answer::Refused => Tried::Again,
        }
    }

    async fn children(&self, children: &[ChildShard]) -> Result<Tried, kcl_core::StoreError> {
        let table = &self.peer.table;
        if let [merged] = children {
            let [one, other] = merged.parents.as_slice() else { return Ok(Tried::Leave) };
            let one = table.get(&LeaseKey::of_shard(one)).await?.is_some();
            if one != table.get(&LeaseKey::of_shard(other)).await?.is_some() {
                return Ok(if self.peer.dice.below(GIVES_UP) == 0 { Tried::Leave } else { Tried::Again });
            }
        }
        for child in children {
            let key = LeaseKey::of_shard(&child.id);
            if table.get(&key).await?.is_none() {
                let (parents, hash_range) = (child.parents.clone(), child.hash_range);
                let row = Lease { parents, hash_range, ..Lease::new(key, Checkpoint::TrimHorizon) };
                let _ = table.write(JavaWrite::Create(row)).await?;
            }
        }
        let ids = children.iter().map(|child| child.id.clone()).collect();
        // A row that is gone is found out next.
        let _ = table.write(JavaWrite::Children(self.key.clone(), ids)).await?;
        Ok(Tried::Done)
    }
}
