//! Each of these processors has a bug that applications have, and the fleet must name it within a few seeds.

mod fleet_support;

use fleet_support::{Behaviour, Sink, TestFactory};
use kcl_testing::fleet::{FaultKind, Faults, Fleet, Report, Rule, Violation};

fn fleet(seeds: u64) -> Fleet {
    Fleet::new().records(200).seeds(0..seeds)
}

/// The processor says what it has processed.
fn told(fleet: &Fleet, behaviour: Behaviour) -> Report {
    fleet.run(|world| TestFactory::new(world, behaviour, None))
}

/// The processor writes to a sink, and the sink is checked.
fn sunk(fleet: &Fleet, behaviour: Behaviour) -> Report {
    fleet.run_with(
        |world| (world.clone(), Sink::default()),
        |(world, sink)| TestFactory::new(world, behaviour, Some(sink)),
        |(_, sink), run| {
            run.expect_all(sink.rows())?;
            run.expect_key_order(sink.rows())
        },
    )
}

/// Runs one seed after the other until one breaks the rule with these words; at most so many.
#[track_caller]
fn finds(seeds: u64, run: impl Fn(&Fleet) -> Report, rule: Rule, words: &str) {
    let found = |violation: &Violation| violation.rule == rule && violation.what.contains(words);
    let mut last = None;
    for seed in 0..seeds {
        let report = run(&fleet(0).seeds([seed]));
        if report.violations().iter().any(found) {
            return;
        }
        last = Some(report.to_string());
    }
    panic!("{rule} was not found: {}", last.unwrap_or_default());
}

#[test]
fn a_checkpoint_of_work_that_was_only_spawned() {
    finds(1, |fleet| told(fleet, Behaviour::SpawnsAndCheckpoints), Rule::CheckpointAhead, "before record");
    finds(10, |fleet| sunk(fleet, Behaviour::SpawnsAndCheckpoints), Rule::Check, "records are missing");
}

#[test]
fn a_checkpoint_before_the_work() {
    finds(1, |fleet| told(fleet, Behaviour::CheckpointsFirst), Rule::CheckpointAhead, "Checkpoint only once");
    finds(10, |fleet| sunk(fleet, Behaviour::CheckpointsFirst), Rule::Check, "records are missing");
}

#[test]
fn a_record_that_is_given_up_on() {
    let only = || Faults::none().with(FaultKind::Application);
    finds(10, |fleet| told(&fleet.clone().faults(only()), Behaviour::Swallows), Rule::CheckpointAhead, "before record");
    finds(10, |fleet| sunk(&fleet.clone().faults(only()), Behaviour::Swallows), Rule::Check, "records are missing");
}

#[test]
fn a_checkpoint_in_lease_lost() {
    finds(10, |fleet| told(fleet, Behaviour::CheckpointsAfterLoss), Rule::CheckpointAfterLoss, "lease_lost of worker-");
}

#[test]
fn a_shard_that_is_never_ended() {
    finds(10, |fleet| told(fleet, Behaviour::NeverEnds), Rule::NotEnded, "Call checkpointer.end().await in shard_ended");
}

#[test]
fn records_of_one_key_out_of_order() {
    finds(4, |fleet| told(fleet, Behaviour::OutOfOrder), Rule::KeyOrder, "was first processed after");
    finds(4, |fleet| sunk(fleet, Behaviour::OutOfOrder), Rule::Check, "which was put later");
}

#[test]
fn a_timer_that_checkpoints_what_is_under_way() {
    finds(1, |fleet| told(fleet, Behaviour::TimerCheckpoints), Rule::CheckpointAhead, "before record");
    finds(1, |fleet| sunk(fleet, Behaviour::TimerCheckpoints), Rule::CheckpointAhead, "checkpoint_latest while process_records");
}

#[test]
fn a_processor_that_hangs() {
    let calm = |fleet: &Fleet| fleet.clone().faults(Faults::none());
    finds(1, |fleet| told(&calm(fleet), Behaviour::Hangs), Rule::Shutdown, "the shutdown timed out");
    finds(1, |fleet| sunk(&calm(fleet), Behaviour::Hangs), Rule::AtLeastOnce, "never returned");
    finds(1, |fleet| told(&calm(fleet), Behaviour::HangsInShutdown), Rule::Shutdown, "the shutdown timed out");
}

#[test]
fn an_end_before_the_end() {
    finds(1, |fleet| told(fleet, Behaviour::EndsEarly), Rule::Misuse, "outside of shard_ended");
}

#[test]
fn an_end_without_what_is_buffered() {
    finds(10, |fleet| told(fleet, Behaviour::BuffersAndForgets), Rule::CheckpointAhead, "checkpoint SHARD_END before record");
    finds(10, |fleet| sunk(fleet, Behaviour::BuffersAndForgets), Rule::Check, "records are missing");
}

#[test]
fn a_position_of_another_shard() {
    finds(1, |fleet| told(fleet, Behaviour::MixesShards), Rule::Misuse, "a position of another shard");
}

#[test]
fn a_record_that_always_panics() {
    let calm = |fleet: &Fleet| fleet.clone().faults(Faults::none());
    finds(1, |fleet| told(&calm(fleet), Behaviour::Poisoned), Rule::AtLeastOnce, "data=\"7\"");
    finds(1, |fleet| told(&calm(fleet), Behaviour::Poisoned), Rule::AtLeastOnce, "which panicked");
}

/// What a failure looks like: the rule, the record, and how to run it again.
#[test]
fn a_report_says_how_to_replay() {
    let report = told(&fleet(2), Behaviour::CheckpointsFirst);
    let text = report.to_string();
    let seed = report.violations()[0].seed;
    for words in ["CheckpointAhead (S6), seed 0x", "(key=key-", "failover_time=", "process_records"] {
        assert!(text.contains(words), "lacks {words:?}: {text}");
    }
    assert!(text.ends_with(&format!(".seeds([{seed:#x}])")), "{text}");
    let alone = told(&fleet(0).seeds([seed]), Behaviour::CheckpointsFirst);
    assert_eq!(alone.violations()[0], report.violations()[0]);
}
