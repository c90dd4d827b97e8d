//! A lease that this process holds: one cell that the renewals, the checkpoints and the reader of a shard share.

mod queue;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use crate::timing::{LeaseTiming, backoff};
use crate::{HoldId, Lease, LeaseWrite, Mono, Verb, WorkerId};
use queue::ChangeQueue;
pub use queue::{RequestId, RowChange};

/// How a write of this tenure was answered, as far as the protocol cares.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum WriteAnswer {
    /// Applied; the row after it.
    Applied(Lease),
    /// Not applied by this attempt; the row as it is.
    Rejected(Option<Lease>),
    /// Unknown: the answer was lost or took too long.
    Indeterminate,
    /// Not applied, and trying again may help.
    Failed,
    /// Not applied, and trying again will not help without somebody's doing.
    Refused,
}

/// What happens to a held lease.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HeldInput {
    /// Time passed.
    Tick,
    /// The row is to be changed.
    ChangeRequested(RowChange, Option<RequestId>),
    /// The lease is to be given up once everything requested is written.
    ReleaseRequested,
    /// Write number `0` was answered.
    WriteAnswered(u64, WriteAnswer),
    /// The row was read again; `None` if the read failed.
    RowRead(Option<Option<Lease>>),
}

/// What a held lease wants done.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HeldAction {
    /// Send this write; answer with its number.
    Write(u64, LeaseWrite),
    /// Read the row again, strongly consistent.
    Read,
    /// Tell whoever asked.
    Answer(RequestId, ChangeOutcome),
    /// Whether callbacks may begin has changed.
    PhaseChanged(Phase),
}

/// What became of a requested change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChangeOutcome {
    /// Durable.
    Done,
    /// The lease is lost; it was not and will not be written.
    LeaseLost,
    /// The store refused for good.
    Refused,
}

/// Why a tenure ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TenureEnd {
    /// Another worker has the lease, or the row is gone.
    Lost,
    /// This worker gave it up.
    Released,
    /// This worker deleted the finished row.
    Deleted,
}

