use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use kcl_core::{
    ErrorKind, FleetRows, Lease, LeaseKey, LeaseScan, LeaseStore, LeaseWrite, StoreError, UnreadableRow, Verb, WriteOutcome,
};
use tokio::sync::watch;

/// A lease table in memory, with exactly the semantics of [`LeaseWrite::apply`].
///
/// A handle: clones share one table, so that a test keeps one and gives the other to a worker. Every call is done when
/// its future is first polled, so a call that was dropped before that had no effect, and calls never interleave. `scan`
/// is consistent here, which the seam does not promise. There is nothing to prepare.
#[derive(Clone, Debug, Default)]
pub struct MemoryLeaseStore {
    table: Arc<Mutex<Table>>,
    /// Told of every change.
    changes: watch::Sender<()>,
}

/// How many writes of one verb a [`MemoryLeaseStore`] has decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct WriteCount {
    /// Those that changed the row.
    pub applied: u64,
    /// Those whose expectation did not hold.
    pub rejected: u64,
}

#[derive(Debug, Default)]
struct Table {
    rows: BTreeMap<LeaseKey, Row>,
    writes: BTreeMap<Verb, WriteCount>,
    fleet: FleetRows,
}

#[derive(Debug)]
enum Row {
    Lease(Box<Lease>),
    Unreadable(String),
}

impl MemoryLeaseStore {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// Every lease, in the order of the keys.
    pub fn leases(&self) -> Vec<Lease> {
        self.lock().rows.values().filter_map(Row::lease).cloned().collect()
    }

    /// The lease with this key, if there is one.
    pub fn lease(&self, key: &str) -> Option<Lease> {
        self.lock().row(&LeaseKey::from(key)).cloned()
    }

    /// Waits until the leases are as `wanted` says, which is asked now and after every change of a row. For as long as it takes:
    /// a test that must end puts a timeout around it. Cancelling it does no harm.
    ///
    /// ```
    /// # use kcl_core::{Checkpoint, Lease};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let leases = kcl_testing::MemoryLeaseStore::new();
    /// leases.put(Lease::new("shardId-000000000000".into(), Checkpoint::TrimHorizon));
    /// leases.wait_until(|leases| leases.len() == 1).await;
    /// # }
    /// ```
    pub async fn wait_until(&self, mut wanted: impl FnMut(&[Lease]) -> bool) {
        let mut changes = self.changes.subscribe();
        while !wanted(&self.leases()) {
            // This handle has a sender, too: there is always another change to wait for.
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    /// Stores a row as it is, over any other, without a condition: an edit by hand or by another program. Not counted.
    pub fn put(&self, lease: Lease) {
        self.lock().rows.insert(lease.key.clone(), Row::Lease(Box::new(lease)));
        self.changes.send_replace(());
    }

    /// Removes a row without a condition: an edit by hand or by another program. Not counted. The lease that it was.
    pub fn remove(&self, key: &str) -> Option<Lease> {
        let removed = self.lock().rows.remove(&LeaseKey::from(key));
        self.changes.send_replace(());
        match removed {
            Some(Row::Lease(lease)) => Some(*lease),
            Some(Row::Unreadable(_)) | None => None,
        }
    }

    /// Stores a row that is no lease, over any other. Scans name it, `get` answers `Corrupt`, and every write of its
    /// key is rejected.
    pub fn add_unreadable(&self, key: &str, reason: impl Into<String>) {
        self.lock().rows.insert(LeaseKey::from(key), Row::Unreadable(reason.into()));
        self.changes.send_replace(());
    }

    /// What [`LeaseStore::fleet`] answers from now on: that KCL 3.x workers share the table. Nothing at first.
    ///
    /// ```
    /// use kcl_core::{FleetRows, StoredState};
    ///
    /// let store = kcl_testing::MemoryLeaseStore::new();
    /// let client_version = StoredState::Is("CLIENT_VERSION_3X".to_owned());
    /// store.set_fleet(FleetRows { client_version, ..FleetRows::default() });
    /// ```
    pub fn set_fleet(&self, rows: FleetRows) {
        self.lock().fleet = rows;
    }

    /// How many writes came through the seam, by verb. A verb that was never used is absent.
    pub fn writes(&self) -> BTreeMap<Verb, WriteCount> {
        self.lock().writes.clone()
    }

    /// How many writes of one verb came through the seam.
    pub fn writes_of(&self, verb: Verb) -> WriteCount {
        self.lock().writes.get(&verb).copied().unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // No code runs between two halves of a change, so a panicking test leaves the table whole.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Row {
    fn lease(&self) -> Option<&Lease> {
        match self {
            Self::Lease(lease) => Some(lease),
            Self::Unreadable(_) => None,
        }
    }
}

impl Table {
    fn row(&self, key: &LeaseKey) -> Option<&Lease> {
        self.rows.get(key).and_then(Row::lease)
    }

    fn write(&mut self, write: &LeaseWrite) -> WriteOutcome {
        let outcome = self.decide(write);
        let count = self.writes.entry(write.verb()).or_default();
        match &outcome {
            WriteOutcome::Applied(_) => count.applied += 1,
            WriteOutcome::Rejected { .. } => count.rejected += 1,
        }
        outcome
    }

    fn decide(&mut self, write: &LeaseWrite) -> WriteOutcome {
        let key = write.key();
        if matches!(self.rows.get(key), Some(Row::Unreadable(_))) {
            return WriteOutcome::Rejected { current: None };
        }
        let current = self.row(key).cloned();
        match (write.apply(current.as_ref()), current) {
            (Ok(Some(after)), _) => {
                self.rows.insert(key.clone(), Row::Lease(Box::new(after.clone())));
                WriteOutcome::Applied(after)
            }
            (Ok(None), Some(deleted)) => {
                self.rows.remove(key);
                WriteOutcome::Applied(deleted)
            }
            (Ok(None), None) => WriteOutcome::Rejected { current: None },
            (Err(_), current) => WriteOutcome::Rejected { current },
        }
    }

    fn scan(&self) -> LeaseScan {
        let mut scan = LeaseScan::default();
        for (key, row) in &self.rows {
            match row {
                Row::Lease(lease) => scan.leases.push((**lease).clone()),
                Row::Unreadable(reason) => {
                    scan.unreadable.push(UnreadableRow { key: key.to_string(), reason: reason.clone() });
                }
            }
        }
        scan
    }
}

#[async_trait]
impl LeaseStore for MemoryLeaseStore {
    async fn prepare(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn scan(&self) -> Result<LeaseScan, StoreError> {
        Ok(self.lock().scan())
    }

    async fn get(&self, key: &LeaseKey) -> Result<Option<Lease>, StoreError> {
        match self.lock().rows.get(key) {
            Some(Row::Lease(lease)) => Ok(Some((**lease).clone())),
            Some(Row::Unreadable(reason)) => {
                Err(StoreError::new(ErrorKind::Corrupt, "get", key.as_str()).with_hint(reason.as_str()))
            }
            None => Ok(None),
        }
    }

    async fn write(&self, write: &LeaseWrite) -> Result<WriteOutcome, StoreError> {
        let outcome = self.lock().write(write);
        self.changes.send_replace(());
        Ok(outcome)
    }

    async fn fleet(&self) -> Result<FleetRows, StoreError> {
        Ok(self.lock().fleet.clone())
    }
}

#[cfg(test)]
mod tests;
