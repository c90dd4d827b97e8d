//! `DynamoDBLeaseRenewer`: heartbeats, and what a worker goes on with when it starts.

use std::sync::Arc;

use futures_util::future::join_all;
use kcl_core::{Checkpoint, Lease, LeaseKey, StoreError};

use super::owned::Owned;
use super::peer::Peer;
use super::{JavaVersion, JavaWrite};
use crate::trace::Answer;

impl Peer {
    /// Every third of the failover time, less a little, at a fixed rate.
    pub(super) async fn renew_for_ever(self: Arc<Self>) {
        let mut next = self.now();
        loop {
            let owned = self.state().owned.descending();
            join_all(owned.into_iter().map(|owned| self.renew(owned))).await;
            next = (next + self.settings.renew_every()).max(self.now());
            kcl_runtime::Env::sleep_until(&self.env, next).await;
        }
    }

    /// One heartbeat. A lease that expired here is not renewed but dropped; an error says nothing.
    async fn renew(&self, owned: Owned) {
        let _writing = owned.lock.lock().await;
        let (key, token) = (owned.row.key.clone(), owned.token);
        let Some(known) = self.state().owned.of(&key, token).cloned() else { return };
        let expired = self.now().since(known.written) > self.settings.failover;
        let renewed = if expired { Ok(None) } else { self.write_renewal(&known.row).await };
        let now = self.now();
        match renewed {
            Ok(Some(row)) => self.state().owned.wrote(token, row, now),
            Ok(None) => self.state().owned.drop(&key, token),
            Err(_) => {}
        }
    }

    /// A renewal that failed may have been applied all the same: the row says so if its owner is this worker and its counter
    /// the next one.
    async fn write_renewal(&self, known: &Lease) -> Result<Option<Lease>, StoreError> {
        if let Some(row) = self.table.write(JavaWrite::Renew(known.clone())).await? {
            return Ok(Some(row));
        }
        let row = self.table.get(&known.key).await?;
        Ok(row.filter(|row| row.owner == known.owner && row.counter == known.counter.next()))
    }

    /// `renewer.initialize`: goes on with what a process of this name held, also if that has expired.
    pub(super) async fn resume(&self) -> Result<(), StoreError> {
        let rows = match self.table.scan().await {
            Ok(rows) => rows,
            Err(error) if self.table.version == JavaVersion::Two => return Err(error),
            Err(_) => Vec::new(),
        };
        let mine = |row: &&Lease| row.is_owned_by(&self.me);
        let handed_over = |row: &&Lease| self.table.version == JavaVersion::Three && row.checkpoint_owner.is_some();
        for row in rows.iter().filter(mine).filter(|row| !handed_over(row)) {
            if let Some(row) = self.resume_one(row.clone()).await? {
                let now = self.now();
                self.state().owned.gain(row, now);
            }
        }
        Ok(())
    }

    /// A renewal that its predecessor sent and that came late passes for its own. The library goes on with the row as it is; here it is
    /// renewed once more at once, as the first round would, so that the record shows where the new process began.
    async fn resume_one(&self, mut row: Lease) -> Result<Option<Lease>, StoreError> {
        loop {
            if let Some(row) = self.table.write(JavaWrite::Resume(row.clone(), self.me.clone())).await? {
                return Ok(Some(row));
            }
            let now = self.table.get(&row.key).await?;
            match now.filter(|now| now.owner == row.owner && now.counter == row.counter.next()) {
                Some(now) => row = now,
                None => return Ok(None),
            }
        }
    }

    /// A checkpoint of this tenure.
    pub(super) async fn store(&self, key: &LeaseKey, token: u64, checkpoint: Checkpoint) -> Answer {
        let Some(owned) = self.state().owned.of(key, token).cloned() else { return Answer::LeaseLost };
        let _writing = owned.lock.lock().await;
        let Some(known) = self.state().owned.of(key, token).cloned() else { return Answer::LeaseLost };
        let written = self.table.write(JavaWrite::Checkpoint(known.row, checkpoint)).await;
        let now = self.now();
        match written {
            Ok(Some(row)) => {
                self.state().owned.wrote(token, row, now);
                Answer::Stored
            }
            Ok(None) => {
                self.state().owned.drop(key, token);
                Answer::LeaseLost
            }
            Err(_) => Answer::Refused,
        }
    }
}
