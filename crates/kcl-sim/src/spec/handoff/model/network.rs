use super::{HandoffModel, State, THIRD};
use crate::spec::handoff::bounds::Mutant;
use crate::spec::handoff::rule::Rule;
use crate::spec::handoff::store::{self, NOBODY, Row, Verb, later};
use crate::spec::handoff::worker::{Flight, Leg, Tenure, Worker};

/// What is between the workers and the store.
impl HandoffModel {
    /// Adds a flight; `None` if there are more than the bounds allow.
    pub(super) fn send(&self, state: &mut State, flight: Flight) -> Option<()> {
        let free = state.flights.iter().position(Option::is_none)?;
        self.set_flight(state, free, Some(flight))
    }

    fn set_flight(&self, state: &mut State, slot: usize, flight: Option<Flight>) -> Option<()> {
        state.flights[slot] = flight;
        state.flights.sort_unstable();
        let pending = state.flights.iter().flatten().filter(|flight| flight.is_pending());
        (pending.count() <= self.bounds.in_flight).then_some(())
    }

    /// A worker forgets what it was about: what it sent is on its own.
    pub(super) fn leave(state: &mut State, worker: usize, ended: bool) {
        let was_held = matches!(state.workers[worker], Worker::Holding(_));
        for slot in &mut state.flights {
            let Some(flight) = slot.filter(|flight| usize::from(flight.write.by) == worker) else { continue };
            let is_of_tenure = !matches!(flight.write.verb, Verb::Take | Verb::Request);
            let ended = flight.ended || (ended && was_held && is_of_tenure);
            *slot = flight.is_pending().then_some(Flight { leg: Leg::Orphaned, ended, ..flight });
        }
        state.flights.sort_unstable();
        state.workers[worker] = Worker::Idle;
    }

    /// The store decides a write; what it answers.
    fn decide_write(&self, state: &mut State, flight: &mut Flight) -> (bool, Row) {
        let (write, row) = (flight.write, state.row);
        let is_java = self.bounds.java && write.by == THIRD;
        let decided = self.writes.get(&(write, row), || store::apply(self.mutant, is_java, write, row));
        let Some((mut after, grown)) = decided else { return (false, row) };
        let of_tenure = !matches!(write.verb, Verb::Take | Verb::Request);
        let mut broken = 0;
        let mut breaks = |rule: Rule, is_broken: bool| broken |= if is_broken { rule.bit() } else { 0 };
        breaks(Rule::S5, after.checkpoint < row.checkpoint);
        breaks(Rule::S7, of_tenure && !flight.latest);
        breaks(Rule::S8, grown != u64::from(write.verb != Verb::Request));
        breaks(Rule::S11, flight.ended);
        match write.verb {
            Verb::Transfer(_, at) => breaks(Rule::NoDuplicates, after.checkpoint != at),
            Verb::Request => {
                breaks(Rule::OneRequest, row.request != NOBODY);
                after.stale = !flight.latest;
            }
            _ => {}
        }
        state.broken |= broken;
        state.row = after;
        if grown > 0 {
            Self::age(state, flight);
        }
        if matches!(write.verb, Verb::Take | Verb::Transfer(..)) {
            Self::supersede(state);
            // The answer to a take makes a tenure, unless another take comes before it.
            flight.latest = write.verb == Verb::Take;
        }
        (true, after)
    }

    /// The row has one more version: everybody is further behind.
    fn age(state: &mut State, decided: &mut Flight) {
        decided.write.behind = later(decided.write.behind);
        for flight in state.flights.iter_mut().flatten() {
            flight.write.behind = later(flight.write.behind);
            if let Leg::Back(_, row) = &mut flight.leg {
                *row = row.aged();
            }
        }
        for worker in &mut state.workers {
            if let Worker::Holding(tenure) = worker {
                tenure.row = tenure.row.aged();
            }
        }
    }

    /// A take or transfer was applied: nothing older is the latest any more.
    fn supersede(state: &mut State) {
        state.flights.iter_mut().flatten().for_each(|flight| flight.latest = false);
        for worker in &mut state.workers {
            if let Worker::Holding(tenure) = worker {
                tenure.latest = false;
            }
        }
    }

    fn serve_flight(&self, state: &mut State, slot: usize) -> Option<(Flight, bool, Row)> {
        let mut flight = state.flights[slot]?;
        self.set_flight(state, slot, None)?;
        let (applied, row) = self.decide_write(state, &mut flight);
        Some((flight, applied, row))
    }

