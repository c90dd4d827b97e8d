//! A lease that this process holds: one cell that the renewals, the checkpoints and the reader of a shard share.

mod exchange;
mod hand_off;
mod queue;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use crate::timing::{LeaseTiming, backoff};
use crate::{HoldId, Lease, LeaseWrite, Mono, Verb, WorkerId};
pub use exchange::{ChangeOutcome, HeldAction, HeldInput, Phase, TenureEnd, WriteAnswer};
use hand_off::HandOff;
use queue::ChangeQueue;
pub use queue::{RequestId, RowChange};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Attempt {
    number: u64,
    write: LeaseWrite,
    sent_at: Mono,
}

/// One tenure of one lease, as a machine: when to renew, what to write next, whether it may still act.
///
/// At most one write is in flight (P3). The deadline counts from when a renewal was *sent* (P5). A write with an
/// unknown result is decided by reading the row again (P4).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HeldLease {
    id: HoldId,
    me: WorkerId,
    timing: LeaseTiming,
    lease: Lease,
    phase: Phase,
    deadline: Mono,
    next_renewal: Mono,
    in_flight: Option<Attempt>,
    /// When the earliest write was sent that may have stored a counter which we have not seen.
    unknown_since: Option<Mono>,
    must_read: bool,
    reading: bool,
    queue: ChangeQueue,
    releasing: bool,
    abandoned: bool,
    hand_off: Option<HandOff>,
    /// Who asked for it, as last told.
    asked_by: Option<WorkerId>,
    failures: u32,
    retry_at: Mono,
    last_number: u64,
    actions: VecDeque<HeldAction>,
}

impl HeldLease {
    /// A tenure that begins with an applied take (or creation) of `lease`, sent at `sent_at`.
    pub fn new(id: HoldId, me: WorkerId, timing: LeaseTiming, lease: Lease, sent_at: Mono) -> Self {
        Self {
            id,
            me,
            timing,
            lease,
            phase: Phase::Live,
            deadline: sent_at + timing.hold,
            next_renewal: sent_at + timing.renew,
            in_flight: None,
            unknown_since: None,
            must_read: false,
            reading: false,
            queue: ChangeQueue::default(),
            releasing: false,
            abandoned: false,
            hand_off: None,
            asked_by: None,
            failures: 0,
            retry_at: Mono::ZERO,
            last_number: 0,
            actions: VecDeque::new(),
        }
    }

    /// With the first renewal at `at`, if that is sooner than it would be: so that leases that were taken together are not
    /// renewed together ever after.
    #[must_use]
    pub fn with_first_renewal(mut self, at: Mono) -> Self {
        self.next_renewal = self.next_renewal.min(at);
        self
    }

    /// The tenure's number in this process.
    pub const fn id(&self) -> HoldId {
        self.id
    }

    /// The row as last stored, as far as it is known.
    pub const fn lease(&self) -> &Lease {
        &self.lease
    }

    /// Whether the tenure may act.
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether a callback may begin at `now` (P7: asked right before, with nothing awaited in between).
    pub fn may_begin_callback(&self, now: Mono) -> bool {
        self.accepts_changes() && self.phase == Phase::Live && now < self.deadline
    }

    /// Whether a change that is requested now may still be stored.
    pub const fn accepts_changes(&self) -> bool {
        !self.abandoned && !matches!(self.phase, Phase::Dead(_))
    }

    /// When [`HeldInput::Tick`] has something to do next.
    pub fn deadline(&self) -> Option<Mono> {
        if matches!(self.phase, Phase::Dead(_)) {
            return None;
        }
        let pause = (self.phase == Phase::Live).then_some(self.deadline);
        let hand_off = self.hand_off.filter(|hand_off| !self.releasing && !hand_off.drained).map(|hand_off| hand_off.by);
        let idle = self.in_flight.is_none() && !self.reading;
        let act = idle.then(|| if self.has_urgent_work() { self.retry_at } else { self.retry_at.max(self.next_renewal) });
        [pause, hand_off, act].into_iter().flatten().min()
    }

    /// The next thing to do, until there is none.
    pub fn poll(&mut self) -> Option<HeldAction> {
        self.actions.pop_front()
    }

