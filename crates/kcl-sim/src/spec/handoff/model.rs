use super::bounds::{Bounds, Mutant};
use super::rule::Rule;
use super::store::{LONG_AGO, NOBODY, Row};
use super::worker::{Flight, Leg, Phase, Tenure, Worker};
use crate::spec::bfs::{Invariant, Model, Predicate};
use crate::spec::intern::Memo;

mod network;
mod owner;
mod target;
mod text;

/// The owner at first, whoever asks, and a third one.
const WORKERS: usize = 3;
/// The third one's number.
const THIRD: u8 = 2;
/// The most flights at a time, answers included.
const SLOTS: usize = 5;

/// One lease, three workers, and everything that is between them.
#[derive(Debug)]
pub struct HandoffModel {
    bounds: Bounds,
    mutant: Option<Mutant>,
    /// The rules that are watched, as bits.
    watched: u16,
    writes: Memo<Option<(Row, u64)>>,
}

/// A state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct State {
    row: Row,
    workers: [Worker; WORKERS],
    /// In ascending order; what is in flight has no other.
    flights: [Option<Flight>; SLOTS],
    deaths: u8,
    pauses: u8,
    hangs: u8,
    broken: u16,
}

/// What may happen. Workers and flights are named by their place in the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// A worker asks the owner for the lease.
    Ask(usize),
    /// Whoever asked, or is unsure of its take, reads the row.
    Look(usize),
    /// Whoever asked has waited too long and takes the lease.
    TimeOut(usize),
    /// Whoever asked does not want it any more.
    GiveUp(usize),
    /// A worker takes the lease because nobody renews it, or nobody has it.
    TakeExpired(usize),
    /// The owner hands a record over.
    Deliver(usize),
    /// The user asks for a checkpoint after the last record.
    Want(usize),
    /// The owner renews.
    Renew(usize),
    /// The owner writes what is wanted: a checkpoint, a transfer or a release.
    Write(usize),
    /// The owner reads the row after a write with an unknown result.
    Read(usize),
    /// The last call of the application returns.
    Drained(usize),
    /// The last call of the application does not return.
    Hang(usize),
    /// The owner has drained for too long and gives up without a checkpoint.
    DrainTimeOut(usize),
    /// The owner is to give up.
    Release(usize),
    /// The process dies.
    Die(usize),
    /// It is started again under its name.
    Restart(usize),
    /// A write reaches the store.
    Serve(usize),
    /// A write reaches the store and its answer is lost.
    ServeAndLose(usize),
    /// An answer reaches the worker.
    Hear(usize),
    /// The worker gives up waiting for an answer. The write may still arrive.
    Lose(usize),
}

impl HandoffModel {
    /// The protocol as it is to be.
    pub fn new(bounds: Bounds) -> Self {
        Self::watching(bounds, None, &Rule::ALL)
    }

    /// The protocol with a mistake, watched by some of the rules.
    pub fn watching(bounds: Bounds, mutant: Option<Mutant>, rules: &[Rule]) -> Self {
        let watched = rules.iter().fold(0, |bits, rule| bits | rule.bit());
        Self { bounds, mutant, watched, writes: Memo::default() }
    }

    /// Whether the owner of the row renews it: it runs and believes in it.
    fn owner_renews(state: &State) -> bool {
        matches!(state.workers.get(usize::from(state.row.owner)), Some(Worker::Holding(_)))
    }

    fn cooperates(&self, worker: usize) -> bool {
        let is_java = self.bounds.java && worker == usize::from(THIRD);
        !is_java && (self.bounds.cooperative || worker != 0)
    }

    fn worker_actions(&self, state: &State, index: usize, actions: &mut Vec<Action>) {
        let worker = state.workers[index];
        match worker {
            Worker::Dead => return actions.extend(self.bounds.restarts.then_some(Action::Restart(index))),
            Worker::Idle => {
                let asks = (1..=usize::from(self.bounds.requesters)).contains(&index);
                let other = state.row.owner != NOBODY && usize::from(state.row.owner) != index;
                actions.extend((asks && other && state.row.request == NOBODY).then_some(Action::Ask(index)));
                actions.extend(self.may_expire(state).then_some(Action::TakeExpired(index)));
            }
            Worker::Asking | Worker::Taking => {}
            Worker::Waiting => {
                actions.push(Action::Look(index));
                if self.mutant == Some(Mutant::TargetNeverTimesOut) {
                    actions.extend(self.may_expire(state).then_some(Action::TakeExpired(index)));
                } else {
                    actions.extend([Action::TimeOut(index), Action::GiveUp(index)]);
                }
            }
            Worker::Unsure => actions.push(Action::Look(index)),
            Worker::Holding(tenure) => self.owner_actions(state, index, &tenure, actions),
        }
        actions.extend((state.deaths < self.bounds.deaths).then_some(Action::Die(index)));
    }

