use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use kcl_core::{
    ChangeOutcome, CheckpointError, ErrorKind, Gate, HeldAction, HeldInput, HeldLease, HoldId, Lease, LeaseKey, LeaseWrite,
    Lineage, Measurement, Mono, Phase, RequestId, RowChange, Shard, StoreError, TenureEnd, Verb, WriteAnswer, WriteOutcome,
    backoff, error_chain,
};
use tokio::sync::oneshot;

use super::Coordinator;
use crate::cell::LeaseCell;
use crate::command::Tenancy;
use crate::consumer::{self, ConsumerStart};
use crate::env::{TaskClass, TaskHandle};
use crate::status::LeaseState;

/// One lease that this worker holds, or held until its driver ends.
pub(super) struct Tenure {
    pub(super) cell: Arc<LeaseCell>,
    pub(super) id: HoldId,
    pub(super) since: Mono,
    pub(super) driver: Driver,
    refusal: Option<Arc<StoreError>>,
}

/// The task that reads and processes the shard.
pub(super) enum Driver {
    /// The shard's parents are not finished.
    Waiting,
    /// At work.
    Running(TaskHandle),
    /// Not needed any more: the shard is finished, or the lease is being given up.
    Finished,
}

impl Tenure {
    pub(super) fn deadline(&self) -> Option<Mono> {
        self.cell.deadline()
    }

    pub(super) fn is_dead(&self) -> bool {
        matches!(self.cell.phase(), Phase::Dead(_))
    }
}

/// Shards that this worker leaves alone for a while because their processor panicked (protocol rule P13).
#[derive(Debug, Default)]
pub(super) struct Aversions {
    shards: BTreeMap<LeaseKey, (u32, Mono)>,
}

const FIRST_AVERSION: Duration = Duration::from_secs(1);
const LONGEST_AVERSION: Duration = Duration::from_secs(300);

impl Aversions {
    /// One more panic; how long the shard is left alone now.
    pub(super) fn add(&mut self, now: Mono, key: &LeaseKey) -> Duration {
        self.shards.retain(|other, (_, until)| other == key || now.since(*until) <= LONGEST_AVERSION);
        let (panics, until) = self.shards.entry(key.clone()).or_insert((0, now));
        // A shard that went well for longer than the longest pause starts over.
        *panics = if now.since(*until) > LONGEST_AVERSION { 1 } else { panics.saturating_add(1) };
        let pause = backoff(*panics, FIRST_AVERSION, LONGEST_AVERSION);
        *until = now + pause;
        pause
    }

    pub(super) fn at(&self, now: Mono) -> impl Iterator<Item = &LeaseKey> {
        self.shards.iter().filter(move |(_, (_, until))| now < *until).map(|(key, _)| key)
    }
}

impl Coordinator {
    /// The keys of the leases that are held, without those that are lost and whose driver still runs.
    pub(super) fn held_keys(&self) -> BTreeSet<LeaseKey> {
        self.tenures.iter().filter(|(_, tenure)| !tenure.is_dead()).map(|(key, _)| key.clone()).collect()
    }

    /// Every lease as last known: as observed, with the held ones as they are.
    pub(super) fn known_leases(&self, now: Mono) -> Vec<Lease> {
        let observed = self.observer.leases(now).map(|(lease, ..)| lease).filter(|lease| !self.tenures.contains_key(&lease.key));
        let held = self.tenures.values().map(|tenure| tenure.cell.lease());
        observed.cloned().chain(held).collect()
    }

    pub(super) fn gain(&mut self, lease: Lease, sent_at: Mono) {
        let now = self.now();
        self.last_hold += 1;
        let id = HoldId(self.last_hold);
        let key = lease.key.clone();
        tracing::info!(worker = %self.parts.me, lease = %key, checkpoint = %lease.checkpoint, counter = %lease.counter, "lease gained");
        let finished = lease.checkpoint.is_shard_end();
        let state = if finished { LeaseState::Ended } else { LeaseState::WaitingOnParents };
        self.parts.status.gain(now, &key, state, lease.checkpoint.clone());
        let held = HeldLease::new(id, self.parts.me.clone(), self.parts.timing, lease, sent_at);
        let driver = if finished { Driver::Finished } else { Driver::Waiting };
        let tenure = Tenure { cell: Arc::new(LeaseCell::new(held)), id, since: now, driver, refusal: None };
        self.tenures.insert(key.clone(), tenure);
        if self.is_shutting_down() {
            self.input(&key, HeldInput::ReleaseRequested);
        } else {
            self.start_drivers(now);
        }
    }

