use super::{Action, HandoffModel, State};
use crate::spec::handoff::bounds::Mutant;
use crate::spec::handoff::rule::Rule;
use crate::spec::handoff::store::{NOBODY, Row, Verb, Write};
use crate::spec::handoff::worker::{Flight, Leg, Phase, Tenure, Worker};

/// What the holder of the lease does.
impl HandoffModel {
    pub(super) fn owner_actions(&self, state: &State, index: usize, tenure: &Tenure, actions: &mut Vec<Action>) {
        let mut may = |action: Action, may: bool| actions.extend(may.then_some(action));
        let phase = tenure.phase;
        let reads = phase == Phase::Reading
            || (self.mutant == Some(Mutant::DeliversAfterTransfer) && phase == Phase::Drained && tenure.transfer_sent);
        let waits_for_call = matches!(phase, Phase::Draining | Phase::Hung);
        may(Action::Deliver(index), reads && tenure.at < self.bounds.records);
        let has_more = tenure.at > tenure.row.checkpoint && tenure.wanted.is_none();
        may(Action::Want(index), phase == Phase::Reading && has_more);
        let has_write = tenure.wanted.is_some() || matches!(phase, Phase::Drained | Phase::Releasing);
        may(Action::Write(index), tenure.may_write() && has_write);
        may(Action::Renew(index), tenure.may_write() && !has_write);
        may(Action::Read(index), tenure.must_read);
        may(Action::Drained(index), phase == Phase::Draining);
        may(Action::Hang(index), phase == Phase::Draining && state.hangs < self.bounds.hangs);
        let may_time_out = waits_for_call && self.mutant != Some(Mutant::OwnerNeverTimesOut);
        may(Action::DrainTimeOut(index), may_time_out);
        may(Action::Release(index), self.bounds.releases && matches!(phase, Phase::Reading | Phase::Draining));
    }

    pub(super) fn own(&self, state: &mut State, worker: usize, action: Action) -> Option<()> {
        let Worker::Holding(mut tenure) = state.workers[worker] else { return None };
        match action {
            Action::Deliver(_) => {
                tenure.at += 1;
                state.broken |= if tenure.transfer_sent { Rule::SilentAfterTransfer.bit() } else { 0 };
            }
            Action::Want(_) => tenure.wanted = Some(tenure.at),
            Action::Drained(_) => tenure.phase = Phase::Drained,
            Action::Hang(_) => {
                state.hangs += 1;
                tenure.phase = Phase::Hung;
            }
            Action::DrainTimeOut(_) | Action::Release(_) => {
                tenure.wanted = None;
                tenure.phase = Phase::Releasing;
            }
            Action::Read(_) => {
                tenure.must_read = false;
                state.workers[worker] = Worker::Holding(tenure);
                let row = state.row;
                return self.decide(state, worker, row);
            }
            Action::Renew(_) => return self.write(state, worker, tenure, Verb::Renew),
            Action::Write(_) => {
                let verb = self.wanted_write(state, &tenure);
                tenure.transfer_sent |= matches!(verb, Verb::Transfer(..));
                return self.write(state, worker, tenure, verb);
            }
            _ => return None,
        }
        state.workers[worker] = Worker::Holding(tenure);
        Some(())
    }

    fn wanted_write(&self, state: &mut State, tenure: &Tenure) -> Verb {
        if let Some(at) = tenure.wanted {
            return Verb::Checkpoint(at);
        }
        let is_behind = tenure.at > tenure.row.checkpoint && self.mutant != Some(Mutant::TransfersBeforeCheckpoint);
        match tenure.phase {
            Phase::Drained if is_behind && !tenure.transfer_sent => Verb::Checkpoint(tenure.at),
            Phase::Drained if tenure.row.request != NOBODY => {
                state.broken |= if tenure.row.stale { Rule::FreshRequest.bit() } else { 0 };
                Verb::Transfer(tenure.row.request, tenure.at)
            }
            _ => Verb::Release,
        }
    }

    fn write(&self, state: &mut State, worker: usize, mut tenure: Tenure, verb: Verb) -> Option<()> {
        tenure.busy = true;
        state.workers[worker] = Worker::Holding(tenure);
        let write = Write { by: u8::try_from(worker).ok()?, verb, owner: tenure.row.owner, behind: tenure.row.behind };
        self.send(state, Flight { write, leg: Leg::Out, latest: tenure.latest, ended: false })
    }

    /// The answer to a write of a tenure: the row after it, or the row that was not as expected.
    pub(super) fn answered(&self, state: &mut State, write: Write, applied: bool, row: Row) -> Option<()> {
        let worker = usize::from(write.by);
        let Worker::Holding(mut tenure) = state.workers[worker] else { return None };
        tenure.busy = false;
        if !applied {
            state.workers[worker] = Worker::Holding(tenure);
            return self.decide(state, worker, row);
        }
        if matches!(write.verb, Verb::Release | Verb::Transfer(..)) {
            Self::leave(state, worker, true);
            return Some(());
        }
        tenure.unknown = false;
        self.adopt(state, worker, tenure, row);
        Some(())
    }

    fn adopt(&self, state: &mut State, worker: usize, mut tenure: Tenure, row: Row) {
        tenure.see(row, self.cooperates(worker));
        if let Some(done) = tenure.wanted.take_if(|wanted| *wanted <= row.checkpoint) {
            state.broken |= if state.row.checkpoint < done { Rule::S9.bit() } else { 0 };
        }
        state.workers[worker] = Worker::Holding(tenure);
    }

    /// Decides from the row as it is whether the lease is still held: the rule of `HeldLease`.
    fn decide(&self, state: &mut State, worker: usize, row: Row) -> Option<()> {
        let Worker::Holding(mut tenure) = state.workers[worker] else { return None };
        let mine = usize::from(row.owner) == worker;
        if mine && row.behind == tenure.row.behind {
            self.adopt(state, worker, tenure, row);
        } else if mine && tenure.unknown && row.behind + 1 == tenure.row.behind {
            tenure.unknown = false;
            self.adopt(state, worker, tenure, row);
        } else {
            Self::leave(state, worker, true);
        }
        Some(())
    }
}
