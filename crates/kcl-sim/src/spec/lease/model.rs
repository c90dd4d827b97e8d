use std::rc::Rc;

use kcl_core::{Expectation, HeldInput, Lease, LeaseWrite, RowChange, ShardId, Verb, WorkerId, WriteAnswer};

use super::bounds::{Bounds, Mutant};
use super::rule::Rule;
use super::store;
use super::tenure::{Did, Reading, TAKE_SENT_AT, Tenure, Want};
use super::worker::{Flight, Leg, Reply, Worker};
use crate::spec::bfs::{Invariant, Model, Predicate};
use crate::spec::intern::{Interner, Memo};

mod text;

/// Names of the two workers.
const NAMES: [&str; 2] = ["a", "b"];
/// No row, or no flight.
const NONE: u32 = u32::MAX;
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
    steps: Memo<Rc<Step>>,
}

/// A state: numbers of its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct State {
    row: u32,
    workers: [u32; 2],
    /// In ascending order; what is in flight has no other.
    flights: [u32; SLOTS],
    /// The number of the latest applied take, 0 if nobody remembers it.
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

/// What happens to the tenure of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Event {
    Tick(u64),
    Ask(Want),
    Release,
    Describe,
    Delete,
    Heard(u32),
    Lost(u32),
    ReadServed(u32),
    ReadHeard,
    Credited(u64),
}

/// What comes of an event.
#[derive(Debug)]
struct Step {
    /// The worker's number afterwards.
    worker: u32,
    sent: Vec<(u64, LeaseWrite)>,
    sent_at: u64,
    done: Vec<Want>,
    paused: bool,
    ended: bool,
    broken: u16,
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
            names: NAMES.map(WorkerId::from),
            rows: Interner::default(),
            workers: Interner::default(),
            flights: Interner::default(),
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

    /// The smallest number of a take that nobody remembers.
    fn free_epoch(&self, state: &State) -> u8 {
        (1..=u8::MAX).find(|&epoch| state.latest != epoch && !self.is_remembered(state, epoch)).unwrap_or(u8::MAX)
    }

    fn is_remembered(&self, state: &State, epoch: u8) -> bool {
        state.workers.iter().any(|&worker| self.workers.value(worker).epoch() == Some(epoch))
            || state.flights.iter().any(|&number| number != NONE && self.flights.value(number).epoch == epoch)
    }

    fn take(&self, state: &mut State, worker: usize) -> Option<()> {
        let row = self.row(state)?;
        let epoch = self.free_epoch(state);
        let write = LeaseWrite::take(&row, &self.names[worker]);
        state.workers[worker] = self.workers.number(Worker::Taking { epoch });
        let worker = u8::try_from(worker).ok()?;
        self.send(state, Flight { worker, epoch, number: 0, write, sent_at: TAKE_SENT_AT, leg: Leg::Out, ended: false })
    }

    /// The store decides a write. `None` in the place of the flight if nobody waits for it any more.
    fn decide(&self, state: &mut State, slot: usize, twice: bool) -> Option<Option<Flight>> {
        let mut flight = self.flight(state, slot);
        self.set_flight(state, slot, None)?;
        let before = self.row(state);
        let verb = flight.write.verb();
        let mut reply = Reply::Rejected(before.clone());
        if let Some(after) = store::apply(self.mutant, &flight.write, before.as_ref()) {
            if after.as_ref().is_some_and(|row| row.counter.value() > self.bounds.counter) {
                return None;
            }
            state.broken |= store::judge(verb, before.as_ref(), after.as_ref());
            match verb {
                Verb::Take => state.latest = flight.epoch,
                Verb::Describe => {}
                _ => {
                    state.broken |= if flight.epoch == state.latest { 0 } else { Rule::S7.bit() };
                    state.broken |= if flight.ended { Rule::S11.bit() } else { 0 };
                    self.credit(state, &flight)?;
                }
            }
            reply = if twice { Reply::Rejected(after.clone()) } else { Reply::Applied(after.clone()) };
            state.row = self.row_number(after);
        } else if twice {
            return None;
        }
        let awaited = flight.leg == Leg::Out;
        flight.leg = Leg::Back(reply);
        Some(awaited.then_some(flight))
    }

    fn serve(&self, state: &mut State, slot: usize, twice: bool) -> Option<()> {
        match self.decide(state, slot, twice)? {
            Some(flight) if self.bounds.slow_answers => self.send(state, flight),
            Some(flight) => self.deliver(state, flight),
            None => Some(()),
        }
    }

    fn serve_and_lose(&self, state: &mut State, slot: usize) -> Option<()> {
        let flight = self.decide(state, slot, false)??;
        self.give_up(state, flight)
    }

    /// The store knows when the stored renewal was sent, which the tenure must find out.
    fn credit(&self, state: &mut State, flight: &Flight) -> Option<()> {
        let worker = usize::from(flight.worker);
        let is_current = self.workers.value(state.workers[worker]).tenure().is_some_and(|tenure| tenure.epoch == flight.epoch);
        if is_current { self.step(state, worker, Event::Credited(flight.sent_at)) } else { Some(()) }
    }