    pub(super) fn tick_tenures(&mut self, now: Mono) {
        let due: Vec<LeaseKey> = self
            .tenures
            .iter()
            .filter(|(_, tenure)| tenure.deadline().is_some_and(|deadline| deadline <= now))
            .map(|(key, _)| key.clone())
            .collect();
        due.iter().for_each(|key| self.input(key, HeldInput::Tick));
    }

    /// Gives a held lease's machine one input and does what it wants done.
    pub(super) fn input(&mut self, key: &LeaseKey, input: HeldInput) {
        let now = self.now();
        let Some(tenure) = self.tenures.get(key) else { return };
        let (cell, id) = (Arc::clone(&tenure.cell), tenure.id);
        for action in cell.handle(now, input) {
            match action {
                HeldAction::Write(number, write) => self.write_held(key.clone(), id, number, write),
                HeldAction::Read => self.read_held(key.clone(), id),
                HeldAction::Answer(request, outcome) => self.answer(key, request, outcome),
                HeldAction::PhaseChanged(phase) => self.phase_changed(now, key, phase),
            }
        }
        self.parts.status.set_checkpoint(key, cell.lease().checkpoint);
    }

    fn answer(&mut self, key: &LeaseKey, request: RequestId, outcome: ChangeOutcome) {
        let result = match outcome {
            ChangeOutcome::Done => Ok(()),
            ChangeOutcome::LeaseLost => Err(CheckpointError::LeaseLost),
            ChangeOutcome::Refused => {
                let refusal = self.tenures.get(key).and_then(|tenure| tenure.refusal.clone());
                let bug = || Arc::new(StoreError::new(ErrorKind::Bug, "writing a lease", key.as_str()));
                Err(CheckpointError::Store(refusal.unwrap_or_else(bug)))
            }
        };
        let success = if result.is_ok() { 1.0 } else { 0.0 };
        self.measure(Measurement::count("ProcessTask", "UpdateLease.Success", success).of_shard(&key.shard_id()));
        if let Some(reply) = self.requests.remove(&request) {
            // Whoever asked may have stopped waiting.
            let _ = reply.send(result);
        }
    }

    fn phase_changed(&mut self, now: Mono, key: &LeaseKey, phase: Phase) {
        self.parts.status.set_phase(key, phase);
        let me = &self.parts.me;
        match phase {
            Phase::Live => tracing::info!(worker = %me, lease = %key, "lease renewed again: processing goes on"),
            Phase::Paused { .. } => {
                tracing::warn!(worker = %me, lease = %key, "lease could not be renewed in time: processing pauses")
            }
            Phase::Dead(end) => {
                tracing::info!(worker = %me, lease = %key, reason = ?end, "lease given up or lost");
                if end == TenureEnd::Lost {
                    self.measure(Measurement::count("RenewAllLeases", "LostLeases", 1.0).of_worker(&self.parts.me));
                }
                self.parts.status.lose(key);
                self.forget_if_over(key);
                // Wherever it is now, it is not here: the next scan tells.
                self.next_scan = self.next_scan.min(now + self.parts.timing.scan_while_moving);
            }
        }
    }

    /// Forgets a tenure once it is dead and its driver has ended: only then may the same lease be taken again.
    pub(super) fn forget_if_over(&mut self, key: &LeaseKey) {
        let over = self.tenures.get(key).is_some_and(|tenure| tenure.is_dead() && !matches!(tenure.driver, Driver::Running(_)));
        if over {
            self.tenures.remove(key);
        }
    }

    pub(super) fn held_was_written(
        &mut self,
        key: &LeaseKey,
        hold: HoldId,
        number: u64,
        write: &LeaseWrite,
        result: Result<WriteOutcome, StoreError>,
    ) {
        let now = self.now();
        if self.tenures.get(key).is_none_or(|tenure| tenure.id != hold) {
            return;
        }
        if result.is_ok() {
            self.store_answered(write.verb().name());
        }
        let answer = match result {
            Ok(WriteOutcome::Applied(row)) => {
                let stored = (write.verb() != Verb::Delete).then(|| row.clone());
                self.observer.see_row(now, key, stored);
                WriteAnswer::Applied(row)
            }
            Ok(WriteOutcome::Rejected { current }) => {
                self.observer.see_row(now, key, current.clone());
                WriteAnswer::Rejected(current)
            }
            Err(error) => {
                let answer = match error.kind() {
                    ErrorKind::Indeterminate => WriteAnswer::Indeterminate,
                    kind if kind.is_retryable() => WriteAnswer::Failed,
                    _ => WriteAnswer::Refused,
                };
                self.held_write_failed(key, write, error);
                answer
            }
        };
        let ended =
            write.verb() == Verb::Checkpoint && matches!(&answer, WriteAnswer::Applied(row) if row.checkpoint.is_shard_end());
        self.input(key, HeldInput::WriteAnswered(number, answer));
        if ended {
            self.shard_finished(now, key);
        }
    }

