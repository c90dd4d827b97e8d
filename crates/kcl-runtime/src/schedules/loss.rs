//! The lease cell between the coordinator, which alone gives it inputs, the driver, which begins callbacks and waits for
//! phases, and the application, which checkpoints.

use std::sync::atomic::{AtomicBool, Ordering};

use kcl_core::{CheckpointError, HeldInput, HeldLease, Mono, Phase, TenureEnd, WriteAnswer};
use shuttle::future::block_on;
use shuttle::sync::atomic::AtomicU64;
use shuttle::thread;

use super::explore::{explore, is_found};
use super::mutants::{BrokenCell, Cell, Fault};
use super::surroundings::{at, held, my_row, only_write, position, taken};
use crate::cell::LeaseCell;

const LOST: Phase = Phase::Dead(TenureEnd::Lost);

fn millis(millis: u64) -> Mono {
    Mono::from_millis(millis)
}

/// A renewal is answered with a rejection while the driver delivers and the application checkpoints.
fn loss<C: Cell>(make: impl Fn(HeldLease) -> C) {
    let cell = make(held());
    let (number, _) = only_write(cell.handle(millis(4_000), HeldInput::Tick));
    // Not the explorer's: no point where threads are switched, so that nothing comes between the loss and the mark.
    let known = AtomicBool::new(false);
    let begin = |sequence: u64| {
        let before = known.load(Ordering::SeqCst);
        let began = cell.begin_callback(millis(4_200), Some(position(sequence)));
        assert!(!(before && began), "a callback began after the loss");
        began
    };
    let driver = || {
        let mut phases = cell.watch_phase();
        for sequence in 1..=3 {
            if !begin(sequence) {
                break;
            }
        }
        // Ends only if the driver is told.
        block_on(phases.wait_for(|phase| *phase == LOST)).unwrap();
        assert!(!begin(9));
    };
    let application = || {
        for sequence in 1..=3 {
            let before = known.load(Ordering::SeqCst);
            let admitted = cell.admit(&at(sequence));
            assert!(!before || matches!(admitted, Err(CheckpointError::LeaseLost)), "{admitted:?} after the loss");
        }
    };
    thread::scope(|threads| {
        threads.spawn(driver);
        threads.spawn(application);
        let rejected = WriteAnswer::Rejected(Some(taken(&my_row())));
        cell.handle(millis(4_100), HeldInput::WriteAnswered(number, rejected));
        known.store(true, Ordering::SeqCst);
        let delivered = cell.last_delivered();
        thread::yield_now();
        assert_eq!(cell.last_delivered(), delivered, "delivered after the loss");
    });
    assert_eq!(cell.phase(), LOST);
}

#[test]
fn a_loss_is_told_to_all_and_nothing_begins_or_is_admitted_after_it() {
    explore(|| loss(LeaseCell::new));
}

#[test]
fn mutant_a_callback_is_noted_after_the_lock_that_allowed_it() {
    is_found(|| loss(|held| BrokenCell::new(Fault::BeginsInTwoScopes, held)));
}

/// Time passes the deadline while a renewal's answer is on its way. Each thread reads the clock before it takes the lock:
/// the driver may be refused by a later moment than the one that the coordinator then hands in with the answer.
fn late<C: Cell>(make: impl Fn(HeldLease) -> C) {
    let cell = make(held());
    let clock = AtomicU64::new(8_000);
    let now = || millis(clock.load(Ordering::SeqCst));
    let mut row = my_row();
    let mut sent = Some(only_write(cell.handle(now(), HeldInput::Tick)));
    let driver = || {
        let mut phases = cell.watch_phase();
        loop {
            phases.borrow_and_update();
            if cell.begin_callback(now(), Some(position(1))) {
                return;
            }
            block_on(phases.changed()).unwrap();
        }
    };
    thread::scope(|threads| {
        threads.spawn(driver);
        threads.spawn(|| clock.store(9_500, Ordering::SeqCst));
        while let Some((number, write)) = sent.take() {
            row = write.apply(Some(&row)).unwrap().unwrap();
            let actions = cell.handle(now(), HeldInput::WriteAnswered(number, WriteAnswer::Applied(row.clone())));
            let again = actions.iter().any(|action| matches!(action, kcl_core::HeldAction::Write(..)));
            sent = again.then(|| only_write(actions));
        }
    });
    assert_eq!((cell.phase(), cell.last_delivered()), (Phase::Live, Some(position(1))));
}

#[test]
fn a_driver_that_was_refused_at_the_deadline_is_woken_by_the_renewal() {
    explore(|| late(LeaseCell::new));
}

#[test]
fn mutant_a_refused_driver_is_not_told_of_the_renewal() {
    is_found(|| late(|held| BrokenCell::new(Fault::ForgetsTheRefused, held)));
}

/// The cell does not rely on there being one coordinator: who watches ends at the phase that the cell ended at.
fn two_inputs<C: Cell>(make: impl Fn(HeldLease) -> C) {
    let cell = make(held());
    let (number, _) = only_write(cell.handle(millis(4_000), HeldInput::Tick));
    let phases = cell.watch_phase();
    thread::scope(|threads| {
        threads.spawn(|| cell.handle(millis(9_500), HeldInput::Tick));
        threads.spawn(|| {
            let rejected = WriteAnswer::Rejected(Some(taken(&my_row())));
            cell.handle(millis(9_500), HeldInput::WriteAnswered(number, rejected))
        });
    });
    assert_eq!((cell.phase(), *phases.borrow()), (LOST, LOST));
}

#[test]
fn the_phase_that_is_told_last_is_the_phase_of_the_cell() {
    explore(|| two_inputs(LeaseCell::new));
}

#[test]
fn mutant_the_phase_is_told_after_the_lock_was_given_back() {
    is_found(|| two_inputs(|held| BrokenCell::new(Fault::TellsUnlocked, held)));
}
