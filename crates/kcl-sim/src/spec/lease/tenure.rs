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
const HOLD_UNITS: u64 = 6;
/// When the take of every tenure was sent, by the clock of the tenure. Before it is the time of older writes.
pub(super) const TAKE_SENT_AT: u64 = 1;

const TIMING: LeaseTiming = LeaseTiming {
    failover: Duration::from_nanos(7),
    hold: Duration::from_nanos(HOLD_UNITS),
    renew: UNIT,
    scan: UNIT,
    scan_while_moving: UNIT,
    call: UNIT,
};

/// The read of the row that a tenure waits for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Reading {
    No,
    Wanted,
    Served(Option<Lease>),
}

/// A held lease with what the model must know about it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Tenure {
    pub(super) epoch: u8,
    pub(super) held: HeldLease,
    pub(super) clock: u64,
    pub(super) reading: Reading,
    /// What the user asked for, as bits of [`Want`].
    pub(super) asked: u8,
    pub(super) releasing: bool,
    pub(super) described: bool,
    pub(super) deleting: bool,
    /// When the newest applied write of this tenure was sent. Known to the store alone.
    pub(super) credited: u64,
    /// The checkpoint of the write whose answer was lost last, for the mutant that believes in it.
    pub(super) lost: Option<Checkpoint>,
    awaited: Option<(u64, Verb)>,
    last_sent: u64,
    /// The last write that was sent before the pause began.
    paused_after: u64,
}

/// What a tenure did in one step.
#[derive(Clone, Debug)]
pub(super) struct Did {
    /// `None` if it has ended.
    pub(super) after: Option<Tenure>,
    pub(super) sent: Vec<(u64, LeaseWrite)>,
    /// What was acknowledged to the user.
    pub(super) done: Vec<Want>,
    pub(super) paused: bool,
    /// Rules that it broke, as bits.
    pub(super) broken: u16,
}

impl Did {
    /// The same, and then the clock reaches the next moment at which the tenure has something to do.
    pub(super) fn then_tick(mut self) -> Self {
        let Some(mut tenure) = self.after.take() else { return self };
        tenure.clock = tenure.held.deadline().map_or(tenure.clock, |at| at.as_nanos().max(tenure.clock));
        let then = tenure.step(HeldInput::Tick);
        self.sent.extend(then.sent);
        self.done.extend(then.done);
        Self { after: then.after, paused: self.paused || then.paused, broken: self.broken | then.broken, ..self }
    }
}

impl Tenure {
    pub(super) fn new(epoch: u8, me: WorkerId, row: Lease, credited: u64) -> Self {
        let held = HeldLease::new(HoldId(0), me, TIMING, row, Mono::from_nanos(TAKE_SENT_AT));
        Self {
            epoch,
            held,
            clock: TAKE_SENT_AT,
            reading: Reading::No,
            asked: 0,
            releasing: false,
            described: false,
            deleting: false,
            credited,
            lost: None,
            awaited: None,
            last_sent: 0,
            paused_after: 0,
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
    pub(super) fn hold_deadline(&self) -> Option<u64> {
        let live = self.held.may_begin_callback(Mono::from_nanos(self.clock));
        let mut late = (self.clock..).take(64).skip_while(|&at| self.held.may_begin_callback(Mono::from_nanos(at)));
        if live { late.next() } else { None }
    }

    pub(super) fn ask(mut self, want: Want) -> Did {
        self.asked |= want.bit();
        self.step(HeldInput::ChangeRequested(want.change(), Some(RequestId(want as u64))))
    }

    pub(super) fn heard(mut self, number: u64, answer: WriteAnswer) -> Did {
        let awaited = self.awaited.take();
        let was_paused = matches!(self.held.phase(), Phase::Paused { .. });
        let resumes =
            number > self.paused_after && awaited == Some((number, Verb::Renew)) && matches!(answer, WriteAnswer::Applied(_));
        let mut did = self.step(HeldInput::WriteAnswered(number, answer));
        let is_live = did.after.as_ref().is_some_and(|tenure| tenure.held.phase() == Phase::Live);
        if was_paused && is_live && !resumes {
            did.broken |= Rule::P6.bit();
        }
        did
    }

    /// Gives the shipped machine one input and collects what it wants.
    pub(super) fn step(mut self, input: HeldInput) -> Did {
        let sent_before = self.last_sent;
        let now = Mono::from_nanos(self.clock);
        self.held.handle(now, input);
        let mut did = Did { after: None, sent: Vec::new(), done: Vec::new(), paused: false, broken: 0 };
        let mut ended = false;
        while let Some(action) = self.held.poll() {
            match action {
                HeldAction::Write(number, write) => {
                    if self.awaited.replace((number, write.verb())).is_some() {
                        did.broken |= Rule::P3.bit();
                    }
                    if !self.asked_for(&write) {
                        did.broken |= Rule::S6.bit();
                    }
                    self.last_sent = number;
                    did.sent.push((number, write));
                }
                HeldAction::Read => self.reading = Reading::Wanted,
                HeldAction::Answer(request, ChangeOutcome::Done) => {
                    did.done.extend(Want::ALL.into_iter().find(|want| *want as u64 == request.0));
                }
                HeldAction::Answer(..) => {}
                HeldAction::PhaseChanged(Phase::Dead(_)) => ended = true,
                HeldAction::PhaseChanged(Phase::Paused { .. }) => {
                    did.paused = true;
                    self.paused_after = sent_before;
                }
                HeldAction::PhaseChanged(Phase::Live) => {}
            }
        }
        if self.held.may_begin_callback(Mono::from_nanos(self.credited + HOLD_UNITS)) {
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