    fn held_write_failed(&mut self, key: &LeaseKey, write: &LeaseWrite, error: StoreError) {
        tracing::debug!(lease = %key, verb = write.verb().name(), error = %error_chain(&error), "writing a held lease failed");
        let refused = !error.is_retryable();
        let error = Arc::new(error);
        if let Some(tenure) = self.tenures.get_mut(key).filter(|_| refused) {
            tenure.refusal = Some(Arc::clone(&error));
        }
        self.store_failed(write.verb().name(), error);
    }

    pub(super) fn held_was_read(&mut self, key: &LeaseKey, hold: HoldId, result: Result<Option<Lease>, StoreError>) {
        if self.tenures.get(key).is_none_or(|tenure| tenure.id != hold) {
            return;
        }
        match result {
            Ok(row) => {
                self.observer.see_row(self.now(), key, row.clone());
                self.input(key, HeldInput::RowRead(Some(row)));
            }
            Err(error) => {
                self.input(key, HeldInput::RowRead(None));
                self.store_failed("get", error.into());
            }
        }
    }

    /// The end of a shard is durable: its children may start, here or elsewhere.
    fn shard_finished(&mut self, now: Mono, key: &LeaseKey) {
        tracing::info!(worker = %self.parts.me, shard = %key, "shard finished");
        self.parts.status.set_state(key, LeaseState::Ended);
        self.start_drivers(now);
        self.take_round(now);
    }

    pub(super) fn request(&mut self, reply: oneshot::Sender<Result<(), CheckpointError>>) -> RequestId {
        self.last_request += 1;
        let request = RequestId(self.last_request);
        self.requests.insert(request, reply);
        request
    }

    pub(super) fn change(&mut self, key: &LeaseKey, change: RowChange) {
        self.input(key, HeldInput::ChangeRequested(change, None));
    }

    /// Starts the drivers of all held leases whose shards' parents are finished.
    pub(super) fn start_drivers(&mut self, now: Mono) {
        if self.is_shutting_down() || !self.tenures.values().any(|tenure| matches!(tenure.driver, Driver::Waiting)) {
            return;
        }
        let leases = self.known_leases(now);
        let blind = Lineage::new(&leases, None);
        let sighted = self.listing.as_ref().map(|(_, shards): &(Mono, Vec<Shard>)| Lineage::new(&leases, Some(shards)));
        let listed_at = self.listing.as_ref().map(|(at, _)| *at);
        let mut ready = Vec::new();
        let mut need_listing = false;
        for (key, tenure) in &self.tenures {
            if !matches!(tenure.driver, Driver::Waiting) || tenure.is_dead() {
                continue;
            }
            // Only a listing that was made after the lease was seen can prove that a parent is gone.
            let lineage = sighted.as_ref().filter(|_| listed_at >= Some(tenure.since)).unwrap_or(&blind);
            match lineage.gate(&tenure.cell.lease()) {
                Gate::Open => ready.push(key.clone()),
                Gate::WaitFor(parents) => tracing::debug!(shard = %key, ?parents, "waiting for the shard's parents"),
                Gate::NeedListing(_) => need_listing = true,
            }
        }
        if need_listing {
            self.request_listing(now);
        }
        ready.iter().for_each(|key| self.start_driver(key));
    }

    fn start_driver(&mut self, key: &LeaseKey) {
        let Some(tenure) = self.tenures.get_mut(key) else { return };
        let start = ConsumerStart {
            parts: Arc::clone(&self.parts),
            tenancy: Tenancy { key: key.clone(), hold: tenure.id },
            lease: tenure.cell.lease(),
            cell: Arc::clone(&tenure.cell),
            commands: self.commands.clone(),
            shutdown: self.stop_consumers.clone(),
        };
        tenure.driver = Driver::Running(self.parts.env.spawn(TaskClass::Work, key.as_str(), consumer::run(start).boxed()));
        self.parts.status.set_state(key, LeaseState::Processing);
    }

    pub(super) fn measure(&self, measurement: Measurement) {
        self.parts.metrics.record(&measurement);
    }
}
