//! Seeds of the swarm: clean without a mutant, caught with one, and the same every time.

#![allow(clippy::print_stdout, reason = "a failing run is shown")]

use kcl_sim::scenario::{Report, seed_of, swarm};
use kcl_sim::world::Mutant;

/// Few, because tests run without optimisation; `cargo xtask sim` runs many.
const SEEDS: u64 = 3;

#[test]
fn the_swarm_is_clean() {
    all_clean(0..SEEDS);
}

fn all_clean(indices: impl IntoIterator<Item = u64>) {
    let mut failed = Vec::new();
    for index in indices {
        let report = swarm::run_seed(seed_of(0, index), Mutant::Sound);
        if !report.is_clean() {
            println!("{report}");
            failed.push(index);
        }
    }
    assert!(failed.is_empty(), "seeds that failed, by index: {failed:?}");
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for index in 0..1 {
        let (first, second) =
            (swarm::run_seed(seed_of(0, index), Mutant::Sound), swarm::run_seed(seed_of(0, index), Mutant::Sound));
        assert_eq!((first.hash, first.polls), (second.hash, second.polls), "seed {:#x}", first.plan.seed);
    }
}

/// The first seed of so many with which this mutant breaks this invariant.
fn caught(mutant: Mutant, invariant: &str, seeds: u64) -> Option<Report> {
    (0..seeds).map(|index| swarm::run_seed(seed_of(0, index), mutant)).find(|report| report.violates(invariant))
}

#[test]
fn a_checkpoint_without_a_condition_is_caught() {
    assert!(caught(Mutant::CheckpointUnconditional, "S7", 10).is_some());
}

#[test]
fn a_checkpoint_on_a_condition_of_the_owner_only_is_caught() {
    assert!(caught(Mutant::CheckpointByOwner, "S7", 10).is_some());
}

#[test]
fn a_checkpoint_that_goes_back_is_caught() {
    assert!(caught(Mutant::CheckpointUnconditional, "S5", 30).is_some());
}

#[test]
fn a_checkpoint_that_is_acknowledged_and_not_stored_is_caught() {
    assert!(caught(Mutant::CheckpointNotStored, "S9", 10).is_some());
}

#[test]
fn a_reader_that_is_opened_again_at_the_tip_is_caught() {
    assert!(caught(Mutant::ReopenAtLatest, "S2", 10).is_some());
}
