use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use kcl_core::{
    ChangeOutcome, CheckpointError, ErrorKind, HeldAction, HeldInput, HeldLease, HoldId, Lease, LeaseKey, LeaseWrite, Lineage,
    Measurement, Mono, Phase, RequestId, RowChange, StoreError, TenureEnd, Verb, WriteAnswer, WriteOutcome, backoff, error_chain,
};
use rand::RngExt;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::Coordinator;
use crate::cell::LeaseCell;
use crate::env::Aborter;
use crate::status::LeaseState;

/// One lease that this worker holds, or held until its driver ends.
pub(super) struct Tenure {
    pub(super) cell: Arc<LeaseCell>,
    pub(super) id: HoldId,
    pub(super) since: Mono,
    pub(super) driver: Driver,
    /// Tells the driver to finish its work: the worker shuts down, or the lease is handed off.
    pub(super) leave: CancellationToken,
    refusal: Option<Arc<StoreError>>,
    /// When its machine wants to be woken, as entered in the coordinator's list.
    wake_at: Option<Mono>,
    /// Since when the shard is known to be finished.
    pub(super) ended_at: Option<Mono>,
}

/// The task that reads and processes the shard.
pub(super) enum Driver {
    /// The shard's parents are not finished.
    Waiting,
    /// At work.
    Running(Aborter),
    /// Not needed any more: the shard is finished, or the lease is being given up.
    Finished,
}

impl Tenure {
    pub(super) fn is_dead(&self) -> bool {
        matches!(self.cell.phase(), Phase::Dead(_))
    }

    /// Whether it is being given up. The lease of a finished shard is not handed off.
    pub(super) fn is_leaving(&self) -> bool {
        self.leave.is_cancelled() && self.ended_at.is_none()
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

    pub(super) fn is_held(&self, key: &LeaseKey) -> bool {
        self.tenures.get(key).is_some_and(|tenure| !tenure.is_dead())
    }

    /// Every lease as last known: as observed, with the held ones as they are.
    pub(super) fn known_leases(&self, now: Mono) -> Vec<Cow<'_, Lease>> {
        let observed = self.observer.leases(now).map(|(lease, ..)| lease).filter(|lease| !self.is_held(&lease.key));
        // A dead tenure's cell shows the past.
        let held = self.tenures.values().filter(|tenure| !tenure.is_dead()).map(|tenure| tenure.cell.lease());
        observed.map(Cow::Borrowed).chain(held.map(Cow::Owned)).collect()
    }

    pub(super) fn gain(&mut self, lease: Lease, sent_at: Mono) {
        let now = self.now();
        let key = lease.key.clone();
        if self.tenures.contains_key(&key) {
            // Not planned, but if it happens the older tenure finds out by its next renewal, and the row expires.
            tracing::error!(lease = %key, "a lease was taken that this worker still has; this is a defect of the library");
            return;
        }
        self.takes.pacing.held_leases_changed();
        self.last_hold += 1;
        let id = HoldId(self.last_hold);
        tracing::info!(worker = %self.parts.me, lease = %key, checkpoint = %lease.checkpoint, counter = %lease.counter, "lease gained");
        let finished = lease.checkpoint.is_shard_end();
        let open = !finished && Lineage::is_open_by_itself(&lease);
        let state = if finished { LeaseState::Ended } else { LeaseState::WaitingOnParents };
        self.parts.status.gain(now, &key, state, lease.checkpoint.clone());
        let first_renewal = sent_at + self.parts.timing.renew.mul_f64(self.rng.random_range(0.5..=1.0));
        let held = HeldLease::new(id, self.parts.me.clone(), self.parts.timing, lease, sent_at).with_first_renewal(first_renewal);
        let driver = if finished { Driver::Finished } else { Driver::Waiting };
        let cell = Arc::new(LeaseCell::new(held));
        let (leave, ended_at) = (self.stop_consumers.child_token(), finished.then_some(now));
        let tenure = Tenure { cell, id, since: now, driver, leave, refusal: None, wake_at: None, ended_at };
        self.tenures.insert(key.clone(), tenure);
        self.requests.over(&key);
        let input = if self.is_shutting_down() { HeldInput::ReleaseRequested } else { HeldInput::Tick };
        self.input(&key, input);
        if open && !self.is_shutting_down() {
            self.start_driver(&key);
        } else {
            self.gates_due = true;
        }
    }

