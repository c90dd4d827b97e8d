//! Two leases and the same two workers: what one lease does to the other is that a process dies with both.

use super::{Action, Bounds, LeaseModel, State};
use crate::spec::bfs::{Invariant, Model, Predicate};

/// Two leases of two workers.
#[derive(Debug)]
pub struct PairModel {
    lease: LeaseModel,
    in_flight: usize,
}

/// The state of each lease.
pub type PairState = [State; 2];

/// What may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PairAction {
    /// To one of the leases.
    Of(usize, Action),
    /// A process dies; it is started again under its name.
    Crash(usize),
}

impl PairModel {
    /// Two leases, each within these bounds; what may be in flight is for both of them together.
    pub fn new(bounds: Bounds) -> Self {
        Self { lease: LeaseModel::new(bounds).seeking_goal(), in_flight: bounds.in_flight }
    }

    fn actions_of(&self, state: &State) -> Vec<Action> {
        let mut actions = Vec::new();
        self.lease.actions(state, &mut actions);
        actions
    }
}

/// Whether the invariant with this place holds for both.
fn both<const INVARIANT: usize>(model: &PairModel, state: &PairState) -> bool {
    let invariants = model.lease.invariants();
    invariants.get(INVARIANT).is_none_or(|invariant| state.iter().all(|state| (invariant.holds)(&model.lease, state)))
}

impl Model for PairModel {
    type State = PairState;
    type Action = PairAction;

    fn initial_states(&self) -> Vec<PairState> {
        self.lease.initial_states().into_iter().map(|state| [state; 2]).collect()
    }

    fn actions(&self, state: &PairState, actions: &mut Vec<PairAction>) {
        let mut crashes = [false; 2];
        for (index, state) in state.iter().enumerate() {
            for action in self.actions_of(state) {
                match action {
                    Action::Crash(worker) => crashes[worker] = true,
                    action => actions.push(PairAction::Of(index, action)),
                }
            }
        }
        let crashing = crashes.into_iter().enumerate().filter(|(_, crashes)| *crashes);
        actions.extend(crashing.map(|(worker, _)| PairAction::Crash(worker)));
    }

    fn next(&self, state: &PairState, action: &PairAction) -> Option<PairState> {
        let mut next = *state;
        match *action {
            PairAction::Of(index, action) => next[index] = self.lease.next(&state[index], &action)?,
            PairAction::Crash(worker) => {
                for state in &mut next {
                    *state = self.lease.next(state, &Action::Crash(worker))?;
                }
            }
        }
        let pending: usize = next.iter().map(|state| self.lease.pending(state)).sum();
        if pending > self.in_flight {
            return None;
        }
        // The leases are alike.
        next.sort_unstable();
        Some(next)
    }

    fn invariants(&self) -> Vec<Invariant<Self>> {
        let holds: [Predicate<Self>; 9] =
            [both::<0>, both::<1>, both::<2>, both::<3>, both::<4>, both::<5>, both::<6>, both::<7>, both::<8>];
        let names = self.lease.invariants().into_iter().map(|invariant| invariant.name);
        names.zip(holds).map(|(name, holds)| Invariant { name, holds }).collect()
    }

    fn goal(&self) -> Option<Predicate<Self>> {
        Some(|model, state| model.lease.goal().is_none_or(|reached| state.iter().all(|state| reached(&model.lease, state))))
    }

    fn explain(&self, state: &PairState, action: &PairAction) -> String {
        match *action {
            PairAction::Of(index, action) => format!("lease {index}: {}", self.lease.explain(&state[index], &action)),
            PairAction::Crash(worker) => self.lease.explain(&state[0], &Action::Crash(worker)),
        }
    }

    fn describe(&self, state: &PairState) -> String {
        state.iter().map(|state| self.lease.describe(state)).collect::<Vec<_>>().join(" | ")
    }
}
