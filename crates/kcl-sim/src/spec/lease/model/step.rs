use std::rc::Rc;

use kcl_core::{HeldInput, LeaseWrite, Mono, RowChange, ShardId, WriteAnswer};

use super::{LeaseModel, NONE, State};
use crate::spec::lease::bounds::Mutant;
use crate::spec::lease::rule::Rule;
use crate::spec::lease::tenure::{Did, Reading, Tenure, Want};
use crate::spec::lease::worker::{self, Flight, Leg, Origin, Worker};

/// What happens to the tenure of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Event {
    Tick(Mono),
    Ask(Want),
    Release,
    Describe,
    Delete,
    Heard(u32),
    Lost(u32),
    ReadServed(u32),
    ReadHeard,
    Credited(u32),
}

/// What comes of an event.
#[derive(Debug)]
pub(super) struct Step {
    /// The worker's number afterwards.
    worker: u32,
    sent: Vec<LeaseWrite>,
    done: Vec<Want>,
    paused: bool,
    ended: bool,
    broken: u16,
}

impl LeaseModel {
    /// Gives the tenure of a worker an event, and the world what comes of it.
    pub(super) fn step(&self, state: &mut State, worker: usize, event: Event) -> Option<()> {
        let step = self.steps.get(&(state.workers[worker], event), || Rc::new(self.compute(state.workers[worker], event)));
        state.workers[worker] = step.worker;
        state.broken |= step.broken;
        state.pauses += u8::from(step.paused);
        if state.pauses > self.bounds.pauses {
            return None;
        }
        if step.ended {
            self.forget(state, worker, true);
        }
        for &want in &step.done {
            let durable = state.row == NONE || self.rows.value(state.row).checkpoint >= want.checkpoint();
            if want != Want::Prepare && !durable {
                state.broken |= Rule::S9.bit();
            }
        }
        for write in &step.sent {
            let worker = u8::try_from(worker).ok()?;
            self.send(state, Flight { worker, origin: Origin::Current, write: write.clone(), leg: Leg::Out })?;
        }
        Some(())
    }

    fn compute(&self, worker: u32, event: Event) -> Step {
        let Worker::Holding(tenure) = self.workers.value(worker).clone() else {
            return Step { worker, sent: vec![], done: vec![], paused: false, ended: false, broken: 0 };
        };
        let did = self.did(*tenure, event);
        let ended = did.after.is_none();
        let after = did.after.map_or(Worker::Idle, |tenure| Worker::Holding(Box::new(tenure)));
        let worker = self.behaviours.get(&worker::behaviour(&after), || self.workers.number(after));
        Step { worker, sent: did.sent, done: did.done, paused: did.paused, ended, broken: did.broken }
    }

    fn did(&self, mut tenure: Tenure, event: Event) -> Did {
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
                let Leg::Back(reply) = flight.leg else { return Did::nothing(tenure) };
                let deleted = tenure.held.lease().clone();
                tenure.heard((*reply).into_answer(&deleted), false)
            }
            Event::Lost(number) => {
                let flight = self.flights.value(number).clone();
                if let (Some(Mutant::ConfirmedByOwnerAndCounter), kcl_core::Change::Update(update)) =
                    (self.mutant, flight.write.change())
                {
                    tenure.lost.clone_from(&update.checkpoint);
                }
                // The back-off passes: what may happen in it may as well happen before or after.
                tenure.heard(WriteAnswer::Indeterminate, flight.leg == Leg::Out).then_tick()
            }
            Event::ReadServed(row) => {
                let row = (row != NONE).then(|| Box::new(self.rows.value(row).clone()));
                tenure.reading = Reading::Served(row);
                Did::nothing(tenure)
            }
            Event::ReadHeard => {
                let Reading::Served(mut row) = std::mem::replace(&mut tenure.reading, Reading::No) else {
                    return Did::nothing(tenure);
                };
                let believed = tenure.lost.take();
                if let (Some(row), Some(believed)) = (&mut row, believed)
                    && row.owner == tenure.held.lease().owner
                    && row.counter == tenure.held.lease().counter.next()
                {
                    row.checkpoint = believed;
                }
                tenure.step(HeldInput::RowRead(Some(row.map(|row| *row))))
            }
            Event::Credited(number) => {
                let flight = self.flights.value(number);
                tenure.credit(&flight.write, flight.leg == Leg::Orphaned);
                Did::nothing(tenure)
            }
        }
    }
}
