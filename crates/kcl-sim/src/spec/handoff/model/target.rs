use super::{HandoffModel, State};
use crate::spec::handoff::store::{Verb, Write};
use crate::spec::handoff::worker::{Flight, Leg, Worker};

/// What a worker does that does not hold the lease.
impl HandoffModel {
    pub(super) fn ask(&self, state: &mut State, worker: usize) -> Option<()> {
        state.workers[worker] = Worker::Asking;
        self.send_of_row(state, worker, Verb::Request)
    }

    pub(super) fn take(&self, state: &mut State, worker: usize) -> Option<()> {
        state.workers[worker] = Worker::Taking;
        self.send_of_row(state, worker, Verb::Take)
    }

    /// A write of the version that the row has now.
    fn send_of_row(&self, state: &mut State, worker: usize, verb: Verb) -> Option<()> {
        let write = Write { by: u8::try_from(worker).ok()?, verb, owner: state.row.owner, behind: 0 };
        self.send(state, Flight { write, leg: Leg::Out, latest: true, ended: false })
    }

    /// The row is under the worker's name: it takes it, so that what it holds is what it wrote. It still waits if it is
    /// still asked for; otherwise it does not care any more.
    pub(super) fn look(&self, state: &mut State, worker: usize) -> Option<()> {
        if usize::from(state.row.owner) == worker {
            return self.take(state, worker);
        }
        let still_asked = state.workers[worker] == Worker::Waiting && usize::from(state.row.request) == worker;
        if !still_asked {
            state.workers[worker] = Worker::Idle;
        }
        Some(())
    }
}
