use std::rc::Rc;

use kcl_core::{Lease, Mono, WorkerId};

use super::bounds::{Bounds, Mutant};
use super::rule::Rule;
use super::store;
use super::tenure::{Reading, Tenure, Want};
use super::worker::{Flight, Leg, Worker};
use crate::spec::bfs::{Invariant, Model, Predicate};
use crate::spec::intern::{Interner, Memo};
use step::{Event, Step};

mod network;
mod step;
mod text;

/// Names of the two workers; twins have the first one's.
const NAMES: [&str; 2] = ["a", "b"];
/// No row, or no flight.
const NONE: u32 = u32::MAX;
/// No worker.
const NOBODY: u8 = u8::MAX;
/// The most flights at a time, answers included.
const SLOTS: usize = 6;

/// Two workers, one lease, and everything that is between them.
#[derive(Debug)]
pub struct LeaseModel {
    bounds: Bounds,
    mutant: Option<Mutant>,
    /// The rules that are watched, as bits.
    watched: u16,
    /// Whether it is asked that the end of the shard, or the highest counter, stays reachable.
    seeks_goal: bool,
    names: [WorkerId; 2],
    rows: Interner<Lease>,
    workers: Interner<Worker>,
    flights: Interner<Flight>,
    /// The first worker of each behaviour stands for all of them.
    behaviours: Memo<u32>,
    steps: Memo<Rc<Step>>,
}

/// A state: numbers of its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct State {
    row: u32,
    workers: [u32; 2],
    /// In ascending order; what is in flight has no other.
    flights: [u32; SLOTS],
    /// The worker whose current take is the latest that was applied; [`NOBODY`] if it was forgotten.
    latest: u8,
    crashes: u8,
    pauses: u8,
    broken: u16,
}

/// What may happen. Workers and flights are named by their place in the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// A worker reads the row and sends a take of it.
    Take(usize),
    /// A write reaches the store.
    Serve(usize),
    /// A write reaches the store twice; the answer is that to the second.
    ServeTwice(usize),
    /// A write reaches the store and its answer is lost.
    ServeAndLose(usize),
    /// An answer reaches the worker.
    Hear(usize),
    /// The worker gives up waiting for an answer. The write may still arrive.
    Lose(usize),
    /// The store answers a tenure's read.
    ServeRead(usize),
    /// The answer to a tenure's read arrives.
    HearRead(usize),
    /// A worker reads the row after a take whose answer was lost.
    ReadAfterTake(usize),
    /// The clock reaches the next moment at which the tenure has something to do.
    Tick(usize),
    /// The process sleeps until the deadline of its tenure has passed.
    Oversleep(usize),
    /// The user asks for a checkpoint.
    Ask(usize, Want),
    /// The worker gives the lease up.
    Release(usize),
    /// The worker stores the children.
    Describe(usize),
    /// The worker deletes the finished row.
    Delete(usize),
    /// The process dies; it is started again under its name.
    Crash(usize),
    /// The mutant creates a deleted row again.
    CreateAgain,
}

impl LeaseModel {
    /// The protocol as it is.
    pub fn new(bounds: Bounds) -> Self {
        Self::watching(bounds, None, &Rule::ALL)
    }

    /// The protocol with a mistake, watched by some of the rules.
    pub fn watching(bounds: Bounds, mutant: Option<Mutant>, rules: &[Rule]) -> Self {
        let model = Self {
            bounds,
            mutant,
            watched: rules.iter().fold(0, |bits, rule| bits | rule.bit()),
            seeks_goal: false,
            names: if bounds.twins { [NAMES[0]; 2] } else { NAMES }.map(WorkerId::from),
            rows: Interner::default(),
            workers: Interner::default(),
            flights: Interner::default(),
            behaviours: Memo::default(),
            steps: Memo::default(),
        };
        model.workers.number(Worker::Idle);
        model
    }

    /// The same, and the end of the shard must stay reachable wherever the counters are not used up.
    #[must_use]
    pub const fn seeking_goal(mut self) -> Self {
        self.seeks_goal = true;
        self
    }