    fn hear(&self, state: &mut State, slot: usize) -> Option<()> {
        let flight = self.flight(state, slot);
        self.set_flight(state, slot, None)?;
        self.deliver(state, flight)
    }

    fn deliver(&self, state: &mut State, flight: Flight) -> Option<()> {
        let worker = usize::from(flight.worker);
        if flight.write.verb() != Verb::Take {
            return self.step(state, worker, Event::Heard(self.flights.number(flight)));
        }
        let Leg::Back(reply) = flight.leg else { return None };
        let after = match reply {
            Reply::Applied(Some(row)) => self.gained(worker, flight.epoch, row, TAKE_SENT_AT),
            _ => Worker::Idle,
        };
        state.workers[worker] = self.workers.number(after);
        Some(())
    }

    fn gained(&self, worker: usize, epoch: u8, row: Lease, credited: u64) -> Worker {
        Worker::Holding(Box::new(Tenure::new(epoch, self.names[worker].clone(), row, credited)))
    }

    fn lose(&self, state: &mut State, slot: usize) -> Option<()> {
        let flight = self.flight(state, slot);
        let orphan = (flight.leg == Leg::Out).then(|| Flight { number: 0, leg: Leg::Orphaned, ..flight.clone() });
        self.set_flight(state, slot, orphan)?;
        self.give_up(state, flight)
    }

    /// The sender waits no longer.
    fn give_up(&self, state: &mut State, flight: Flight) -> Option<()> {
        let worker = usize::from(flight.worker);
        if flight.write.verb() == Verb::Take {
            let unsure = Worker::Unsure { epoch: flight.epoch, write: flight.write };
            state.workers[worker] = self.workers.number(unsure);
            return Some(());
        }
        self.step(state, worker, Event::Lost(self.flights.number(flight)))
    }

    /// The driver's rule: the row is what the take would have left, or the take is forgotten.
    fn read_after_take(&self, state: &mut State, worker: usize) -> Option<()> {
        let Worker::Unsure { epoch, write } = self.workers.value(state.workers[worker]).clone() else { return None };
        let after = match self.row(state).filter(|row| write.explains(Some(row))) {
            Some(row) => {
                let is_older = std::mem::replace(&mut state.latest, epoch) != epoch;
                let credited = if is_older && self.bounds.strict_takes { 0 } else { TAKE_SENT_AT };
                self.gained(worker, epoch, row, credited)
            }
            None => Worker::Idle,
        };
        state.workers[worker] = self.workers.number(after);
        Some(())
    }

    fn crash(&self, state: &mut State, worker: usize) -> Option<()> {
        state.crashes += 1;
        if state.crashes > self.bounds.crashes {
            return None;
        }
        state.workers[worker] = self.workers.number(Worker::Idle);
        for number in &mut state.flights {
            if *number == NONE || usize::from(self.flights.value(*number).worker) != worker {
                continue;
            }
            let flight = self.flights.value(*number).clone();
            let orphan = Flight { number: 0, sent_at: 0, leg: Leg::Orphaned, ..flight.clone() };
            *number = if flight.is_pending() { self.flights.number(orphan) } else { NONE };
        }
        state.flights.sort_unstable();
        Some(())
    }

    /// Gives the tenure of a worker an event, and the world what comes of it.
    fn step(&self, state: &mut State, worker: usize, event: Event) -> Option<()> {
        let step = self.steps.get(&(state.workers[worker], event), || Rc::new(self.compute(state.workers[worker], event)));
        let epoch = self.workers.value(state.workers[worker]).epoch()?;
        state.workers[worker] = step.worker;
        state.broken |= step.broken;
        state.pauses += u8::from(step.paused);
        if state.pauses > self.bounds.pauses {
            return None;
        }
        if step.ended {
            self.mark_ended(state, epoch);
        }
        for &want in &step.done {
            let durable = state.row == NONE || self.rows.value(state.row).checkpoint >= want.checkpoint();
            if want != Want::Prepare && !durable {
                state.broken |= Rule::S9.bit();
            }
        }
        for (number, write) in &step.sent {
            let flight = Flight {
                worker: u8::try_from(worker).ok()?,
                epoch,
                number: *number,
                write: write.clone(),
                sent_at: step.sent_at,
                leg: Leg::Out,
                ended: false,
            };
            self.send(state, flight)?;
        }
        Some(())
    }

    /// Drops the writes that nobody waits for and that can never be applied: counters only grow (S8), so a version that
    /// is past does not come back. Not where a mutant applies them all the same.
    fn forget_hopeless(&self, state: &mut State) {
        if !matches!(self.mutant, None | Some(Mutant::ConfirmedByOwnerAndCounter)) {
            return;
        }
        let counter = (state.row != NONE).then(|| self.rows.value(state.row).counter);
        for number in &mut state.flights {
            if *number == NONE {
                continue;
            }
            let flight = self.flights.value(*number);
            let past = match flight.write.expectation() {
                Expectation::Version { counter: seen, .. } => counter.is_none_or(|counter| *seen < counter),
                _ => false,
            };
            if flight.leg == Leg::Orphaned && past {
                *number = NONE;
            }
        }
        state.flights.sort_unstable();
    }