    pub(super) fn serve(&self, state: &mut State, slot: usize) -> Option<()> {
        let (flight, applied, row) = self.serve_flight(state, slot)?;
        match flight.leg {
            Leg::Out if self.bounds.slow_answers => self.send(state, Flight { leg: Leg::Back(applied, row), ..flight }),
            Leg::Out => self.deliver(state, flight, applied, row),
            _ => Some(()),
        }
    }

    pub(super) fn serve_and_lose(&self, state: &mut State, slot: usize) -> Option<()> {
        let (flight, ..) = self.serve_flight(state, slot)?;
        self.give_up(state, flight)
    }

    pub(super) fn hear(&self, state: &mut State, slot: usize) -> Option<()> {
        let flight = state.flights[slot]?;
        self.set_flight(state, slot, None)?;
        let Leg::Back(applied, row) = flight.leg else { return None };
        self.deliver(state, flight, applied, row)
    }

    pub(super) fn lose(&self, state: &mut State, slot: usize) -> Option<()> {
        let flight = state.flights[slot]?;
        let orphan = (flight.leg == Leg::Out).then_some(Flight { leg: Leg::Orphaned, ..flight });
        self.set_flight(state, slot, orphan)?;
        self.give_up(state, flight)
    }

    fn deliver(&self, state: &mut State, flight: Flight, applied: bool, row: Row) -> Option<()> {
        let worker = usize::from(flight.write.by);
        match flight.write.verb {
            Verb::Take if applied => {
                let mut tenure = Tenure::new(row, flight.latest);
                tenure.see(row, self.cooperates(worker));
                state.workers[worker] = Worker::Holding(tenure);
            }
            // It was transferred meanwhile: that is found by the next look.
            Verb::Take if usize::from(row.owner) == worker => state.workers[worker] = Worker::Waiting,
            Verb::Take => state.workers[worker] = Worker::Idle,
            Verb::Request => state.workers[worker] = if applied { Worker::Waiting } else { Worker::Idle },
            _ => return self.answered(state, flight.write, applied, row),
        }
        Some(())
    }

    /// The sender waits no longer.
    fn give_up(&self, state: &mut State, flight: Flight) -> Option<()> {
        let worker = usize::from(flight.write.by);
        match (flight.write.verb, &mut state.workers[worker]) {
            (Verb::Take, asker) => *asker = Worker::Unsure,
            // It may have arrived.
            (Verb::Request, asker) => *asker = Worker::Waiting,
            (_, Worker::Holding(tenure)) => {
                tenure.busy = false;
                tenure.unknown = true;
                tenure.must_read = true;
            }
            _ => return None,
        }
        Some(())
    }

    /// Drops the writes that nobody waits for and that can never be applied: counters only grow, so a version that is past
    /// does not come back. Not where a mutant applies them all the same.
    ///
    /// And whoever lost the lease is told at once. Whatever it would still do until it finds out is rejected, and finding out
    /// is always possible: what others can do is the same.
    pub(super) fn forget_hopeless(&self, state: &mut State) {
        if self.mutant != Some(Mutant::TransferExpectsOwnerOnly) {
            Self::tell_losers(state);
        }
        let expects_less = |flight: &Flight| {
            matches!(
                (self.mutant, flight.write.verb),
                (Some(Mutant::TransferExpectsOwnerOnly), Verb::Transfer(..))
                    | (Some(Mutant::RequestExpectsNothing), Verb::Request)
            )
        };
        let hopeless = |flight: &Flight| flight.leg == Leg::Orphaned && flight.write.behind > 0 && !expects_less(flight);
        for slot in &mut state.flights {
            *slot = slot.filter(|flight| !hopeless(flight));
        }
        state.flights.sort_unstable();
    }

    fn tell_losers(state: &mut State) {
        for index in 0..state.workers.len() {
            let Worker::Holding(tenure) = state.workers[index] else { continue };
            let mine = usize::from(state.row.owner) == index;
            let is_lost = tenure.row.behind > u8::from(mine);
            // What it is still to hear may be acknowledged to the user.
            let hears = |flight: &Flight| {
                let is_checkpoint = matches!(flight.write.verb, Verb::Checkpoint(_));
                usize::from(flight.write.by) == index && is_checkpoint && matches!(flight.leg, Leg::Back(true, _))
            };
            if is_lost && !state.flights.iter().flatten().any(hears) {
                Self::leave(state, index, false);
            }
        }
    }
}