    fn row(&self, state: &State) -> Option<Lease> {
        (state.row != NONE).then(|| self.rows.value(state.row).clone())
    }

    fn row_number(&self, row: Option<Lease>) -> u32 {
        row.map_or(NONE, |row| self.rows.number(row))
    }

    fn flight(&self, state: &State, slot: usize) -> Flight {
        self.flights.value(state.flights[slot]).clone()
    }

    /// Sets one flight, or removes it; `None` if there are more than the bounds allow.
    fn set_flight(&self, state: &mut State, slot: usize, flight: Option<Flight>) -> Option<()> {
        state.flights[slot] = flight.map_or(NONE, |flight| self.flights.number(flight));
        state.flights.sort_unstable();
        let pending = state.flights.iter().filter(|&&number| number != NONE && self.flights.value(number).is_pending());
        (pending.count() <= self.bounds.in_flight).then_some(())
    }

    fn send(&self, state: &mut State, flight: Flight) -> Option<()> {
        let free = state.flights.iter().position(|number| *number == NONE)?;
        self.set_flight(state, free, Some(flight))
    }

    fn worker_actions(&self, state: &State, index: usize, actions: &mut Vec<Action>) {
        let worker = self.workers.value(state.workers[index]);
        match &*worker {
            Worker::Idle => actions.extend((state.row != NONE).then_some(Action::Take(index))),
            Worker::Taking => {}
            Worker::Unsure(_) => actions.push(Action::ReadAfterTake(index)),
            Worker::Holding(tenure) => self.tenure_actions(tenure, index, actions),
        }
        if *worker != Worker::Idle && state.crashes < self.bounds.crashes {
            actions.push(Action::Crash(index));
        }
    }

    fn tenure_actions(&self, tenure: &Tenure, index: usize, actions: &mut Vec<Action>) {
        match tenure.reading {
            Reading::No => {}
            Reading::Wanted => actions.push(Action::ServeRead(index)),
            Reading::Served(_) => actions.push(Action::HearRead(index)),
        }
        actions.extend(tenure.held.deadline().map(|_| Action::Tick(index)));
        if self.bounds.pauses > 0 && tenure.hold_deadline().is_some() {
            actions.push(Action::Oversleep(index));
        }
        let busy = !self.bounds.concurrent && (tenure.waiting != 0 || tenure.releasing);
        let wanted = |want: &Want| {
            !busy && (self.bounds.prepares || *want != Want::Prepare) && tenure.admits(*want, self.bounds.out_of_order)
        };
        actions.extend(Want::ALL.into_iter().filter(wanted).map(|want| Action::Ask(index, want)));
        if self.bounds.releases && !tenure.releasing && !busy {
            actions.push(Action::Release(index));
        }
        if self.bounds.describes && !tenure.described {
            actions.push(Action::Describe(index));
        }
        if self.bounds.deletes && !tenure.deleting && tenure.held.lease().checkpoint.is_shard_end() {
            actions.push(Action::Delete(index));
        }
    }

    /// To when the clock of a worker goes.
    fn clock_after(&self, state: &State, index: usize, oversleeps: bool) -> Option<Mono> {
        let worker = self.workers.value(state.workers[index]);
        let tenure = worker.tenure()?;
        let to = if oversleeps { tenure.hold_deadline()? } else { tenure.held.deadline()? };
        Some(to.max(tenure.clock))
    }

    fn happen(&self, state: &mut State, action: Action) -> Option<()> {
        match action {
            Action::Take(worker) => self.take(state, worker),
            Action::Serve(slot) => self.serve(state, slot, false),
            Action::ServeTwice(slot) => self.serve(state, slot, true),
            Action::ServeAndLose(slot) => self.serve_and_lose(state, slot),
            Action::Hear(slot) => self.hear(state, slot),
            Action::Lose(slot) => self.lose(state, slot),
            Action::ServeRead(worker) => {
                self.step(state, worker, Event::ReadServed(state.row))?;
                if self.bounds.slow_answers { Some(()) } else { self.step(state, worker, Event::ReadHeard) }
            }
            Action::HearRead(worker) => self.step(state, worker, Event::ReadHeard),
            Action::ReadAfterTake(worker) => self.read_after_take(state, worker),
            Action::Tick(worker) => self.step(state, worker, Event::Tick(self.clock_after(state, worker, false)?)),
            Action::Oversleep(worker) => self.step(state, worker, Event::Tick(self.clock_after(state, worker, true)?)),
            Action::Ask(worker, want) => self.step(state, worker, Event::Ask(want)),
            Action::Release(worker) => self.step(state, worker, Event::Release),
            Action::Describe(worker) => self.step(state, worker, Event::Describe),
            Action::Delete(worker) => self.step(state, worker, Event::Delete),
            Action::Crash(worker) => self.crash(state, worker),
            Action::CreateAgain => {
                state.row = self.row_number(Some(store::new_row()));
                Some(())
            }
        }
    }
}