    pub(super) fn tick_tenures(&mut self, now: Mono) {
        while let Some((at, key)) = self.wake_ups.first().filter(|(at, _)| *at <= now).cloned() {
            self.wake_ups.remove(&(at, key.clone()));
            self.input(&key, HeldInput::Tick);
        }
    }

    /// Enters when the machine of a held lease wants to be woken next.
    fn set_wake_up(&mut self, key: &LeaseKey) {
        let Some(tenure) = self.tenures.get_mut(key) else { return };
        let next = tenure.cell.deadline();
        let before = std::mem::replace(&mut tenure.wake_at, next);
        if let Some(before) = before {
            self.wake_ups.remove(&(before, key.clone()));
        }
        if let Some(next) = next {
            self.wake_ups.insert((next, key.clone()));
        }
    }

    /// Gives a held lease's machine one input and does what it wants done.
    pub(super) fn input(&mut self, key: &LeaseKey, input: HeldInput) {
        let now = self.now();
        let Some(tenure) = self.tenures.get(key) else { return };
        let (cell, id) = (Arc::clone(&tenure.cell), tenure.id);
        let mut asked = Vec::new();
        for action in cell.handle(now, input) {
            match action {
                HeldAction::Write(number, write) => self.write_held(key.clone(), id, number, write),
                HeldAction::Read => self.read_held(key.clone(), id),
                HeldAction::Answer(request, outcome) => self.answer(key, request, outcome),
                HeldAction::Asked(by) => asked.push(by),
                HeldAction::PhaseChanged(phase) => self.phase_changed(now, key, phase),
            }
        }
        self.parts.status.set_checkpoint(key, cell.lease().checkpoint);
        self.set_wake_up(key);
        if cell.end_is_durable() {
            self.shard_finished(key);
        }
        asked.into_iter().for_each(|by| self.asked(key, by));
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
        if let Some(reply) = self.callers.remove(&request) {
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
                self.takes.pacing.held_leases_changed();
                self.forget_if_over(key);
                // Wherever it is now, it is not here: the next scan tells.
                self.scan_within(now, self.parts.timing.scan_while_moving);
            }
        }
    }

    /// Forgets a tenure once it is dead and its driver has ended: only then may the same lease be taken again.
    pub(super) fn forget_if_over(&mut self, key: &LeaseKey) {
        let over = self.tenures.get(key).is_some_and(|tenure| tenure.is_dead() && !matches!(tenure.driver, Driver::Running(_)));
        if over && let Some(Tenure { wake_at: Some(at), .. }) = self.tenures.remove(key) {
            self.wake_ups.remove(&(at, key.clone()));
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
        self.input(key, HeldInput::WriteAnswered(number, answer));
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
    fn shard_finished(&mut self, key: &LeaseKey) {
        let now = self.now();
        let Some(tenure) = self.tenures.get_mut(key).filter(|tenure| tenure.ended_at.is_none()) else { return };
        tenure.ended_at = Some(now);
        tracing::info!(worker = %self.parts.me, shard = %key, "shard finished");
        self.parts.status.set_state(key, LeaseState::Ended);
        self.gates_due = true;
        self.round_due = true;
    }

    pub(super) fn request(&mut self, reply: oneshot::Sender<Result<(), CheckpointError>>) -> RequestId {
        self.last_request += 1;
        let request = RequestId(self.last_request);
        self.callers.insert(request, reply);
        request
    }

    pub(super) fn change(&mut self, key: &LeaseKey, change: RowChange) {
        self.input(key, HeldInput::ChangeRequested(change, None));
    }

    pub(super) fn measure(&self, measurement: Measurement) {
        self.parts.metrics.record(&measurement);
    }
}
