use std::time::Duration;

use kcl_core::*;

pub fn at(sequence: u64) -> Checkpoint {
    Checkpoint::At(ExtendedSequenceNumber::new(sequence.into(), 0))
}

/// A held lease and the row in the store.
pub struct Holder {
    pub held: HeldLease,
    pub phases: Vec<Phase>,
}

impl Holder {
    pub fn new(row: &Lease, sent_at: Mono) -> Self {
        let timing = LeaseTiming::from_failover(Duration::from_secs(10));
        Self { held: HeldLease::new(HoldId(1), "me".into(), timing, row.clone(), sent_at), phases: vec![] }
    }

    /// Gives one input; the writes it wants sent.
    pub fn input(&mut self, now: u64, input: HeldInput) -> Vec<(u64, LeaseWrite)> {
        self.held.handle(Mono::from_millis(now), input);
        let mut writes = vec![];
        while let Some(action) = self.held.poll() {
            match action {
                HeldAction::Write(number, write) => writes.push((number, write)),
                HeldAction::PhaseChanged(phase) => self.phases.push(phase),
                HeldAction::Read | HeldAction::Answer(..) | HeldAction::Asked(_) => {}
            }
        }
        writes
    }

    /// The store decides the write and answers.
    pub fn served(&mut self, now: u64, row: &mut Lease, (number, write): &(u64, LeaseWrite)) -> Vec<(u64, LeaseWrite)> {
        let answer = match write.apply(Some(row)) {
            Ok(after) => {
                *row = after.unwrap();
                WriteAnswer::Applied(row.clone())
            }
            Err(_) => WriteAnswer::Rejected(Some(row.clone())),
        };
        self.input(now, HeldInput::WriteAnswered(*number, answer))
    }
}

pub fn my_row() -> Lease {
    let mut row = Lease::new("shard".into(), Checkpoint::TrimHorizon);
    row.owner = Some("me".into());
    row.counter = LeaseCounter::new(1);
    row
}