    fn may_expire(&self, state: &State) -> bool {
        !Self::owner_renews(state) || state.pauses < self.bounds.pauses
    }

    fn happen(&self, state: &mut State, action: Action) -> Option<()> {
        match action {
            Action::Ask(worker) => self.ask(state, worker),
            Action::Look(worker) => self.look(state, worker),
            Action::TimeOut(worker) => self.take(state, worker),
            Action::GiveUp(worker) => {
                state.workers[worker] = Worker::Idle;
                Some(())
            }
            Action::TakeExpired(worker) => {
                state.pauses += u8::from(Self::owner_renews(state));
                self.take(state, worker)
            }
            Action::Die(worker) => {
                state.deaths += 1;
                Self::leave(state, worker, false);
                state.workers[worker] = Worker::Dead;
                Some(())
            }
            Action::Restart(worker) => {
                state.workers[worker] = Worker::Idle;
                Some(())
            }
            Action::Serve(slot) => self.serve(state, slot),
            Action::ServeAndLose(slot) => self.serve_and_lose(state, slot),
            Action::Hear(slot) => self.hear(state, slot),
            Action::Lose(slot) => self.lose(state, slot),
            Action::Deliver(worker)
            | Action::Want(worker)
            | Action::Renew(worker)
            | Action::Write(worker)
            | Action::Read(worker)
            | Action::Drained(worker)
            | Action::Hang(worker)
            | Action::DrainTimeOut(worker)
            | Action::Release(worker) => self.own(state, worker, action),
        }
    }

    /// At most one tenure for each counter, and the row's owner is who knows its counter.
    fn count_tenures(state: &mut State) {
        let mut known = [false; LONG_AGO as usize];
        for (index, worker) in (0_u8..).zip(state.workers) {
            let Worker::Holding(tenure) = worker else { continue };
            let Some(known) = known.get_mut(usize::from(tenure.row.behind)) else { continue };
            let is_wrong = *known || (tenure.row.behind == 0 && state.row.owner != index);
            state.broken |= if is_wrong { Rule::OneTenure.bit() } else { 0 };
            *known = true;
        }
    }
}

/// Whether the rule with this place in [`Rule::ALL`] holds.
fn keeps<const RULE: usize>(_: &HandoffModel, state: &State) -> bool {
    state.broken & Rule::ALL[RULE].bit() == 0
}

impl Model for HandoffModel {
    type State = State;
    type Action = Action;

    fn initial_states(&self) -> Vec<State> {
        let row = Row { owner: 0, checkpoint: 0, request: NOBODY, stale: false, behind: 0 };
        let workers = [Worker::Holding(Tenure::new(row, true)), Worker::Idle, Worker::Idle];
        vec![State { row, workers, flights: [None; SLOTS], deaths: 0, pauses: 0, hangs: 0, broken: 0 }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for (slot, flight) in state.flights.iter().enumerate() {
            match flight.map(|flight| flight.leg) {
                Some(Leg::Out) => {
                    actions.extend([Action::Serve(slot), Action::Lose(slot)]);
                    actions.extend((!self.bounds.slow_answers).then_some(Action::ServeAndLose(slot)));
                }
                Some(Leg::Orphaned) => actions.push(Action::Serve(slot)),
                Some(Leg::Back(..)) => actions.extend([Action::Hear(slot), Action::Lose(slot)]),
                None => {}
            }
        }
        for index in 0..WORKERS {
            self.worker_actions(state, index, actions);
        }
    }

    fn next(&self, state: &State, action: &Action) -> Option<State> {
        let mut next = *state;
        self.happen(&mut next, *action)?;
        self.forget_hopeless(&mut next);
        Self::count_tenures(&mut next);
        next.broken &= self.watched;
        (next != *state).then_some(next)
    }

    fn invariants(&self) -> Vec<Invariant<Self>> {
        let holds: [Predicate<Self>; Rule::ALL.len()] = [
            keeps::<0>, keeps::<1>, keeps::<2>, keeps::<3>, keeps::<4>, keeps::<5>, keeps::<6>, keeps::<7>, keeps::<8>,
            keeps::<9>,
        ];
        Rule::ALL.iter().zip(holds).map(|(rule, holds)| Invariant { name: rule.name(), holds }).collect()
    }

    /// A live worker owns the lease and reads, and nobody waits for a transfer.
    fn goal(&self) -> Option<Predicate<Self>> {
        Some(|_, state| {
            let reads = |worker: &Worker| matches!(worker, Worker::Holding(tenure) if tenure.phase == Phase::Reading && tenure.row.behind == 0);
            state.workers.get(usize::from(state.row.owner)).is_some_and(reads) && !state.workers.contains(&Worker::Waiting)
        })
    }

    fn explain(&self, state: &State, action: &Action) -> String {
        self.explain_action(state, *action)
    }

    fn describe(&self, state: &State) -> String {
        text::describe(state)
    }
}
