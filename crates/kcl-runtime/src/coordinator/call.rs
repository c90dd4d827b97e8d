use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use kcl_core::{ErrorKind, HoldId, Lease, LeaseKey, LeaseScan, LeaseWrite, Mono, PlannedTake, StoreError, WriteOutcome};
use tokio::sync::oneshot;

use super::Coordinator;
use crate::command::ConsumerEnd;
use crate::env::TaskHandle;
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
    Taken { take: PlannedTake, sent_at: Mono, retried: bool, result: Result<WriteOutcome, StoreError> },
    /// A request for a lease of another worker.
    Requested { write: LeaseWrite, retried: bool, result: Result<WriteOutcome, StoreError> },
    /// What a worker that stops takes back.
    Withdrawn { write: LeaseWrite, result: Result<WriteOutcome, StoreError> },
    /// A new row.
    Created { write: LeaseWrite, result: Result<WriteOutcome, StoreError> },
    /// The task of a shard's driver is over; how it ended, if it could say so.
    DriverEnded { key: LeaseKey, hold: HoldId, end: Option<ConsumerEnd> },
}

/// How long a scan may take: a large table has many pages, and nothing waits for it.
const SCAN_LIMIT: Duration = Duration::from_secs(60);

/// How many single rows are read at the same time.
const READS_AT_ONCE: usize = 64;

impl Coordinator {
    /// Starts a call; its answer comes back through [`Coordinator::complete`].
    fn start<T: Send + 'static>(
        &self,
        operation: &'static str,
        late: ErrorKind,
        limit: Duration,
        call: impl Future<Output = Result<T, StoreError>> + Send + 'static,
        completion: impl FnOnce(Result<T, StoreError>) -> Completion + Send + 'static,
    ) {
        let parts: Arc<Parts> = Arc::clone(&self.parts);
        let subject = parts.config.application.clone();
        let limited = async move {
            let answer = within(&*parts.env, limit, call).await;
            completion(answer.unwrap_or_else(|| Err(StoreError::new(late, operation, subject).with_hint("no answer in time"))))
        };
        self.calls.push(limited.boxed());
    }

    pub(super) fn scan(&mut self) {
        self.scanning = true;
        self.takes.pacing.scan_begins();
        let store = Arc::clone(&self.parts.store);
        let call = async move { store.scan().await };
        self.start("scanning the lease table", ErrorKind::Unavailable, SCAN_LIMIT, call, Completion::Scanned);
    }

    fn get(
        &self,
        key: LeaseKey,
        completion: impl FnOnce(LeaseKey, Result<Option<Lease>, StoreError>) -> Completion + Send + 'static,
    ) {
        let (store, row) = (Arc::clone(&self.parts.store), key.clone());
        let call = async move { store.get(&row).await };
        let limit = self.parts.timing.call;
        self.start("reading a lease", ErrorKind::Unavailable, limit, call, move |result| completion(key, result));
    }

    fn write(
        &self,
        write: LeaseWrite,
        completion: impl FnOnce(LeaseWrite, Result<WriteOutcome, StoreError>) -> Completion + Send + 'static,
    ) {
        let (store, sent) = (Arc::clone(&self.parts.store), write.clone());
        let call = async move { store.write(&sent).await };
        // A write that was given up may still arrive.
        let limit = self.parts.timing.call;
        self.start("writing a lease", ErrorKind::Indeterminate, limit, call, move |result| completion(write, result));
    }

    /// Reads these rows, a limited number at a time.
    pub(super) fn read_rows(&mut self, keys: impl IntoIterator<Item = LeaseKey>) {
        self.rows_to_read.extend(keys);
        while self.rows_read < READS_AT_ONCE
            && let Some(key) = self.rows_to_read.pop_front()
        {
            self.rows_read += 1;
            self.get(key, |key, result| Completion::RowRead { key, unknown_take: None, result });
        }
    }

    pub(super) fn read_unknown_take(&mut self, write: LeaseWrite, sent_at: Mono) {
        let key = write.key().clone();
        self.rows_read += 1;
        self.get(key, move |key, result| Completion::RowRead { key, unknown_take: Some((write, sent_at)), result });
    }

    pub(super) fn read_held(&self, key: LeaseKey, hold: HoldId) {
        self.get(key, move |key, result| Completion::HeldRead { key, hold, result });
    }

    pub(super) fn write_held(&self, key: LeaseKey, hold: HoldId, number: u64, write: LeaseWrite) {
        self.write(write, move |write, result| Completion::HeldWritten { key, hold, number, write, result });
    }

    pub(super) fn write_take(&mut self, take: PlannedTake, retried: bool) {
        let sent_at = self.now();
        self.takes.under_way.insert(take.write.key().clone());
        let from_live = take.from_live;
        self.write(take.write, move |write, result| Completion::Taken {
            take: PlannedTake { write, from_live },
            sent_at,
            retried,
            result,
        });
    }

    pub(super) fn write_request(&self, write: LeaseWrite, retried: bool) {
        self.write(write, move |write, result| Completion::Requested { write, retried, result });
    }

    pub(super) fn write_withdrawal(&self, write: LeaseWrite) {
        self.write(write, |write, result| Completion::Withdrawn { write, result });
    }

    /// Waits for the end of a driver's task.
    pub(super) fn watch_driver(&self, key: LeaseKey, hold: HoldId, task: TaskHandle, mut ended: oneshot::Receiver<ConsumerEnd>) {
        let watch = async move {
            task.await;
            Completion::DriverEnded { key, hold, end: ended.try_recv().ok() }
        };
        self.calls.push(watch.boxed());
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
            Completion::Taken { take, sent_at, retried, result } => self.taken(take, sent_at, retried, result),
            Completion::Requested { write, retried, result } => self.requested(&write, retried, result),
            Completion::Withdrawn { write, result } => self.withdrawn(&write, result),
            Completion::Created { write, result } => self.created(write, result),
            Completion::DriverEnded { key, hold, end } => self.driver_ended(&key, hold, end),
        }
    }
}
