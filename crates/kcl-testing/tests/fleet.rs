//! A fleet around a processor that does everything right is clean, whatever happens to it; and repeats itself.

#![allow(clippy::print_stdout, reason = "coverage is shown")]

mod fleet_support;

use fleet_support::{Behaviour, Sink, TestFactory};
use kcl_testing::fleet::{FaultKind, Faults, Fleet, Report, Rule, World};

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

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in 100..104 {
        let fleet = Fleet::new().seeds([seed]);
        let (first, second) = (run(&fleet, Behaviour::Correct), run(&fleet, Behaviour::Correct));
        assert_eq!(first.fingerprint(), second.fingerprint(), "seed {seed}");
    }
}

#[test]
fn other_correct_processors_are_clean() {
    run(&Fleet::new().seeds(200..205), Behaviour::Silent).assert_clean();
    run(&Fleet::new().seeds(300..305), Behaviour::Buffers).assert_clean();
}

#[test]
fn an_application_that_checks_its_own_table_is_clean() {
    let report = Fleet::new().seeds(400..405).run_with(
        |world| (world.clone(), Sink::default()),
        |(world, sink)| TestFactory::new(world, Behaviour::Correct, Some(sink)),
        |(_, sink), run| {
            assert!(sink.rows().len() >= run.records().len());
            run.expect_all(sink.rows())?;
            run.expect_key_order(sink.rows())
        },
    );
    report.assert_clean();
}

/// Also from a test that has a runtime of its own, and without any trouble.
#[tokio::test]
async fn without_faults_nothing_happens() {
    let report = run(&Fleet::new().workers(1).shards(1).records(50).faults(Faults::none()).seeds([1]), Behaviour::Correct);
    report.assert_clean();
    for kind in FaultKind::ALL {
        assert_eq!(report.count(kind), 0, "{kind:?}");
    }
}

#[test]
fn settings_that_are_not_valid_are_named() {
    let fleet = Fleet::new().seeds([1]).configure(|config| config.max_records_per_call = 0);
    let report = run(&fleet, Behaviour::Correct);
    assert!(report.violates(Rule::Start) && report.to_string().contains("max_records_per_call"), "{report}");
}

#[test]
fn a_check_that_panics_is_a_violation() {
    let fleet = Fleet::new().records(10).faults(Faults::none()).seeds([1]);
    let factory = |world: &World| TestFactory::new(world, Behaviour::Correct, None);
    let report = fleet.run_with(World::clone, factory, |_, run| {
        assert_eq!(run.records().len(), 11, "as many as were sold");
        Ok(())
    });
    assert!(report.violates(Rule::Check) && report.to_string().contains("as many as were sold"), "{report}");
}

#[test]
fn payloads_are_the_applications() {
    let fleet = Fleet::new().records(20).keys(3).seeds([1]).payload(|key, nth| format!("{key}/{nth}").into_bytes());
    let factory = |world: &World| TestFactory::new(world, Behaviour::Correct, None);
    let report = fleet.run_with(World::clone, factory, |_, run| {
        for (nth, record) in run.records().iter().enumerate() {
            assert_eq!(record.data, format!("{}/{nth}", record.partition_key).into_bytes());
        }
        Ok(())
    });
    report.assert_clean();
}