    /// Takes one input. Afterwards drain [`poll`](Self::poll).
    pub fn handle(&mut self, now: Mono, input: HeldInput) {
        // First: an answer that comes after the deadline finds the tenure paused (P6).
        self.pause_if_late(now);
        match input {
            HeldInput::Tick => {}
            HeldInput::ChangeRequested(change, request) => self.queue.push(change, request, self.in_flight.is_some()),
            HeldInput::ReleaseRequested => self.releasing = true,
            HeldInput::HandOff(limit) => self.hand_off = self.hand_off.or(Some(HandOff { by: now + limit, drained: false })),
            HeldInput::Drained => self.hand_off = self.hand_off.map(|hand_off| HandOff { drained: true, ..hand_off }),
            HeldInput::Abandoned => (self.releasing, self.abandoned) = (true, true),
            HeldInput::WriteAnswered(number, answer) => self.answered(now, number, answer),
            HeldInput::RowRead(row) => self.row_read(now, row),
        }
        self.advance_hand_off(now);
        self.refuse_changes();
        self.act(now);
    }

    fn answered(&mut self, now: Mono, number: u64, answer: WriteAnswer) {
        let Some(attempt) = self.in_flight.take_if(|attempt| attempt.number == number) else { return };
        match answer {
            WriteAnswer::Applied(row) => {
                let wanted = self.queue.front().cloned().filter(|_| attempt.write.verb() != Verb::Renew);
                self.applied(&attempt, row);
                // A store that says applied and does not show it must not be asked in a tight loop.
                if wanted.is_some() && wanted.as_ref() == self.queue.front() {
                    self.back_off(now);
                }
            }
            WriteAnswer::Rejected(current) => {
                let before = self.lease.counter;
                self.decide(current, Some(&attempt.write));
                if self.lease.counter == before {
                    self.back_off(now);
                    self.drop_delete();
                }
            }
            WriteAnswer::Indeterminate => {
                self.unknown_since = Some(self.unknown_since.unwrap_or(attempt.sent_at));
                self.must_read = true;
                self.back_off(now);
            }
            WriteAnswer::Failed => self.back_off(now),
            WriteAnswer::Refused => {
                self.back_off(now);
                if attempt.write.verb() == Verb::Withdraw {
                    // Not declined: the request is told of again with the next row.
                    self.asked_by = None;
                }
                if !matches!(attempt.write.verb(), Verb::Renew | Verb::Release | Verb::Transfer) {
                    let refused = self.queue.pop_front();
                    self.actions.extend(refused.into_iter().map(|r| HeldAction::Answer(r, ChangeOutcome::Refused)));
                }
            }
        }
    }

    fn applied(&mut self, attempt: &Attempt, row: Lease) {
        match attempt.write.verb() {
            Verb::Release => return self.die(TenureEnd::Released),
            Verb::Transfer => return self.die(TenureEnd::HandedOff),
            Verb::Delete => return self.die(TenureEnd::Deleted),
            // They say nothing about the owner: whose row it was is in the answer.
            Verb::Describe | Verb::Withdraw => return self.decide(Some(row), Some(&attempt.write)),
            _ => {}
        }
        self.unknown_since = None;
        self.adopt(row, attempt.sent_at);
        if let Phase::Paused { since } = self.phase
            && attempt.write.verb() == Verb::Renew
            && attempt.sent_at >= since
        {
            self.enter(Phase::Live);
        }
    }

