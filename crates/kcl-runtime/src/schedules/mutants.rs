use kcl_core::{
    Admission, Checkpoint, CheckpointError, CheckpointTracker, ExtendedSequenceNumber, HeldAction, HeldInput, HeldLease, Mono,
    Phase,
};
use tokio::sync::watch;

use crate::cell::LeaseCell;
use crate::sync::{Mutex, MutexGuard};

/// What the tests ask of a lease cell, so that they can be given a broken one.
pub(super) trait Cell: Send + Sync {
    fn handle(&self, now: Mono, input: HeldInput) -> Vec<HeldAction>;
    fn begin_callback(&self, now: Mono, delivered: Option<ExtendedSequenceNumber>) -> bool;
    fn admit(&self, checkpoint: &Checkpoint) -> Result<Admission, CheckpointError>;
    fn last_delivered(&self) -> Option<ExtendedSequenceNumber>;
    fn phase(&self) -> Phase;
    fn watch_phase(&self) -> watch::Receiver<Phase>;
}

impl Cell for LeaseCell {
    fn handle(&self, now: Mono, input: HeldInput) -> Vec<HeldAction> {
        self.handle(now, input)
    }

    fn begin_callback(&self, now: Mono, delivered: Option<ExtendedSequenceNumber>) -> bool {
        self.begin_callback(now, delivered)
    }

    fn admit(&self, checkpoint: &Checkpoint) -> Result<Admission, CheckpointError> {
        self.admit(checkpoint)
    }

    fn last_delivered(&self) -> Option<ExtendedSequenceNumber> {
        self.last_delivered()
    }

    fn phase(&self) -> Phase {
        self.phase()
    }

    fn watch_phase(&self) -> watch::Receiver<Phase> {
        self.watch_phase()
    }
}

/// The one thing that is wrong with a [`BrokenCell`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Whether a callback may begin is decided in one lock scope, what is delivered by it noted in the next.
    BeginsInTwoScopes,
    /// What is delivered is noted in a copy of the tracker, which is put back in the next lock scope.
    DeliversIntoACopy,
    /// The phase is told after the lock was given back.
    TellsUnlocked,
    /// A driver that was refused a callback in a live phase is told nothing if the phase stays as it is.
    ForgetsTheRefused,
}

/// A copy of the lease cell with one thing wrong.
pub(super) struct BrokenCell {
    fault: Fault,
    state: Mutex<State>,
    phase: watch::Sender<Phase>,
}

struct State {
    held: HeldLease,
    tracker: CheckpointTracker,
    refused: bool,
}

impl BrokenCell {
    pub(super) fn new(fault: Fault, held: HeldLease) -> Self {
        let tracker = CheckpointTracker::new(held.lease().checkpoint.clone());
        let phase = watch::Sender::new(held.phase());
        Self { fault, state: Mutex::new(State { held, tracker, refused: false }), phase }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn tell(&self, phase: Phase, again: bool) {
        self.phase.send_if_modified(|seen| std::mem::replace(seen, phase) != phase || again);
    }
}

impl Cell for BrokenCell {
    fn handle(&self, now: Mono, input: HeldInput) -> Vec<HeldAction> {
        let mut state = self.state();
        state.held.handle(now, input);
        let actions = std::iter::from_fn(|| state.held.poll()).collect();
        let stored = state.held.lease().checkpoint.clone();
        state.tracker.store(&stored);
        let phase = state.held.phase();
        let again = std::mem::take(&mut state.refused) && self.fault != Fault::ForgetsTheRefused;
        if self.fault == Fault::TellsUnlocked {
            drop(state);
            // The explorer does not see the watch: here it may switch threads before the phase is told.
            shuttle::thread::yield_now();
            self.tell(phase, again);
        } else {
            self.tell(phase, again);
            drop(state);
        }
        actions
    }

    fn begin_callback(&self, now: Mono, delivered: Option<ExtendedSequenceNumber>) -> bool {
        let mut state = self.state();
        let may_begin = state.held.may_begin_callback(now);
        state.refused |= !may_begin && state.held.phase() == Phase::Live;
        let Some(position) = delivered.filter(|_| may_begin) else { return may_begin };
        match self.fault {
            Fault::BeginsInTwoScopes => {
                drop(state);
                self.state().tracker.deliver(position);
            }
            Fault::DeliversIntoACopy => {
                let mut copy = state.tracker.clone();
                drop(state);
                copy.deliver(position);
                self.state().tracker = copy;
            }
            Fault::TellsUnlocked | Fault::ForgetsTheRefused => state.tracker.deliver(position),
        }
        may_begin
    }

    fn admit(&self, checkpoint: &Checkpoint) -> Result<Admission, CheckpointError> {
        let state = self.state();
        if !state.held.accepts_changes() {
            return Err(CheckpointError::LeaseLost);
        }
        state.tracker.admit(checkpoint)
    }

    fn last_delivered(&self) -> Option<ExtendedSequenceNumber> {
        self.state().tracker.delivered().cloned()
    }

    fn phase(&self) -> Phase {
        self.state().held.phase()
    }

    fn watch_phase(&self) -> watch::Receiver<Phase> {
        self.phase.subscribe()
    }
}
