use std::time::Duration;

use kcl_core::{
    ChangeOutcome, Checkpoint, CheckpointTracker, ExtendedSequenceNumber, HeldAction, HeldInput, HeldLease, HoldId, Lease,
    LeaseTiming, LeaseWrite, Mono, PendingCheckpoint, Phase, RequestId, RowChange, SequenceNumber, Verb, WorkerId, WriteAnswer,
};

use super::rule::Rule;

/// What the user asks for; each at most once in a tenure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Want {
    /// A checkpoint after the first record.
    First,
    /// A checkpoint after the second record.
    Second,
    /// The end of the shard.
    End,
    /// A proposed checkpoint after the second record.
    Prepare,
}

impl Want {
    pub(super) const ALL: [Self; 4] = [Self::First, Self::Second, Self::End, Self::Prepare];

    pub(super) const fn bit(self) -> u8 {
        1 << self as u8
    }

    pub(super) fn checkpoint(self) -> Checkpoint {
        let at = |sequence: u64| Checkpoint::At(ExtendedSequenceNumber::new(SequenceNumber::from(sequence), 0));
        match self {
            Self::First => at(1),
            Self::Second | Self::Prepare => at(2),
            Self::End => Checkpoint::ShardEnd,
        }
    }

    fn change(self) -> RowChange {
        match self {
            Self::Prepare => RowChange::Prepare(PendingCheckpoint { checkpoint: self.checkpoint(), state: None }),
            _ => RowChange::Checkpoint(self.checkpoint()),
        }
    }
}

/// One unit of every clock: a renewal is due after one, the hold time is six, and every back-off is one.
const UNIT: Duration = Duration::from_nanos(1);
/// When the take of every tenure was sent, by the clock of the tenure. Before it is the time of older writes.
pub(super) const TAKE_SENT_AT: Mono = Mono::from_nanos(1);

const TIMING: LeaseTiming = LeaseTiming {
    failover: Duration::from_nanos(7),
    hold: Duration::from_nanos(6),
    renew: UNIT,
    scan: UNIT,
    scan_while_moving: UNIT,
    scan_after_failure: UNIT,
    quiet: Duration::from_nanos(7),
    call: UNIT,
};

/// The read of the row that a tenure waits for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Reading {
    No,
    Wanted,
    Served(Option<Box<Lease>>),
}

/// A held lease with what the model must know about it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Tenure {
    pub(super) held: HeldLease,
    pub(super) clock: Mono,
    pub(super) reading: Reading,
    /// What the user asked for, as bits of [`Want`].
    pub(super) asked: u8,
    /// What the user waits for, as bits of [`Want`].
    pub(super) waiting: u8,
    pub(super) releasing: bool,
    pub(super) described: bool,
    pub(super) deleting: bool,
    /// When the newest applied write of this tenure was sent. Known to the store alone.
    pub(super) credited: Mono,
    /// The checkpoint of the write whose answer was lost last, for the mutant that believes in it.
    pub(super) lost: Option<Checkpoint>,
    awaited: Option<Awaited>,
    /// What was sent and may still arrive, each with when it was sent first.
    orphans: Vec<(LeaseWrite, Mono)>,
}

/// The write whose answer a tenure waits for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Awaited {
    number: u64,
    write: LeaseWrite,
    sent_at: Mono,
    /// Whether the tenure was not paused, or was paused before it was sent.
    may_resume: bool,
}

/// What a tenure did in one step.
#[derive(Clone, Debug, Default)]
pub(super) struct Did {
    /// `None` if it has ended.
    pub(super) after: Option<Tenure>,
    pub(super) sent: Vec<LeaseWrite>,
    /// What was acknowledged to the user.
    pub(super) done: Vec<Want>,
    pub(super) paused: bool,
    /// Rules that it broke, as bits.
    pub(super) broken: u16,
}

impl Did {
    pub(super) fn nothing(tenure: Tenure) -> Self {
        Self { after: Some(tenure), ..Self::default() }
    }

    /// The same, and then the clock reaches the next moment at which the tenure has something to do.
    pub(super) fn then_tick(mut self) -> Self {
        let Some(mut tenure) = self.after.take() else { return self };
        tenure.clock = tenure.held.deadline().map_or(tenure.clock, |at| at.max(tenure.clock));
        let then = tenure.step(HeldInput::Tick);
        self.sent.extend(then.sent);
        self.done.extend(then.done);
        Self { after: then.after, paused: self.paused || then.paused, broken: self.broken | then.broken, ..self }
    }
}

impl Tenure {
    pub(super) fn new(me: WorkerId, row: Lease, credited: Mono) -> Self {
        let held = HeldLease::new(HoldId(0), me, TIMING, row, TAKE_SENT_AT);
        Self {
            held,
            clock: TAKE_SENT_AT,
            reading: Reading::No,
            asked: 0,
            waiting: 0,
            releasing: false,
            described: false,
            deleting: false,
            credited,
            lost: None,
            awaited: None,
            orphans: Vec::new(),
        }
    }

