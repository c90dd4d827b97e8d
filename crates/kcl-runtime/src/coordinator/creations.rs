use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use kcl_core::{LeaseKey, LeaseWrite, Mono, StoreError, Verb, WriteOutcome, backoff};
use rand::RngExt;
use tokio::sync::oneshot;

use super::Coordinator;

/// How many rows are created at the same time.
const AT_ONCE: usize = 16;

/// Rows to create: from shard sync, and the children of shards that ended. And rows to complete, which have the same limits.
#[derive(Debug, Default)]
pub(super) struct Creations {
    waiting: VecDeque<LeaseWrite>,
    /// Those that wait or are on their way. Of one row there is never more than one (protocol rule P3).
    wanted: BTreeMap<LeaseKey, Wanted>,
    in_flight: BTreeSet<LeaseKey>,
    failures: u32,
    not_before: Mono,
    /// Whether the table was read since a creation failed.
    table_read: bool,
    /// Who waits until rows exist, and for how many.
    groups: BTreeMap<u64, Group>,
    last_group: u64,
    /// Which groups wait for a row.
    awaited: BTreeMap<LeaseKey, Vec<u64>>,
}

/// Who wants a row.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    /// Only a shard sync does.
    planned: bool,
    /// Since when.
    since: Mono,
}

#[derive(Debug)]
struct Group {
    missing: usize,
    done: oneshot::Sender<()>,
}

impl Creations {
    /// Adds rows that a shard sync calls for.
    pub(super) fn add(&mut self, now: Mono, writes: impl IntoIterator<Item = LeaseWrite>) {
        self.extend(now, writes, true);
    }

    fn extend(&mut self, now: Mono, writes: impl IntoIterator<Item = LeaseWrite>, planned: bool) {
        for write in writes {
            match self.wanted.get_mut(write.key()) {
                Some(wanted) => wanted.planned &= planned,
                None => {
                    self.wanted.insert(write.key().clone(), Wanted { planned, since: now });
                    self.waiting.push_back(write);
                }
            }
        }
    }

    /// Adds rows and answers `done` once all of them exist.
    pub(super) fn add_group(&mut self, now: Mono, writes: Vec<LeaseWrite>, done: oneshot::Sender<()>) {
        let missing: BTreeSet<LeaseKey> = writes.iter().map(|write| write.key().clone()).collect();
        if missing.is_empty() {
            // Whoever asked may be gone.
            let _ = done.send(());
            return;
        }
        self.last_group += 1;
        self.groups.insert(self.last_group, Group { missing: missing.len(), done });
        for key in missing {
            let groups = self.awaited.entry(key).or_default();
            // Whoever has stopped waiting need not be answered.
            groups.retain(|group| self.groups.get(group).is_some_and(|group| !group.done.is_closed()));
            groups.push(self.last_group);
        }
        self.extend(now, writes, false);
    }

    /// While the store does not answer, one row tries it. After the second failure that waits until the table was read, which
    /// may show that another worker has created the rows: while nobody owns a lease everybody wants all of them. Where
    /// somebody waits for a row it is this worker's alone to create.
    pub(super) fn next_send(&self) -> Option<Mono> {
        let at_once = if self.failures > 0 { 1 } else { AT_ONCE };
        let may_try = self.failures < 2 || self.table_read || !self.groups.is_empty();
        (!self.waiting.is_empty() && self.in_flight.len() < at_once && may_try).then_some(self.not_before)
    }

    /// The table was read.
    pub(super) const fn table_was_read(&mut self) {
        self.table_read = true;
    }

    /// Whether this row is on its way.
    pub(super) fn is_under_way(&self, key: &LeaseKey) -> bool {
        self.in_flight.contains(key)
    }

    /// Whether rows are on their way. Rows that cannot be created hold nothing up.
    pub(super) fn are_settling(&self) -> bool {
        !self.in_flight.is_empty() || (!self.waiting.is_empty() && self.failures == 0)
    }

    fn next(&mut self) -> Option<LeaseWrite> {
        let write = self.waiting.pop_front()?;
        self.in_flight.insert(write.key().clone());
        Some(write)
    }

