use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use kcl_core::{LeaseKey, LeaseWrite, Mono, StoreError, WriteOutcome, backoff};
use tokio::sync::oneshot;

use super::Coordinator;

/// How many rows are created at the same time.
const AT_ONCE: usize = 16;

/// Rows to create: from shard sync, and the children of shards that ended.
#[derive(Debug, Default)]
pub(super) struct Creations {
    waiting: VecDeque<LeaseWrite>,
    in_flight: usize,
    failures: u32,
    not_before: Mono,
    /// Who waits until a row exists, by how many rows they still wait for.
    groups: Vec<Group>,
}

#[derive(Debug)]
struct Group {
    missing: Vec<LeaseKey>,
    done: oneshot::Sender<()>,
}

impl Creations {
    pub(super) fn add(&mut self, writes: impl IntoIterator<Item = LeaseWrite>) {
        let known: BTreeSet<LeaseKey> = self.waiting.iter().map(|waiting| waiting.key().clone()).collect();
        self.waiting.extend(writes.into_iter().filter(|write| !known.contains(write.key())));
    }

    /// Adds rows and answers `done` once all of them exist.
    pub(super) fn add_group(&mut self, writes: Vec<LeaseWrite>, done: oneshot::Sender<()>) {
        // Whoever has stopped waiting need not be answered.
        self.groups.retain(|group| !group.done.is_closed());
        let missing: Vec<_> = writes.iter().map(|write| write.key().clone()).collect();
        if missing.is_empty() {
            // Whoever asked may be gone.
            let _ = done.send(());
            return;
        }
        self.groups.push(Group { missing, done });
        self.add(writes);
    }

    pub(super) fn next_send(&self) -> Option<Mono> {
        (!self.waiting.is_empty() && self.in_flight < AT_ONCE).then_some(self.not_before)
    }

    /// Whether rows are on their way. Rows that cannot be created hold nothing up.
    pub(super) fn are_settling(&self) -> bool {
        self.in_flight > 0 || (!self.waiting.is_empty() && self.failures == 0)
    }

    fn exists(&mut self, key: &LeaseKey) {
        for group in &mut self.groups {
            group.missing.retain(|missing| missing != key);
        }
        let (done, waiting) = std::mem::take(&mut self.groups).into_iter().partition(|group: &Group| group.missing.is_empty());
        self.groups = waiting;
        let done: Vec<Group> = done;
        for group in done {
            let _ = group.done.send(());
        }
    }
}

impl Coordinator {
    pub(super) fn send_creations(&mut self, now: Mono) {
        while self.creations.next_send().is_some_and(|moment| moment <= now) {
            let Some(write) = self.creations.waiting.pop_front() else { return };
            self.creations.in_flight += 1;
            self.write_creation(write);
        }
    }

    pub(super) fn created(&mut self, write: LeaseWrite, result: Result<WriteOutcome, StoreError>) {
        let now = self.now();
        self.creations.in_flight = self.creations.in_flight.saturating_sub(1);
        match result {
            Ok(outcome) => {
                self.creations.failures = 0;
                self.store_answered("create");
                let row = match outcome {
                    WriteOutcome::Applied(lease) => {
                        tracing::info!(lease = %lease.key, checkpoint = %lease.checkpoint, "lease created");
                        Some(lease)
                    }
                    WriteOutcome::Rejected { current } => current,
                };
                if row.is_some() {
                    self.observer.see_row(now, write.key(), row);
                }
                self.creations.exists(write.key());
            }
            // Also if it may have been applied: creating it again finds that out.
            Err(error) => {
                self.creations.failures += 1;
                self.creations.not_before =
                    now + backoff(self.creations.failures, Duration::from_millis(100), self.parts.timing.renew);
                self.creations.waiting.push_back(write);
                self.store_failed("create", error.into());
            }
        }
        self.round_due = true;
    }
}
