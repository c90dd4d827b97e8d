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

/// Seeds that found something in the library, and what. Like what the shrinker left (`directed/found.rs`) they say little once
/// draws have changed.
const FOUND: [(u64, &str); 8] = [
    (0x1273_00f7_adfa_8daf, "a worker that waits to ask for its share was taken for one that wants no more"),
    (0x8941_6cf7_ceed_264f, "every worker tried to create the one row of a throttled table"),
    (0xbbd7_d74f_89b0_32e1, "a decline that was refused was not sent again"),
    (0xda6d_7705_9052_ca51, "who had many leases of finished shards asked for no others"),
    (0x17df_57c8_9f15_fcc5, "a throttled table was scanned more often while leases were on the move"),
    (0x16b3_f063_b37e_fb5a, "a throttled table was scanned more often than the interval that was set"),
    (0x6c60_544c_df2c_7330, "a scan that was answered late did not show the parent of a child that was to start at LATEST"),
    (0x6194_dff8_1645_e1f6, "a Java worker started the child of a merge whose other parent had no row"),
];

#[test]
fn what_the_swarm_found_is_not_found_again() {
    for (seed, what) in FOUND {
        let report = swarm::run_seed(seed, Mutant::Sound);
        assert!(report.is_clean(), "{what}\n{report}");
    }
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
