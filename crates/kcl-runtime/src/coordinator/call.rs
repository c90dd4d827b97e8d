use std::future::Future;
use std::sync::Arc;

use futures_util::FutureExt;
use kcl_core::{ErrorKind, HoldId, Lease, LeaseKey, LeaseScan, LeaseWrite, Mono, StoreError, WriteOutcome};

use super::Coordinator;
use crate::parts::Parts;
use crate::race::within;

/// What came back from a call of the store.
#[derive(Debug)]
pub(super) enum Completion {
    /// The whole table.
    Scanned(Result<LeaseScan, StoreError>),
    /// One row, read because its timer ran out or a take's result is unknown.
    RowRead { key: LeaseKey, unknown_take: Option<(LeaseWrite, Mono)>, result: Result<Option<Lease>, StoreError> },
    /// A write of a held lease.
    HeldWritten { key: LeaseKey, hold: HoldId, number: u64, write: LeaseWrite, result: Result<WriteOutcome, StoreError> },
    /// The row of a held lease, after a write with an unknown result.
    HeldRead { key: LeaseKey, hold: HoldId, result: Result<Option<Lease>, StoreError> },
    /// A take.
    Taken { write: LeaseWrite, sent_at: Mono, may_retry: bool, result: Result<WriteOutcome, StoreError> },
    /// A new row.
    Created { write: LeaseWrite, result: Result<WriteOutcome, StoreError> },
}

impl Coordinator {
    /// Starts a call; its answer comes back through [`Coordinator::complete`].
    fn start<T: Send + 'static>(
        &self,
        operation: &'static str,
        late: ErrorKind,
        call: impl Future<Output = Result<T, StoreError>> + Send + 'static,
        completion: impl FnOnce(Result<T, StoreError>) -> Completion + Send + 'static,
    ) {
        let parts: Arc<Parts> = Arc::clone(&self.parts);
        let subject = parts.config.application.clone();
        let limited = async move {
            let answer = within(&*parts.env, parts.timing.call, call).await;
            completion(answer.unwrap_or_else(|| Err(StoreError::new(late, operation, subject).with_hint("no answer in time"))))
        };
        self.calls.push(limited.boxed());
    }

    pub(super) fn scan(&mut self) {
        self.scanning = true;
        let store = Arc::clone(&self.parts.store);
        self.start("scanning the lease table", ErrorKind::Unavailable, async move { store.scan().await }, Completion::Scanned);
    }

    fn get(
        &self,
        key: LeaseKey,
        completion: impl FnOnce(LeaseKey, Result<Option<Lease>, StoreError>) -> Completion + Send + 'static,
    ) {
        let (store, row) = (Arc::clone(&self.parts.store), key.clone());
        let call = async move { store.get(&row).await };
        self.start("reading a lease", ErrorKind::Unavailable, call, move |result| completion(key, result));
    }

    fn write(
        &self,
        write: LeaseWrite,
        completion: impl FnOnce(LeaseWrite, Result<WriteOutcome, StoreError>) -> Completion + Send + 'static,
    ) {
        let (store, sent) = (Arc::clone(&self.parts.store), write.clone());
        let call = async move { store.write(&sent).await };
        // A write that was given up may still arrive.
        self.start("writing a lease", ErrorKind::Indeterminate, call, move |result| completion(write, result));
    }

    pub(super) fn read_row(&self, key: LeaseKey) {
        self.get(key, |key, result| Completion::RowRead { key, unknown_take: None, result });
    }

    pub(super) fn read_unknown_take(&self, write: LeaseWrite, sent_at: Mono) {
        let key = write.key().clone();
        self.get(key, move |key, result| Completion::RowRead { key, unknown_take: Some((write, sent_at)), result });
    }

    pub(super) fn read_held(&self, key: LeaseKey, hold: HoldId) {
        self.get(key, move |key, result| Completion::HeldRead { key, hold, result });
    }

    pub(super) fn write_held(&self, key: LeaseKey, hold: HoldId, number: u64, write: LeaseWrite) {
        self.write(write, move |write, result| Completion::HeldWritten { key, hold, number, write, result });
    }

    pub(super) fn write_take(&mut self, write: LeaseWrite, may_retry: bool) {
        let sent_at = self.now();
        self.taking.insert(write.key().clone());
        self.write(write, move |write, result| Completion::Taken { write, sent_at, may_retry, result });
    }

    pub(super) fn write_creation(&self, write: LeaseWrite) {
        self.write(write, |write, result| Completion::Created { write, result });
    }

    pub(super) fn complete(&mut self, completion: Completion) {
        match completion {
            Completion::Scanned(result) => self.scanned(result),
            Completion::RowRead { key, unknown_take, result } => self.row_was_read(&key, unknown_take, result),
            Completion::HeldWritten { key, hold, number, write, result } => {
                self.held_was_written(&key, hold, number, &write, result)
            }
            Completion::HeldRead { key, hold, result } => self.held_was_read(&key, hold, result),
            Completion::Taken { write, sent_at, may_retry, result } => self.taken(write, sent_at, may_retry, result),
            Completion::Created { write, result } => self.created(write, result),
        }
    }
}
