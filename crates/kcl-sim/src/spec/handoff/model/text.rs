use super::{Action, HandoffModel, State};
use crate::spec::handoff::store::{self, NAMES, Row, Verb, Write};
use crate::spec::handoff::worker::{Flight, Leg, Worker};

fn name(worker: u8) -> &'static str {
    NAMES.get(usize::from(worker)).copied().unwrap_or("-")
}

fn row_text(row: Row) -> String {
    let behind = if row.behind > 0 { format!(", {} versions ago", row.behind) } else { String::new() };
    format!("(owner {}, checkpoint {}, request {}{behind})", name(row.owner), row.checkpoint, name(row.request))
}

fn write_text(write: Write) -> String {
    let verb = match write.verb {
        Verb::Checkpoint(at) => format!("checkpoint of {at}"),
        Verb::Transfer(to, _) => format!("transfer to {}", name(to)),
        verb => format!("{verb:?}").to_lowercase(),
    };
    let behind = if write.behind > 0 { format!(" of {} versions ago", write.behind) } else { String::new() };
    format!("{}'s {verb}{behind}", name(write.by))
}

fn flight_text(flight: &Flight) -> String {
    let leg = match flight.leg {
        Leg::Out => "",
        Leg::Orphaned => " that it does not wait for",
        Leg::Back(true, _) => " (applied)",
        Leg::Back(false, _) => " (rejected)",
    };
    format!("{}{leg}", write_text(flight.write))
}

impl HandoffModel {
    pub(super) fn explain_action(&self, state: &State, action: Action) -> String {
        let row = || row_text(state.row);
        let flight = |slot: usize| state.flights[slot].as_ref().map(flight_text).unwrap_or_default();
        let verdict = |slot: usize| {
            let write = state.flights[slot].map(|flight| flight.write);
            let applied = write.and_then(|write| store::apply(self.mutant, false, write, state.row)).is_some();
            if applied { "applies" } else { "rejects" }
        };
        match action {
            Action::Ask(w) => format!("{} reads {} and sends a request", NAMES[w], row()),
            Action::Look(w) => format!("{} reads {}", NAMES[w], row()),
            Action::TimeOut(w) => format!("{} has waited too long, reads {} and sends a take", NAMES[w], row()),
            Action::GiveUp(w) => format!("{} waits no longer", NAMES[w]),
            Action::TakeExpired(w) => format!("{} finds {} expired and sends a take", NAMES[w], row()),
            Action::Deliver(w) => format!("{} hands over a record", NAMES[w]),
            Action::Want(w) => format!("{}'s user asks for a checkpoint", NAMES[w]),
            Action::Renew(w) => format!("{} sends a renewal", NAMES[w]),
            Action::Write(w) => format!("{} sends what is wanted", NAMES[w]),
            Action::Read(w) => format!("{} reads {} after an unknown result", NAMES[w], row()),
            Action::Drained(w) => format!("{}'s last call returns", NAMES[w]),
            Action::Hang(w) => format!("{}'s last call does not return", NAMES[w]),
            Action::DrainTimeOut(w) => format!("{} has drained for too long", NAMES[w]),
            Action::Release(w) => format!("{} is to release", NAMES[w]),
            Action::Die(w) => format!("{} dies", NAMES[w]),
            Action::Restart(w) => format!("{} is started again", NAMES[w]),
            Action::Serve(slot) => format!("the store {} {}", verdict(slot), flight(slot)),
            Action::ServeAndLose(slot) => format!("the store {} {}; the answer is lost", verdict(slot), flight(slot)),
            Action::Hear(slot) => format!("the answer to {} arrives", flight(slot)),
            Action::Lose(slot) => format!("{} is given up", flight(slot)),
        }
    }
}

pub(super) fn describe(state: &State) -> String {
    let worker = |(name, worker): (&str, Worker)| match worker {
        Worker::Holding(tenure) => format!("{name} {:?} at {} knows {}", tenure.phase, tenure.at, row_text(tenure.row)),
        other => format!("{name} {other:?}"),
    };
    let workers: Vec<String> = NAMES.into_iter().zip(state.workers).map(worker).collect();
    let flights: Vec<String> = state.flights.iter().flatten().map(flight_text).collect();
    format!("row {}; {}; in flight: {flights:?}", row_text(state.row), workers.join("; "))
}