    /// A row could not be created, or nobody knows. It is tried again, unless that has gone on for `too_long` and nobody waits
    /// for it: by then the row may have been created, finished and deleted, and has to be planned anew. Whether it is.
    fn failed(&mut self, now: Mono, write: LeaseWrite, too_long: Duration) -> bool {
        self.in_flight.remove(write.key());
        let groups = self.awaited.get(write.key()).into_iter().flatten();
        let is_awaited = groups.filter_map(|group| self.groups.get(group)).any(|group| !group.done.is_closed());
        let is_old = self.wanted.get(write.key()).is_none_or(|wanted| now.since(wanted.since) >= too_long);
        if is_old && !is_awaited {
            self.wanted.remove(write.key());
            for gone in self.awaited.remove(write.key()).unwrap_or_default() {
                self.groups.remove(&gone);
            }
            return true;
        }
        self.waiting.push_back(write);
        false
    }

    fn exists(&mut self, key: &LeaseKey) {
        self.in_flight.remove(key);
        self.wanted.remove(key);
        for number in self.awaited.remove(key).unwrap_or_default() {
            let Some(group) = self.groups.get_mut(&number) else { continue };
            group.missing -= 1;
            if group.missing == 0
                && let Some(group) = self.groups.remove(&number)
            {
                // Whoever asked may be gone.
                let _ = group.done.send(());
            }
        }
    }

    /// Forgets the rows that only a shard sync wants. Whether there were any.
    fn forget_planned(&mut self) -> bool {
        let (wanted, before) = (&mut self.wanted, self.waiting.len());
        self.waiting.retain(|write| {
            let forgotten = wanted.get(write.key()).is_none_or(|wanted| wanted.planned);
            if forgotten {
                wanted.remove(write.key());
            }
            !forgotten
        });
        self.waiting.len() < before
    }
}

impl Coordinator {
    pub(super) fn send_creations(&mut self, now: Mono) {
        while self.creations.next_send().is_some_and(|moment| moment <= now) {
            let Some(write) = self.creations.next() else { return };
            let key = write.key();
            if self.is_held(key) || self.takes.under_way.contains(key) || self.unanswered_requests.contains(key) {
                // The row is there, and another write of it is under way (protocol rule P3).
                self.creations.exists(write.key());
            } else {
                self.write_creation(write);
            }
        }
    }

    pub(super) fn created(&mut self, write: LeaseWrite, result: Result<WriteOutcome, StoreError>) {
        let now = self.now();
        match result {
            Ok(outcome) => {
                self.creations.failures = 0;
                self.store_answered(write.verb().name());
                let row = match outcome {
                    WriteOutcome::Applied(lease) if write.verb() == Verb::Describe => Some(lease),
                    WriteOutcome::Applied(lease) => {
                        tracing::info!(lease = %lease.key, checkpoint = %lease.checkpoint, "lease created");
                        Some(lease)
                    }
                    WriteOutcome::Rejected { current } => {
                        if write.verb() == Verb::Create {
                            self.somebody_else_creates(now);
                        }
                        current
                    }
                };
                if row.is_some() {
                    self.observer.see_row(now, write.key(), row);
                }
                self.creations.exists(write.key());
            }
            // Also if it may have been applied: creating it again finds that out.
            Err(error) => {
                let verb = write.verb();
                self.creations.failures += 1;
                self.creations.table_read = false;
                self.creations.not_before =
                    now + backoff(self.creations.failures, Duration::from_millis(100), self.parts.timing.renew);
                let too_long = self.parts.config.lease_cleanup_interval / 2;
                self.sync_wanted |= self.creations.failed(now, write, too_long);
                self.store_failed(verb.name(), error.into());
            }
        }
        self.round_due = true;
    }

    /// A row was there already: another worker creates, too. What the shard sync still wanted is planned anew after a
    /// look at what that one has done.
    fn somebody_else_creates(&mut self, now: Mono) {
        if self.creations.forget_planned() {
            self.sync_wanted = true;
            let pause = self.parts.timing.failover.mul_f64(self.rng.random_range(0.02..=0.06));
            self.scan_within(now, pause);
        }
    }
}