/// Whether a tenure may act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Callbacks may begin.
    Live,
    /// The deadline has passed without a renewal: no callback begins and checkpoints wait (protocol rule P6).
    Paused {
        /// Since when.
        since: Mono,
    },
    /// It is over.
    Dead(TenureEnd),
}

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
            failures: 0,
            retry_at: Mono::ZERO,
            last_number: 0,
            actions: VecDeque::new(),
        }
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
        self.phase == Phase::Live && now < self.deadline
    }

    /// When [`HeldInput::Tick`] has something to do next.
    pub fn deadline(&self) -> Option<Mono> {
        if matches!(self.phase, Phase::Dead(_)) {
            return None;
        }
        let pause = (self.phase == Phase::Live).then_some(self.deadline);
        let idle = self.in_flight.is_none() && !self.reading;
        let act = idle.then(|| if self.has_urgent_work() { self.retry_at } else { self.retry_at.max(self.next_renewal) });
        [pause, act].into_iter().flatten().min()
    }

    /// The next thing to do, until there is none.
    pub fn poll(&mut self) -> Option<HeldAction> {
        self.actions.pop_front()
    }

    /// Takes one input. Afterwards drain [`poll`](Self::poll).
    pub fn handle(&mut self, now: Mono, input: HeldInput) {
        match input {
            HeldInput::Tick => {}
            HeldInput::ChangeRequested(change, request) => self.queue.push(change, request, self.in_flight.is_some()),
            HeldInput::ReleaseRequested => self.releasing = true,
            HeldInput::WriteAnswered(number, answer) => self.answered(now, number, answer),
            HeldInput::RowRead(row) => self.row_read(now, row),
        }
        self.pause_if_late(now);
        self.act(now);
    }

    fn answered(&mut self, now: Mono, number: u64, answer: WriteAnswer) {
        let Some(attempt) = self.in_flight.take_if(|attempt| attempt.number == number) else { return };
        match answer {
            WriteAnswer::Applied(row) => self.applied(&attempt, row),
            WriteAnswer::Rejected(current) => {
                let sent_at = self.unknown_since.unwrap_or(attempt.sent_at);
                let before = self.lease.counter;
                self.decide(current, sent_at, Some(&attempt.write));
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
                if !matches!(attempt.write.verb(), Verb::Renew | Verb::Release) {
                    let refused = self.queue.pop_front();
                    self.actions.extend(refused.into_iter().map(|r| HeldAction::Answer(r, ChangeOutcome::Refused)));
                }
            }
        }
    }

    fn applied(&mut self, attempt: &Attempt, row: Lease) {
        match attempt.write.verb() {
            Verb::Release => return self.die(TenureEnd::Released),
            Verb::Delete => return self.die(TenureEnd::Deleted),
            // It says nothing about the owner: whose row it was is in the answer.
            Verb::Describe => return self.decide(Some(row), attempt.sent_at, Some(&attempt.write)),
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

    /// Decides from the row as it is whether the lease is still ours. `sent_at` is when the earliest write was sent
    /// that can have stored the next counter.
    fn decide(&mut self, current: Option<Lease>, sent_at: Mono, attempted: Option<&LeaseWrite>) {
        let Some(row) = current else {
            let deleted = attempted.is_some_and(|write| write.verb() == Verb::Delete);
            return self.die(if deleted { TenureEnd::Deleted } else { TenureEnd::Lost });
        };
        if row.is_owned_by(&self.me) && row.counter == self.lease.counter.next() {
            self.unknown_since = None;
            self.adopt(row, sent_at);
        } else if row.is_owned_by(&self.me) && row.counter == self.lease.counter {
            self.lease = row;
            self.settle();
        } else {
            let released = attempted.is_some_and(|write| write.verb() == Verb::Release && write.explains(Some(&row)));
            self.die(if released { TenureEnd::Released } else { TenureEnd::Lost });
        }
    }

    fn row_read(&mut self, now: Mono, row: Option<Option<Lease>>) {
        self.reading = false;
        match row {
            None => self.back_off(now),
            Some(row) => {
                self.must_read = false;
                // Without an unknown write the read credits nothing.
                let sent_at = self.unknown_since.unwrap_or(Mono::ZERO);
                let release = self.releasing.then(|| LeaseWrite::release(&self.lease));
                self.decide(row, sent_at, release.as_ref());
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
        self.lease = row;
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
        while !self.queue.is_empty() {
            let lost = self.queue.pop_front();
            self.actions.extend(lost.into_iter().map(|r| HeldAction::Answer(r, ChangeOutcome::LeaseLost)));
        }
    }

    fn back_off(&mut self, now: Mono) {
        self.failures = self.failures.saturating_add(1);
        self.retry_at = now + backoff(self.failures, Duration::from_millis(100), self.timing.renew);
    }

    fn has_urgent_work(&self) -> bool {
        let paused = self.phase != Phase::Live;
        self.must_read || self.releasing || paused || !self.queue.is_empty()
    }

    fn act(&mut self, now: Mono) {
        if matches!(self.phase, Phase::Dead(_)) {
            // Requests that arrive after the end are answered too.
            if !self.queue.is_empty() {
                let Phase::Dead(end) = self.phase else { return };
                self.die(end);
            }
            return;
        }
        if self.in_flight.is_some() || self.reading || now < self.retry_at {
            return;
        }
        if self.must_read {
            self.reading = true;
            return self.actions.push_back(HeldAction::Read);
        }
        let live = self.phase == Phase::Live;
        match self.queue.front() {
            Some(change) if live => {
                let write = change.write_for(&self.lease);
                self.send(now, write);
            }
            None if self.releasing => self.send(now, LeaseWrite::release(&self.lease)),
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
