use async_trait::async_trait;

use crate::{FleetRows, Lease, LeaseKey, LeaseWrite, StoreError, WriteOutcome};

/// A row of the lease table that cannot be read as a lease. It is skipped, never touched, and named in a warning.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UnreadableRow {
    /// The row's key, as far as it could be read.
    pub key: String,
    /// What is wrong with it.
    pub reason: String,
}

/// What a scan of the lease table found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct LeaseScan {
    /// The leases, in no particular order.
    pub leases: Vec<Lease>,
    /// The rows that are not leases although they should be. Rows that say they are something else are left out.
    pub unreadable: Vec<UnreadableRow>,
}

/// Where leases are kept: a table of rows that can be written on a condition.
///
/// # Contract
/// - A write is applied atomically with its expectation ([`LeaseWrite::apply`] is the reference semantics), and
///   attributes that the write does not name are preserved.
/// - [`get`](Self::get) is strongly consistent; [`scan`](Self::scan) may be stale, and each row may be from another moment.
/// - A lost race is an outcome, not an error. An error says by its kind whether the write may have been applied.
/// - No method sleeps, spawns, retries or paces: the caller does. Least of all is a write sent twice: a rejection that no
///   lost answer explains counts as another process's doing, and costs the lease.
/// - Dropping a future of `write` leaves it open whether the write was or will be applied.
#[async_trait]
pub trait LeaseStore: Send + Sync + 'static {
    /// Makes sure that the store exists and has the right shape. Idempotent; called until it succeeds.
    ///
    /// # Errors
    /// `NotReady` while it is being created, `Invalid` if something else has its name, and the kinds of any call.
    async fn prepare(&self) -> Result<(), StoreError>;

    /// Every lease, eventually consistent.
    ///
    /// # Errors
    /// By kind; an incomplete scan is an error, never a short answer.
    async fn scan(&self) -> Result<LeaseScan, StoreError>;

    /// One lease, strongly consistent; `None` if there is none.
    ///
    /// # Errors
    /// By kind; `Corrupt` if the row is not readable as a lease.
    async fn get(&self, key: &LeaseKey) -> Result<Option<Lease>, StoreError>;

    /// Applies one conditional write.
    ///
    /// # Errors
    /// By kind; `Indeterminate` if the write may have been applied.
    async fn write(&self, write: &LeaseWrite) -> Result<WriteOutcome, StoreError>;

    /// What KCL 3.x workers stored about the fleet of this table, strongly consistent. Asked at the start and about once a
    /// minute. A store that no Java worker shares answers the default.
    ///
    /// # Errors
    /// By kind. That something may not be read which need not be there is an answer, not an error.
    async fn fleet(&self) -> Result<FleetRows, StoreError>;
}

#[async_trait]
impl<S: LeaseStore + ?Sized> LeaseStore for std::sync::Arc<S> {
    async fn prepare(&self) -> Result<(), StoreError> {
        (**self).prepare().await
    }

    async fn scan(&self) -> Result<LeaseScan, StoreError> {
        (**self).scan().await
    }

    async fn get(&self, key: &LeaseKey) -> Result<Option<Lease>, StoreError> {
        (**self).get(key).await
    }

    async fn write(&self, write: &LeaseWrite) -> Result<WriteOutcome, StoreError> {
        (**self).write(write).await
    }

    async fn fleet(&self) -> Result<FleetRows, StoreError> {
        (**self).fleet().await
    }
}
