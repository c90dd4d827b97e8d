use kcl_core::{Change, Lease, LeaseWrite};

use super::{Action, LeaseModel, NAMES, NONE, State};
use crate::spec::lease::store;
use crate::spec::lease::worker::{Flight, Leg, Origin, Reply, Worker};

fn row_text(row: Option<&Lease>) -> String {
    row.map_or_else(
        || "no row".to_owned(),
        |row| {
            let owner = row.owner.as_ref().map_or("-", |owner| owner.as_str());
            let pending = if row.pending.is_some() { " pending" } else { "" };
            format!("(owner {owner}, counter {}, {}{pending})", row.counter, row.checkpoint)
        },
    )
}

impl std::fmt::Display for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Applied(row) => write!(f, "applied {}", row_text(row.as_ref())),
            Self::Rejected(row) => write!(f, "rejected {}", row_text(row.as_ref())),
        }
    }
}

fn write_text(write: &LeaseWrite) -> String {
    let position = match write.change() {
        Change::Update(update) => update.checkpoint.as_ref().map(|at| format!(" of {at}")).unwrap_or_default(),
        _ => String::new(),
    };
    let stores = write.counter_after().map(|counter| format!(" (stores counter {counter})")).unwrap_or_default();
    format!("{}{position}{stores}", write.verb().name())
}

fn flight_text(flight: &Flight) -> String {
    let orphan = match (&flight.leg, flight.origin) {
        (Leg::Orphaned, Origin::Current) => " that it does not wait for",
        (Leg::Orphaned, Origin::Former { .. }) => " of a former tenure",
        _ => "",
    };
    format!("{}'s {}{orphan}", NAMES[usize::from(flight.worker)], write_text(&flight.write))
}

impl LeaseModel {
    pub(super) fn explain_action(&self, state: &State, action: Action) -> String {
        let flight = |slot| flight_text(&self.flight(state, slot));
        match action {
            Action::Take(w) => format!("{} reads {} and sends a take", NAMES[w], row_text(self.row(state).as_ref())),
            Action::Serve(slot) => format!("the store gets {} {}", flight(slot), self.verdict(state, slot)),
            Action::ServeTwice(slot) => format!("the store gets {} twice and answers the second", flight(slot)),
            Action::ServeAndLose(slot) => format!("the store gets {} and its answer is lost", flight(slot)),
            Action::Hear(slot) => {
                let answer = match self.flight(state, slot).leg {
                    Leg::Back(reply) => reply.to_string(),
                    _ => String::new(),
                };
                format!("the answer to {} arrives: {answer}", flight(slot))
            }
            Action::Lose(slot) => format!("the answer to {} is lost", flight(slot)),
            Action::ServeRead(w) => format!("{}'s read sees {}", NAMES[w], row_text(self.row(state).as_ref())),
            Action::HearRead(w) => format!("{}'s read is answered", NAMES[w]),
            Action::ReadAfterTake(w) => format!("{} reads {} after its take", NAMES[w], row_text(self.row(state).as_ref())),
            Action::Tick(w) => format!("{}'s clock reaches {:?}", NAMES[w], self.clock_after(state, w, false)),
            Action::Oversleep(w) => format!("{} sleeps until {:?}", NAMES[w], self.clock_after(state, w, true)),
            Action::Ask(w, want) => format!("{}'s user asks for {want:?}", NAMES[w]),
            Action::Release(w) => format!("{} is to release", NAMES[w]),
            Action::Describe(w) => format!("{} is to store the children", NAMES[w]),
            Action::Delete(w) => format!("{} is to delete the row", NAMES[w]),
            Action::Crash(w) => format!("{} crashes and starts again", NAMES[w]),
            Action::CreateAgain => "the row is created again".to_owned(),
        }
    }

    fn verdict(&self, state: &State, slot: usize) -> &'static str {
        let write = self.flight(state, slot).write;
        let fits = store::apply(self.mutant, &write, self.row(state).as_ref()).is_some();
        if fits { "and applies it" } else { "and rejects it" }
    }

    pub(super) fn describe_state(&self, state: &State) -> String {
        let worker = |index: usize| match &*self.workers.value(state.workers[index]) {
            Worker::Idle => format!("{} idle", NAMES[index]),
            Worker::Taking => format!("{} taking", NAMES[index]),
            Worker::Unsure(_) => format!("{} unsure of its take", NAMES[index]),
            Worker::Holding(tenure) => format!(
                "{} holds {} {:?} at {}",
                NAMES[index],
                row_text(Some(tenure.held.lease())),
                tenure.held.phase(),
                tenure.clock.as_nanos()
            ),
        };
        let flights = state.flights.iter().filter(|number| **number != NONE);
        let flights: Vec<String> = flights.map(|&number| flight_text(&self.flights.value(number))).collect();
        format!("row {}; {}; {}; in flight: {flights:?}", row_text(self.row(state).as_ref()), worker(0), worker(1))
    }
}
