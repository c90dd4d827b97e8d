//! `DynamoDBLeaseTaker`, its rounds.

use std::sync::Arc;

use kcl_core::{ErrorKind, Lease, StoreError};

use super::JavaWrite;
use super::choose::choose;
use super::peer::Peer;

/// How often a throttled take is tried in all.
const TRIES: usize = 3;
/// `maxLeasesToStealAtOneTime`.
const STEAL_AT_ONCE: usize = 1;

impl Peer {
    /// Every two failover times and a little, counted from the end of a round.
    pub(super) async fn take_for_ever(self: Arc<Self>) {
        while !self.state().stopping {
            if let Ok(taken) = self.round().await {
                let mut state = self.state();
                // A lease that is taken after the stop is not renewed.
                if !state.stopping {
                    taken.into_iter().for_each(|(row, now)| state.owned.gain(row, now));
                }
            }
            self.sleep(self.settings.take_every()).await;
        }
    }

    /// What an error ends is not handed to the renewer: it expires, and is taken again like any other.
    async fn round(&self) -> Result<Vec<(Lease, kcl_core::Mono)>, StoreError> {
        let began = self.now();
        let rows = self.table.scan().await?;
        let now = self.now();
        let wanted = {
            let mut state = self.state();
            state.observer.scanned(rows, now);
            choose(&state.observer, &self.me, now, self.settings.failover, STEAL_AT_ONCE, &self.dice)
        };
        let slow = now.since(began) > self.settings.failover / 6;
        let mut taken = Vec::new();
        for wanted in wanted {
            let row = if wanted.steal && slow {
                // A row that is gone meanwhile fails the round with a null pointer.
                match self.table.get(&wanted.row.key).await {
                    Ok(None) => return Err(StoreError::new(ErrorKind::NotFound, "take", "leases")),
                    Ok(Some(row)) => row,
                    Err(_) => wanted.row,
                }
            } else {
                wanted.row
            };
            if let Some(row) = self.take(row).await? {
                let now = self.now();
                self.state().observer.took(row.clone(), now);
                taken.push((row, now));
            }
        }
        Ok(taken)
    }

    async fn take(&self, row: Lease) -> Result<Option<Lease>, StoreError> {
        for _ in 0..TRIES {
            match self.table.write(JavaWrite::Take(row.clone(), self.me.clone())).await {
                Err(error) if error.kind() == ErrorKind::Throttled => {}
                decided => return decided,
            }
        }
        Ok(None)
    }
}