    /// Decides from the row as it is whether the lease is still ours.
    ///
    /// The next counter is ours only if a write of ours with an unknown result can have stored it, and counts from when
    /// the earliest such write was sent (P5). Without one it was stored by somebody else, whatever the owner's name. So was
    /// every row with another token: another process under our name took the lease.
    fn decide(&mut self, current: Option<Lease>, attempted: Option<&LeaseWrite>) {
        let Some(row) = current else {
            let deleted = self.queue.front() == Some(&RowChange::Delete);
            return self.die(if deleted { TenureEnd::Deleted } else { TenureEnd::Lost });
        };
        // During a Java 3.x hand-over a row that names us as owner is still somebody else's.
        let mine = row.is_owned_by(&self.me) && row.checkpoint_owner.is_none() && row.tenure == self.lease.tenure;
        if let Some(sent_at) = self.unknown_since.filter(|_| mine && row.counter == self.lease.counter.next()) {
            self.unknown_since = None;
            self.adopt(row, sent_at);
        } else if mine && row.counter == self.lease.counter {
            self.know(row);
            self.settle();
        } else {
            let given_up = attempted.filter(|write| write.explains(Some(&row))).map(LeaseWrite::verb);
            self.die(match given_up {
                Some(Verb::Release) => TenureEnd::Released,
                Some(Verb::Transfer) => TenureEnd::HandedOff,
                _ => TenureEnd::Lost,
            });
        }
    }

    fn row_read(&mut self, now: Mono, row: Option<Option<Lease>>) {
        self.reading = false;
        match row {
            None => self.back_off(now),
            Some(row) => {
                self.must_read = false;
                let parting = self.is_leaving().then(|| self.parting_write());
                self.decide(row, parting.as_ref());
            }
        }
    }

    /// A delete that was refused for the row as it is would be refused again: whoever planned it plans anew.
    fn drop_delete(&mut self) {
        if self.queue.front() == Some(&RowChange::Delete) {
            self.queue.pop_front();
        }
    }

    fn adopt(&mut self, row: Lease, sent_at: Mono) {
        self.know(row);
        self.failures = 0;
        self.deadline = self.deadline.max(sent_at + self.timing.hold);
        self.next_renewal = sent_at + self.timing.renew;
        self.settle();
    }

    /// Answers every requested change that the stored row already shows.
    fn settle(&mut self) {
        let done = self.queue.settle(&self.lease);
        self.actions.extend(done.into_iter().map(|request| HeldAction::Answer(request, ChangeOutcome::Done)));
    }

    fn pause_if_late(&mut self, now: Mono) {
        if self.phase == Phase::Live && now >= self.deadline {
            self.enter(Phase::Paused { since: now });
        }
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.actions.push_back(HeldAction::PhaseChanged(phase));
    }

    fn die(&mut self, end: TenureEnd) {
        self.enter(Phase::Dead(end));
        self.refuse_changes();
    }

    /// Answers the changes that will not be written any more; one that is in flight is answered by its result.
    fn refuse_changes(&mut self) {
        if self.accepts_changes() {
            return;
        }
        let lost = self.queue.drop_waiting(self.in_flight.is_some() && !matches!(self.phase, Phase::Dead(_)));
        self.actions.extend(lost.into_iter().map(|request| HeldAction::Answer(request, ChangeOutcome::LeaseLost)));
    }

    fn back_off(&mut self, now: Mono) {
        self.failures = self.failures.saturating_add(1);
        self.retry_at = now + backoff(self.failures, Duration::from_millis(100), self.timing.renew);
    }

    fn has_urgent_work(&self) -> bool {
        let paused = self.phase != Phase::Live;
        self.must_read || self.is_leaving() || paused || !self.queue.is_empty()
    }

    fn act(&mut self, now: Mono) {
        if matches!(self.phase, Phase::Dead(_)) {
            return;
        }
        if self.in_flight.is_some() || self.reading || now < self.retry_at {
            return;
        }
        if self.must_read {
            self.reading = true;
            return self.actions.push_back(HeldAction::Read);
        }
        // Admitted before a later checkpoint was stored: durable already, and never written over it.
        self.settle();
        let live = self.phase == Phase::Live;
        match self.queue.front() {
            Some(change) if live => {
                let write = change.write_for(&self.lease);
                self.send(now, write);
            }
            None if self.is_leaving() => self.send(now, self.parting_write()),
            _ if !live || now >= self.next_renewal => self.send(now, LeaseWrite::renew(&self.lease)),
            _ => {}
        }
    }

    fn send(&mut self, now: Mono, write: LeaseWrite) {
        self.last_number += 1;
        let number = self.last_number;
        self.actions.push_back(HeldAction::Write(number, write.clone()));
        self.in_flight = Some(Attempt { number, write, sent_at: now });
    }
}
