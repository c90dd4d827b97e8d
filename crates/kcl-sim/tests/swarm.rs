//! Seeds of the swarm: clean, and the same every time. What they find is in [`kcl_sim::mutants`].

#![allow(clippy::print_stdout, reason = "a failing run is shown")]

use kcl_sim::scenario::{seed_of, swarm};
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