    fn mark_ended(&self, state: &mut State, epoch: u8) {
        for number in &mut state.flights {
            if *number != NONE && self.flights.value(*number).epoch == epoch {
                let flight = self.flights.value(*number).clone();
                *number = self.flights.number(Flight { ended: true, sent_at: 0, ..flight });
            }
        }
        state.flights.sort_unstable();
    }

    fn compute(&self, worker: u32, event: Event) -> Step {
        let Worker::Holding(tenure) = self.workers.value(worker).clone() else {
            return Step { worker, sent: vec![], sent_at: 0, done: vec![], paused: false, ended: false, broken: 0 };
        };
        let did = self.did(*tenure, event);
        let sent_at = did.after.as_ref().map_or(0, |tenure| tenure.clock);
        let ended = did.after.is_none();
        let after = did.after.map_or(Worker::Idle, |tenure| Worker::Holding(Box::new(tenure)));
        let worker = self.workers.number(after);
        Step { worker, sent: did.sent, sent_at, done: did.done, paused: did.paused, ended, broken: did.broken }
    }

    fn did(&self, mut tenure: Tenure, event: Event) -> Did {
        let quiet = |tenure| Did { after: Some(tenure), sent: vec![], done: vec![], paused: false, broken: 0 };
        match event {
            Event::Tick(to) => {
                tenure.clock = to;
                tenure.step(HeldInput::Tick)
            }
            Event::Ask(want) => tenure.ask(want),
            Event::Release => {
                tenure.releasing = true;
                tenure.step(HeldInput::ReleaseRequested)
            }
            Event::Describe => {
                tenure.described = true;
                tenure.step(HeldInput::ChangeRequested(RowChange::Describe(vec![ShardId::from("child")]), None))
            }
            Event::Delete => {
                tenure.deleting = true;
                tenure.step(HeldInput::ChangeRequested(RowChange::Delete, None))
            }
            Event::Heard(number) => {
                let flight = self.flights.value(number).clone();
                let Leg::Back(reply) = flight.leg else { return quiet(tenure) };
                let deleted = tenure.held.lease().clone();
                tenure.heard(flight.number, reply.into_answer(&deleted))
            }
            Event::Lost(number) => {
                let flight = self.flights.value(number).clone();
                if let (Some(Mutant::ConfirmedByOwnerAndCounter), kcl_core::Change::Update(update)) =
                    (self.mutant, flight.write.change())
                {
                    tenure.lost.clone_from(&update.checkpoint);
                }
                // The back-off passes: what may happen in it may as well happen before or after.
                tenure.heard(flight.number, WriteAnswer::Indeterminate).then_tick()
            }
            Event::ReadServed(row) => {
                let row = (row != NONE).then(|| self.rows.value(row).clone());
                tenure.reading = Reading::Served(row);
                quiet(tenure)
            }
            Event::ReadHeard => {
                let Reading::Served(mut row) = std::mem::replace(&mut tenure.reading, Reading::No) else { return quiet(tenure) };
                let believed = tenure.lost.take();
                if let (Some(row), Some(believed)) = (&mut row, believed)
                    && row.owner == tenure.held.lease().owner
                    && row.counter == tenure.held.lease().counter.next()
                {
                    row.checkpoint = believed;
                }
                tenure.step(HeldInput::RowRead(Some(row)))
            }
            Event::Credited(sent_at) => {
                tenure.credited = tenure.credited.max(sent_at);
                quiet(tenure)
            }
        }
    }

    fn worker_actions(&self, state: &State, index: usize, actions: &mut Vec<Action>) {
        let worker = self.workers.value(state.workers[index]);
        match &*worker {
            Worker::Idle => actions.extend((state.row != NONE).then_some(Action::Take(index))),
            Worker::Taking { .. } => {}
            Worker::Unsure { .. } => actions.push(Action::ReadAfterTake(index)),
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
        let wanted =
            |want: &Want| (self.bounds.prepares || *want != Want::Prepare) && tenure.admits(*want, self.bounds.out_of_order);
        actions.extend(Want::ALL.into_iter().filter(wanted).map(|want| Action::Ask(index, want)));
        if !tenure.releasing {
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
    fn clock_after(&self, state: &State, index: usize, oversleeps: bool) -> Option<u64> {
        let worker = self.workers.value(state.workers[index]);
        let tenure = worker.tenure()?;
        let to = if oversleeps { tenure.hold_deadline()? } else { tenure.held.deadline()?.as_nanos() };
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
        vec![State { row, workers: [idle; 2], flights: [NONE; SLOTS], latest: 0, crashes: 0, pauses: 0, broken: 0 }]
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
        for index in 0..state.workers.len() {
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
        if !self.is_remembered(&next, next.latest) {
            next.latest = 0;
        }
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
impl LeaseModel {
    pub(super) fn sizes(&self) -> String {
        format!(
            "rows {} workers {} flights {} steps {}",
            self.rows.len(),
            self.workers.len(),
            self.flights.len(),
            self.steps.len()
        )
    }
}
