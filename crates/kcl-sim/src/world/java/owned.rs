use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use kcl_core::{Lease, LeaseKey, Mono};
use tokio::sync::Mutex as AsyncMutex;

/// A lease that this worker renews.
#[derive(Clone, Debug)]
pub(super) struct Owned {
    /// `concurrencyToken`: new whenever the lease is gained.
    pub(super) token: u64,
    /// The row as this worker believes it to be.
    pub(super) row: Lease,
    /// When it was last written, by the answer.
    pub(super) written: Mono,
    /// Held for a renewal or a checkpoint.
    pub(super) lock: Arc<AsyncMutex<()>>,
}

/// `DynamoDBLeaseRenewer.ownedLeases`.
#[derive(Debug, Default)]
pub(super) struct OwnedLeases {
    leases: BTreeMap<LeaseKey, Owned>,
    tokens: u64,
}

impl OwnedLeases {
    /// A lease was gained: whatever was known of it is forgotten.
    pub(super) fn gain(&mut self, row: Lease, now: Mono) {
        self.tokens += 1;
        let owned = Owned { token: self.tokens, row, written: now, lock: Arc::default() };
        self.leases.insert(owned.row.key.clone(), owned);
    }

    /// The lease in this tenure.
    pub(super) fn of(&self, key: &LeaseKey, token: u64) -> Option<&Owned> {
        self.leases.get(key).filter(|owned| owned.token == token)
    }

    /// It was written.
    pub(super) fn wrote(&mut self, token: u64, row: Lease, now: Mono) {
        if let Some(owned) = self.leases.get_mut(&row.key).filter(|owned| owned.token == token) {
            (owned.row, owned.written) = (row, now);
        }
    }

    /// It is lost, or given up; nothing is written for that.
    pub(super) fn drop(&mut self, key: &LeaseKey, token: u64) {
        if self.of(key, token).is_some() {
            self.leases.remove(key);
        }
    }

    /// Every lease is forgotten.
    pub(super) fn clear(&mut self) {
        self.leases.clear();
    }

    /// All of them, by descending key.
    pub(super) fn descending(&self) -> Vec<Owned> {
        self.leases.values().rev().cloned().collect()
    }

    /// Those that have not expired by this worker's own clock.
    pub(super) fn held(&self, now: Mono, failover: Duration) -> Vec<Owned> {
        self.leases.values().filter(|owned| now.since(owned.written) <= failover).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use kcl_core::Checkpoint;

    use super::*;

    #[test]
    fn who_loses_and_regains_a_lease_has_another_token() {
        let (row, key) = (Lease::new("a".into(), Checkpoint::TrimHorizon), LeaseKey::from("a"));
        let mut owned = OwnedLeases::default();
        owned.gain(row.clone(), Mono::ZERO);
        let first = owned.descending()[0].token;
        owned.gain(row.clone(), Mono::from_millis(1));
        let second = owned.descending()[0].token;
        assert!(owned.of(&key, first).is_none() && owned.of(&key, second).is_some());
        owned.wrote(first, Lease { checkpoint: Checkpoint::ShardEnd, ..row }, Mono::from_millis(2));
        owned.drop(&key, first);
        assert_eq!(
            owned.of(&key, second).map(|owned| (owned.written, owned.row.checkpoint.clone())),
            Some((Mono::from_millis(1), Checkpoint::TrimHorizon))
        );
    }

    #[test]
    fn what_expired_is_not_held() {
        let mut owned = OwnedLeases::default();
        owned.gain(Lease::new("a".into(), Checkpoint::TrimHorizon), Mono::ZERO);
        let held = |millis| owned.held(Mono::from_millis(millis), Duration::from_secs(1)).len();
        assert_eq!((held(1_000), held(1_001)), (1, 0));
    }
}
