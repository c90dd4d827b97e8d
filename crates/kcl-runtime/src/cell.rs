use kcl_core::{
    Admission, Checkpoint, CheckpointError, CheckpointTracker, ExtendedSequenceNumber, HeldAction, HeldInput, HeldLease, Lease,
    Mono, Phase,
};
use tokio::sync::watch;

use crate::sync::{Mutex, MutexGuard, PoisonError};

/// The one place that knows whether a tenure may act: renewals, checkpoints and the reader of a shard share it.
#[derive(Debug)]
pub(crate) struct LeaseCell {
    state: Mutex<State>,
    phase: watch::Sender<Phase>,
}

#[derive(Debug)]
struct State {
    held: HeldLease,
    tracker: CheckpointTracker,
    closed: bool,
    /// Whether a callback was refused in a live phase: who asked waits for a change.
    refused: bool,
}

impl LeaseCell {
    pub(crate) fn new(held: HeldLease) -> Self {
        let tracker = CheckpointTracker::new(held.lease().checkpoint.clone());
        let phase = watch::Sender::new(held.phase());
        Self { state: Mutex::new(State { held, tracker, closed: false, refused: false }), phase }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The state is changed in one step under the lock: a panic elsewhere leaves it whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the machine one input; what it wants done.
    pub(crate) fn handle(&self, now: Mono, input: HeldInput) -> Vec<HeldAction> {
        let mut actions = Vec::new();
        let mut state = self.state();
        state.held.handle(now, input);
        while let Some(action) = state.held.poll() {
            actions.push(action);
        }
        let stored = state.held.lease().checkpoint.clone();
        state.tracker.store(&stored);
        let phase = state.held.phase();
        // The clock is read before the lock is taken: a driver may be refused by a later moment than `now`, and nothing but
        // this would tell it that the deadline has moved.
        let refused = std::mem::take(&mut state.refused);
        // Told under the lock, so that what is told last is how it is.
        self.phase.send_if_modified(|seen| std::mem::replace(seen, phase) != phase || refused);
        drop(state);
        actions
    }

    pub(crate) fn deadline(&self) -> Option<Mono> {
        self.state().held.deadline()
    }

    pub(crate) fn lease(&self) -> Lease {
        self.state().held.lease().clone()
    }

    pub(crate) fn phase(&self) -> Phase {
        self.state().held.phase()
    }

    /// Tells of every change of the phase, and of the first input after a callback was refused in a live phase.
    pub(crate) fn watch_phase(&self) -> watch::Receiver<Phase> {
        self.phase.subscribe()
    }

    /// Whether a callback may begin now; if so, everything up to `delivered` counts as handed over from now on.
    pub(crate) fn begin_callback(&self, now: Mono, delivered: Option<ExtendedSequenceNumber>) -> bool {
        let mut state = self.state();
        let may_begin = state.held.may_begin_callback(now);
        state.refused |= !may_begin && state.held.phase() == Phase::Live;
        if let Some(position) = delivered.filter(|_| may_begin) {
            state.tracker.deliver(position);
        }
        may_begin
    }

    /// From now on nothing of this tenure is admitted any more: its processor has failed, or nobody renews its lease.
    pub(crate) fn close(&self) {
        self.state().closed = true;
    }

    /// Every record of the shard was handed over and accepted.
    pub(crate) fn reach_end(&self) {
        self.state().tracker.reach_end();
    }

    pub(crate) fn end_is_durable(&self) -> bool {
        self.state().tracker.stored().is_shard_end()
    }

    pub(crate) fn last_delivered(&self) -> Option<ExtendedSequenceNumber> {
        self.state().tracker.delivered().cloned()
    }

    /// Whether a checkpoint may be stored; a dead tenure stores nothing.
    pub(crate) fn admit(&self, checkpoint: &Checkpoint) -> Result<Admission, CheckpointError> {
        let state = self.state();
        if state.closed || !state.held.accepts_changes() {
            return Err(CheckpointError::LeaseLost);
        }
        let admission = state.tracker.admit(checkpoint)?;
        // A proposal that stands beside it is removed by a write all the same.
        Ok(if state.held.lease().pending.is_some() { Admission::Write } else { admission })
    }
}

#[cfg(test)]
mod tests;
