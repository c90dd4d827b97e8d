use kcl_core::{Change, Expectation, Lease, LeaseWrite, Mono, TenureToken, Verb};

use super::step::Event;
use super::{LeaseModel, NOBODY, NONE, State};
use crate::spec::lease::bounds::Mutant;
use crate::spec::lease::rule::Rule;
use crate::spec::lease::store;
use crate::spec::lease::tenure::{TAKE_SENT_AT, Tenure};
use crate::spec::lease::worker::{Flight, Leg, Origin, Reply, Worker};

fn token_of(write: &LeaseWrite) -> Option<TenureToken> {
    if let Change::Update(update) = write.change() { update.tenure } else { None }
}

/// What is between the workers and the store, and what a worker does without holding the lease.
impl LeaseModel {
    /// Changes every flight that is not `None` afterwards, and drops the others.
    fn change_flights(&self, state: &mut State, change: impl Fn(Flight) -> Option<Flight>) {
        for number in state.flights.iter_mut().filter(|number| **number != NONE) {
            let flight = self.flights.value(*number).clone();
            *number = change(flight).map_or(NONE, |flight| self.flights.number(flight));
        }
        state.flights.sort_unstable();
    }

    /// A worker forgets its take: what it sent is on its own.
    pub(super) fn forget(&self, state: &mut State, worker: usize, ended: bool) {
        let latest = usize::from(state.latest) == worker;
        self.change_flights(state, |flight| {
            if usize::from(flight.worker) != worker || flight.origin != Origin::Current {
                return Some(flight);
            }
            let orphan = flight.is_pending();
            orphan.then(|| Flight { origin: Origin::Former { latest, ended }, leg: Leg::Orphaned, ..flight })
        });
        if latest {
            state.latest = NOBODY;
        }
        state.workers[worker] = self.workers.number(Worker::Idle);
    }

    /// A take was applied: no earlier one is the latest any more.
    fn taken_by(&self, state: &mut State, flight: &Flight) {
        self.change_flights(state, |flight| match flight.origin {
            Origin::Former { latest: true, ended } => Some(Flight { origin: Origin::Former { latest: false, ended }, ..flight }),
            _ => Some(flight),
        });
        state.latest = if flight.origin == Origin::Current { flight.worker } else { NOBODY };
    }

    /// The lowest token that nobody knows of any more. Drawing from all numbers comes to the same, and does not end.
    fn new_token(&self, state: &State) -> TenureToken {
        let mut known: Vec<Option<TenureToken>> = vec![self.row(state).and_then(|row| row.tenure)];
        for &number in &state.workers {
            known.push(match &*self.workers.value(number) {
                Worker::Idle | Worker::Taking => None,
                Worker::Unsure(take) => token_of(take),
                Worker::Holding(tenure) => tenure.held.lease().tenure,
            });
        }
        for &number in state.flights.iter().filter(|number| **number != NONE) {
            known.push(token_of(&self.flights.value(number).write));
        }
        let is_new = |token: &TenureToken| self.mutant == Some(Mutant::OneToken) || !known.contains(&Some(*token));
        (0..).map(TenureToken::new).find(is_new).unwrap_or(TenureToken::new(u64::MAX))
    }

