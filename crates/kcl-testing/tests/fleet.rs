//! A fleet around a processor that does everything right is clean, whatever happens to it; and repeats itself.

#![allow(clippy::print_stdout, reason = "coverage is shown")]

mod fleet_support;

use std::time::Duration;

use fleet_support::{Behaviour, Sink, TestFactory};
use kcl_testing::fleet::{FaultKind, Faults, Fleet, Report, Rule};

fn run(fleet: &Fleet, behaviour: Behaviour) -> Report {
    fleet.run(|world| TestFactory::new(world, behaviour, None))
}

#[test]
fn a_correct_processor_is_clean_in_fifty_seeds() {
    let report = run(&Fleet::new().seeds(0..50), Behaviour::Correct);
    println!("{report}");
    report.assert_clean();
    assert_eq!(report.records(), 50 * 500);
    for kind in FaultKind::ALL {
        assert!(report.count(kind) > 0, "never happened: {kind:?}");
    }
}
