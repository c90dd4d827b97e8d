use std::time::Duration;

use kcl_core::{HoldId, LeaseCounter, LeaseTiming, LeaseWrite, WriteAnswer};

use super::*;

fn row() -> Lease {
    let mut row = Lease::new("shard".into(), Checkpoint::TrimHorizon);
    row.owner = Some("me".into());
    row.counter = LeaseCounter::new(1);
    row
}

fn cell() -> LeaseCell {
    let timing = LeaseTiming::from_failover(Duration::from_secs(10));
    LeaseCell::new(HeldLease::new(HoldId(1), "me".into(), timing, row(), Mono::ZERO))
}

/// The clock is read before the lock is taken: an answer that was timed before the deadline can be handed in after a
/// driver was refused for being past it. The phase is live before and after, so nothing else would wake that driver.
#[test]
fn a_driver_that_was_refused_at_the_deadline_hears_of_a_renewal_that_was_timed_before_it() {
    let cell = cell();
    let mut phases = cell.watch_phase();
    let renewal = cell.handle(Mono::from_millis(8_000), HeldInput::Tick).remove(0);
    let HeldAction::Write(number, write) = renewal else { panic!("{renewal:?}") };
    assert!(!cell.begin_callback(Mono::from_millis(9_000), None));
    phases.borrow_and_update();
    let renewed = write.apply(Some(&row())).unwrap().unwrap();
    cell.handle(Mono::from_millis(8_999), HeldInput::WriteAnswered(number, WriteAnswer::Applied(renewed)));
    assert!(phases.has_changed().unwrap(), "it waits for a change of the phase");
    assert!(cell.begin_callback(Mono::from_millis(9_001), None));
    phases.borrow_and_update();
    cell.handle(Mono::from_millis(9_002), HeldInput::Tick);
    assert!(!phases.has_changed().unwrap(), "only once");
}

/// Whoever stores the same checkpoint again removes a proposal that stands beside it.
#[test]
fn a_stored_checkpoint_is_written_again_if_a_proposal_stands_beside_it() {
    let cell = cell();
    let [first, second] = [1_u64, 2].map(|number| ExtendedSequenceNumber::new(number.into(), 0));
    assert!(cell.begin_callback(Mono::ZERO, Some(second.clone())));
    let (first, mut stored) = (Checkpoint::At(first), row());
    let mut answer = |now: u64, number: u64, write: LeaseWrite| {
        stored = write.apply(Some(&stored)).unwrap().unwrap();
        cell.handle(Mono::from_millis(now), HeldInput::WriteAnswered(number, WriteAnswer::Applied(stored.clone())));
    };
    let pending = kcl_core::PendingCheckpoint { checkpoint: Checkpoint::At(second), state: None };
    let changes = [kcl_core::RowChange::Checkpoint(first.clone()), kcl_core::RowChange::Prepare(pending)];
    let expected = [Admission::AlreadyStored, Admission::Write];
    for (change, expected) in changes.into_iter().zip(expected) {
        let write = cell.handle(Mono::from_millis(100), HeldInput::ChangeRequested(change, None)).remove(0);
        let HeldAction::Write(number, write) = write else { panic!("{write:?}") };
        answer(100, number, write);
        assert_eq!(cell.admit(&first).ok(), Some(expected));
    }
}