    /// Whether the user may ask for it: the shipped tracker decides, for a user who was given both records.
    pub(super) fn admits(&self, want: Want, out_of_order: bool) -> bool {
        let higher = u8::MAX << want as u8;
        if self.asked & want.bit() != 0 || (!out_of_order && self.asked & higher != 0) {
            return false;
        }
        let mut tracker = CheckpointTracker::new(self.held.lease().checkpoint.clone());
        if let Checkpoint::At(position) = Want::Second.checkpoint() {
            tracker.deliver(position);
        }
        tracker.reach_end();
        matches!(tracker.admit(&want.checkpoint()), Ok(kcl_core::Admission::Write))
    }

    /// When the deadline passes, if it has not yet.
    pub(super) fn hold_deadline(&self) -> Option<Mono> {
        let live = self.held.may_begin_callback(self.clock);
        let now = self.clock.as_nanos();
        let late = (now..now + 64).map(Mono::from_nanos).find(|at| !self.held.may_begin_callback(*at));
        late.filter(|_| live)
    }

    pub(super) fn ask(mut self, want: Want) -> Did {
        self.asked |= want.bit();
        self.waiting |= want.bit();
        self.step(HeldInput::ChangeRequested(want.change(), Some(RequestId(want as u64))))
    }

    /// The answer to the write that is waited for; `may_arrive` if it was lost before the store decided.
    pub(super) fn heard(mut self, answer: WriteAnswer, may_arrive: bool) -> Did {
        let Some(awaited) = self.awaited.take() else { return Did::nothing(self) };
        let was_paused = matches!(self.held.phase(), Phase::Paused { .. });
        let is_renewed = awaited.write.verb() == Verb::Renew && matches!(answer, WriteAnswer::Applied(_));
        if may_arrive && self.orphans.iter().all(|(orphan, _)| *orphan != awaited.write) {
            self.orphans.push((awaited.write, awaited.sent_at));
        }
        let mut did = self.step(HeldInput::WriteAnswered(awaited.number, answer));
        let is_live = did.after.as_ref().is_some_and(|tenure| tenure.held.phase() == Phase::Live);
        if was_paused && is_live && !(is_renewed && awaited.may_resume) {
            did.broken |= Rule::P6.bit();
        }
        did
    }

    /// The store applied this write, which was waited for or not: it knows when it was sent.
    pub(super) fn credit(&mut self, write: &LeaseWrite, is_orphan: bool) {
        let orphan = self.orphans.iter().find(|(orphan, _)| is_orphan && orphan == write).map(|(_, sent_at)| *sent_at);
        let awaited = self.awaited.as_ref().filter(|_| !is_orphan).map(|awaited| awaited.sent_at);
        self.credited = self.credited.max(orphan.or(awaited).unwrap_or(Mono::ZERO));
        // The others expect a counter that is past.
        self.orphans.clear();
    }

    /// Gives the shipped machine one input and collects what it wants.
    pub(super) fn step(mut self, input: HeldInput) -> Did {
        let now = self.clock;
        self.held.handle(now, input);
        let mut did = Did::default();
        let mut ended = false;
        while let Some(action) = self.held.poll() {
            match action {
                HeldAction::Write(number, write) => {
                    if !self.asked_for(&write) {
                        did.broken |= Rule::S6.bit();
                    }
                    let awaited = Awaited { number, write: write.clone(), sent_at: now, may_resume: true };
                    if self.awaited.replace(awaited).is_some() {
                        did.broken |= Rule::P3.bit();
                    }
                    did.sent.push(write);
                }
                // Nobody asks for a lease here: the hand-off has a specification of its own.
                HeldAction::Asked(_) => {}
                HeldAction::Read => self.reading = Reading::Wanted,
                HeldAction::Answer(request, outcome) => {
                    let want = Want::ALL.into_iter().find(|want| *want as u64 == request.0);
                    self.waiting &= want.map_or(u8::MAX, |want| !want.bit());
                    did.done.extend(want.filter(|_| outcome == ChangeOutcome::Done));
                }
                HeldAction::PhaseChanged(Phase::Dead(_)) => ended = true,
                HeldAction::PhaseChanged(Phase::Paused { .. }) => {
                    did.paused = true;
                    if let Some(awaited) = &mut self.awaited {
                        awaited.may_resume = false;
                    }
                }
                HeldAction::PhaseChanged(Phase::Live) => {}
            }
        }
        if self.held.may_begin_callback(self.credited + TIMING.hold) {
            did.broken |= Rule::P5.bit();
        }
        did.after = (!ended).then_some(self);
        did
    }

    /// Whether the user asked for the checkpoint that a write stores.
    fn asked_for(&self, write: &LeaseWrite) -> bool {
        let kcl_core::Change::Update(update) = write.change() else { return true };
        let Some(stored) = &update.checkpoint else { return true };
        Want::ALL.into_iter().any(|want| self.asked & want.bit() != 0 && want.checkpoint() == *stored && want != Want::Prepare)
    }
}
