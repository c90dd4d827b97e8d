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

#[track_caller]
fn finds(report: &Report, rule: Rule, words: &str) {
    let found = |violation: &Violation| violation.rule == rule && violation.what.contains(words);
    assert!(report.violations().iter().any(found), "{report}");
}

#[test]
fn a_checkpoint_of_work_that_was_only_spawned() {
    finds(&told(&fleet(1), Behaviour::SpawnsAndCheckpoints), Rule::CheckpointAhead, "before record");
    finds(&sunk(&fleet(10), Behaviour::SpawnsAndCheckpoints), Rule::Check, "records are missing");
}

#[test]
fn a_checkpoint_before_the_work() {
    finds(&told(&fleet(1), Behaviour::CheckpointsFirst), Rule::CheckpointAhead, "Checkpoint only once");
    finds(&sunk(&fleet(10), Behaviour::CheckpointsFirst), Rule::Check, "records are missing");
}

#[test]
fn a_record_that_is_given_up_on() {
    let fleet = fleet(10).faults(Faults::none().with(FaultKind::Application));
    finds(&told(&fleet, Behaviour::Swallows), Rule::CheckpointAhead, "before record");
    finds(&sunk(&fleet, Behaviour::Swallows), Rule::Check, "records are missing");
}

#[test]
fn a_checkpoint_in_lease_lost() {
    finds(&told(&fleet(10), Behaviour::CheckpointsAfterLoss), Rule::CheckpointAfterLoss, "lease_lost of worker-");
}

#[test]
fn a_shard_that_is_never_ended() {
    finds(&told(&fleet(10), Behaviour::NeverEnds), Rule::NotEnded, "Call checkpointer.end().await in shard_ended");
}

#[test]
fn records_of_one_key_out_of_order() {
    finds(&told(&fleet(4), Behaviour::OutOfOrder), Rule::KeyOrder, "was first processed after");
    finds(&sunk(&fleet(4), Behaviour::OutOfOrder), Rule::Check, "which was put later");
}

#[test]
fn a_timer_that_checkpoints_what_is_under_way() {
    finds(&told(&fleet(1), Behaviour::TimerCheckpoints), Rule::CheckpointAhead, "before record");
    finds(&sunk(&fleet(1), Behaviour::TimerCheckpoints), Rule::CheckpointAhead, "checkpoint_latest while process_records");
}

#[test]
fn a_processor_that_hangs() {
    let fleet = fleet(1).faults(Faults::none());
    finds(&told(&fleet, Behaviour::Hangs), Rule::Shutdown, "the shutdown timed out");
    finds(&sunk(&fleet, Behaviour::Hangs), Rule::AtLeastOnce, "never returned");
    finds(&told(&fleet, Behaviour::HangsInShutdown), Rule::Shutdown, "the shutdown timed out");
}

#[test]
fn an_end_before_the_end() {
    finds(&told(&fleet(1), Behaviour::EndsEarly), Rule::Misuse, "outside of shard_ended");
}

#[test]
fn an_end_without_what_is_buffered() {
    finds(&told(&fleet(10), Behaviour::BuffersAndForgets), Rule::CheckpointAhead, "checkpoint SHARD_END before record");
    finds(&sunk(&fleet(10), Behaviour::BuffersAndForgets), Rule::Check, "records are missing");
}

#[test]
fn a_position_of_another_shard() {
    finds(&told(&fleet(1), Behaviour::MixesShards), Rule::Misuse, "a position of another shard");
}

#[test]
fn a_record_that_always_panics() {
    let fleet = fleet(1).faults(Faults::none());
    finds(&told(&fleet, Behaviour::Poisoned), Rule::AtLeastOnce, "data=\"7\"");
    finds(&told(&fleet, Behaviour::Poisoned), Rule::AtLeastOnce, "which panicked");
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