    pub(super) fn take(&self, state: &mut State, worker: usize) -> Option<()> {
        let row = self.row(state)?;
        let write = LeaseWrite::take(&row, &self.names[worker], self.new_token(state));
        state.workers[worker] = self.workers.number(Worker::Taking);
        let worker = u8::try_from(worker).ok()?;
        self.send(state, Flight { worker, origin: Origin::Current, write, leg: Leg::Out })
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
                Verb::Take => self.taken_by(state, &flight),
                Verb::Describe => {}
                _ => {
                    let (latest, ended) = match flight.origin {
                        Origin::Current => (state.latest == flight.worker, false),
                        Origin::Former { latest, ended } => (latest, ended),
                    };
                    state.broken |= if latest { 0 } else { Rule::S7.bit() };
                    state.broken |= if ended { Rule::S11.bit() } else { 0 };
                    self.credit(state, &flight)?;
                }
            }
            reply = if twice { Reply::Rejected(after.clone()) } else { Reply::Applied(after.clone()) };
            state.row = self.row_number(after);
        } else if twice {
            return None;
        }
        let awaited = flight.leg == Leg::Out;
        flight.leg = Leg::Back(Box::new(reply));
        Some(awaited.then_some(flight))
    }

    pub(super) fn serve(&self, state: &mut State, slot: usize, twice: bool) -> Option<()> {
        match self.decide(state, slot, twice)? {
            Some(flight) if self.bounds.slow_answers => self.send(state, flight),
            Some(flight) => self.deliver(state, flight),
            None => Some(()),
        }
    }

    pub(super) fn serve_and_lose(&self, state: &mut State, slot: usize) -> Option<()> {
        let flight = self.decide(state, slot, false)??;
        self.give_up(state, flight)
    }

    /// The store knows when the stored renewal was sent, which the tenure must find out.
    fn credit(&self, state: &mut State, flight: &Flight) -> Option<()> {
        let worker = usize::from(flight.worker);
        if flight.origin != Origin::Current || self.workers.value(state.workers[worker]).tenure().is_none() {
            return Some(());
        }
        self.step(state, worker, Event::Credited(self.flights.number(flight.clone())))
    }

    pub(super) fn hear(&self, state: &mut State, slot: usize) -> Option<()> {
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
        let after = match *reply {
            Reply::Applied(Some(row)) => self.gained(worker, row, TAKE_SENT_AT),
            _ => {
                self.forget(state, worker, false);
                return Some(());
            }
        };
        state.workers[worker] = self.workers.number(after);
        Some(())
    }

    fn gained(&self, worker: usize, row: Lease, credited: Mono) -> Worker {
        Worker::Holding(Box::new(Tenure::new(self.names[worker].clone(), row, credited)))
    }

    pub(super) fn lose(&self, state: &mut State, slot: usize) -> Option<()> {
        let flight = self.flight(state, slot);
        let orphan = (flight.leg == Leg::Out).then(|| Flight { leg: Leg::Orphaned, ..flight.clone() });
        self.set_flight(state, slot, orphan)?;
        self.give_up(state, flight)
    }

    /// The sender waits no longer.
    fn give_up(&self, state: &mut State, flight: Flight) -> Option<()> {
        let worker = usize::from(flight.worker);
        if flight.write.verb() == Verb::Take {
            state.workers[worker] = self.workers.number(Worker::Unsure(flight.write));
            return Some(());
        }
        self.step(state, worker, Event::Lost(self.flights.number(flight)))
    }

    /// The driver's rule: the row is what the take would have left, or the take is forgotten.
    pub(super) fn read_after_take(&self, state: &mut State, worker: usize) -> Option<()> {
        let Worker::Unsure(write) = self.workers.value(state.workers[worker]).clone() else { return None };
        let Some(row) = self.row(state).filter(|row| write.explains(Some(row))) else {
            self.forget(state, worker, false);
            return Some(());
        };
        // What explains it is the latest take: not an older one of its own, and not one of its twin.
        let is_its_own = usize::from(state.latest) == worker;
        state.broken |= if is_its_own { 0 } else { Rule::S7.bit() };
        let credited = if is_its_own { TAKE_SENT_AT } else { Mono::ZERO };
        state.workers[worker] = self.workers.number(self.gained(worker, row, credited));
        Some(())
    }

    pub(super) fn crash(&self, state: &mut State, worker: usize) -> Option<()> {
        state.crashes += 1;
        if state.crashes > self.bounds.crashes {
            return None;
        }
        self.forget(state, worker, false);
        Some(())
    }

    /// Drops the writes that nobody waits for and that can never be applied: counters only grow (S8), so a version that
    /// is past does not come back. Not where a mutant applies them all the same.
    pub(super) fn forget_hopeless(&self, state: &mut State) {
        if !matches!(self.mutant, None | Some(Mutant::ConfirmedByOwnerAndCounter | Mutant::OneToken)) {
            return;
        }
        let counter = (state.row != NONE).then(|| self.rows.value(state.row).counter);
        let hopeless = |flight: &Flight| match flight.write.expectation() {
            Expectation::Version { counter: seen, .. } => counter.is_none_or(|counter| *seen < counter),
            _ => false,
        };
        if state.flights.iter().any(|&number| number != NONE && self.flights.value(number).leg == Leg::Orphaned) {
            self.change_flights(state, |flight| (flight.leg != Leg::Orphaned || !hopeless(&flight)).then_some(flight));
        }
    }
}