/// Whether the rules with these bits hold.
fn keeps<const RULE: u16>(_: &LeaseModel, state: &State) -> bool {
    state.broken & RULE == 0
}

impl Model for LeaseModel {
    type State = State;
    type Action = Action;

    fn initial_states(&self) -> Vec<State> {
        let row = self.row_number(Some(store::new_row()));
        let idle = self.workers.number(Worker::Idle);
        vec![State { row, workers: [idle; 2], flights: [NONE; SLOTS], latest: NOBODY, crashes: 0, pauses: 0, broken: 0 }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for (slot, &number) in state.flights.iter().enumerate().filter(|(_, number)| **number != NONE) {
            let flight = self.flights.value(number);
            match flight.leg {
                Leg::Out => {
                    actions.extend([Action::Serve(slot), Action::Lose(slot)]);
                    actions.extend(self.bounds.twice.then_some(Action::ServeTwice(slot)));
                    actions.extend((!self.bounds.slow_answers).then_some(Action::ServeAndLose(slot)));
                }
                Leg::Orphaned => actions.push(Action::Serve(slot)),
                Leg::Back(_) => actions.extend([Action::Hear(slot), Action::Lose(slot)]),
            }
        }
        for index in 0..self.bounds.workers.min(state.workers.len()) {
            self.worker_actions(state, index, actions);
        }
        if self.mutant == Some(Mutant::RowCreatedAgain) && state.row == NONE {
            actions.push(Action::CreateAgain);
        }
    }

    fn next(&self, state: &State, action: &Action) -> Option<State> {
        let mut next = *state;
        self.happen(&mut next, *action)?;
        next.broken &= self.watched;
        self.forget_hopeless(&mut next);
        (next != *state).then_some(next)
    }

    fn invariants(&self) -> Vec<Invariant<Self>> {
        let all: [(&'static str, Predicate<Self>); 9] = [
            ("S5: a checkpoint never goes back", keeps::<{ Rule::S5 as u16 }>),
            ("S6: a stored checkpoint was asked for", keeps::<{ Rule::S6 as u16 }>),
            ("S7: only the latest taker writes", keeps::<{ Rule::S7 as u16 }>),
            ("S8: each write adds one to the counter", keeps::<{ Rule::S8 as u16 }>),
            ("S9: acknowledged means durable", keeps::<{ Rule::S9 as u16 }>),
            ("S11: no write of an ended tenure is applied", keeps::<{ Rule::S11 as u16 }>),
            ("P3: one write in flight", keeps::<{ Rule::P3 as u16 }>),
            ("P5: the deadline counts from the stored renewal's send", keeps::<{ Rule::P5 as u16 }>),
            ("P6: only a later renewal resumes", keeps::<{ Rule::P6 as u16 }>),
        ];
        all.into_iter().map(|(name, holds)| Invariant { name, holds }).collect()
    }

    fn goal(&self) -> Option<Predicate<Self>> {
        let reached: Predicate<Self> = |model, state| {
            let row = model.row(state);
            row.is_none_or(|row| row.checkpoint.is_shard_end() || row.counter.value() >= model.bounds.counter)
        };
        self.seeks_goal.then_some(reached)
    }

    fn explain(&self, state: &State, action: &Action) -> String {
        self.explain_action(state, *action)
    }

    fn describe(&self, state: &State) -> String {
        self.describe_state(state)
    }
}
