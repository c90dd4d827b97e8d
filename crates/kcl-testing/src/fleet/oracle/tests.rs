//! Runs that never happened: each breaks one rule, and that rule alone is named.

use std::time::Duration;

use kcl_core::{Checkpoint, ExtendedSequenceNumber, ShardId};

use super::*;
use crate::fleet::faults::FaultKind;
use crate::fleet::trace::{Answer, Call, Tenure};

fn position(number: u64) -> ExtendedSequenceNumber {
    ExtendedSequenceNumber::new(number.into(), 0)
}

fn at(number: u64) -> Checkpoint {
    Checkpoint::At(position(number))
}

fn tenure(number: u64) -> Tenure {
    Tenure { number, worker: "worker-1".into(), shard: ShardId::from("shardId-0") }
}

/// Records 1 to 4 of one shard; the odd ones of key-1, the even ones of key-0.
fn puts() -> Vec<PutRecord> {
    let put = |number: u64| PutRecord {
        partition_key: format!("key-{}", number % 2),
        data: number.to_string().into_bytes(),
        shard_id: ShardId::from("shardId-0"),
        position: position(number),
    };
    (1..=4).map(put).collect()
}

fn handed(number: u64, positions: &[u64]) -> Vec<Event> {
    let positions: Vec<_> = positions.iter().copied().map(position).collect();
    let begin = Event::Begin(tenure(number), Call::Process(positions.clone()));
    vec![begin, Event::Accepted(tenure(number), positions), Event::End(tenure(number))]
}

fn begun(number: u64, start: Checkpoint) -> Event {
    Event::Begin(tenure(number), Call::Initialize(start))
}

fn asked(number: u64, checkpoint: Checkpoint) -> Event {
    Event::Asked { tenure: tenure(number), checkpoint, in_lease_lost: false }
}

fn broken(events: impl IntoIterator<Item = Event>) -> Vec<Rule> {
    let entries: Vec<_> = events.into_iter().map(|event| Entry { at: Duration::ZERO, event }).collect();
    audit(1, &puts(), &entries).into_iter().map(|violation| violation.rule).collect()
}

#[test]
fn a_run_in_order_is_clean() {
    let again = [vec![begun(1, Checkpoint::TrimHorizon)], handed(1, &[1, 2]), vec![begun(2, at(1))], handed(2, &[2, 3, 4])];
    assert_eq!(broken(again.concat()), []);
}

#[test]
fn holes_repetitions_and_wrong_starts_are_out_of_order() {
    let begin = |start| vec![begun(1, start)];
    let hole = [begin(Checkpoint::TrimHorizon), handed(1, &[1]), handed(1, &[3]), handed(2, &[2, 4])];
    let repetition = [begin(Checkpoint::TrimHorizon), handed(1, &[1, 2]), handed(1, &[2, 3, 4]), Vec::new()];
    let early = [begin(at(2)), handed(1, &[2, 3, 4]), vec![begun(2, Checkpoint::TrimHorizon)], handed(2, &[1])];
    for run in [hole, repetition, early] {
        assert!(broken(run.concat()).contains(&Rule::InOrder));
    }
}

#[test]
fn a_record_that_was_not_accepted_is_lost() {
    let never = [vec![begun(1, Checkpoint::TrimHorizon)], handed(1, &[1, 2, 3])];
    assert_eq!(broken(never.concat()), [Rule::AtLeastOnce]);
    let unfinished = Event::Begin(tenure(1), Call::Process(vec![position(4)]));
    let run = [vec![begun(1, Checkpoint::TrimHorizon)], handed(1, &[1, 2, 3]), vec![unfinished, Event::Panicked(tenure(1))]];
    assert_eq!(broken(run.concat()), [Rule::AtLeastOnce]);
}

/// As soon as the application tells what is processed, what its callbacks accepted does not count.
#[test]
fn what_the_application_says_counts() {
    let told = |order: &[u64]| -> Vec<Event> { order.iter().copied().map(position).map(Event::Processed).collect() };
    let start = [vec![begun(1, Checkpoint::TrimHorizon)], handed(1, &[1, 2, 3, 4])].concat();
    assert_eq!(broken([start.clone(), told(&[1, 2, 3])].concat()), [Rule::AtLeastOnce]);
    assert_eq!(broken([start.clone(), told(&[2, 1, 3, 4])].concat()), [], "different keys");
    assert_eq!(broken([start.clone(), told(&[3, 2, 1, 4])].concat()), [Rule::KeyOrder]);
    assert_eq!(broken([start.clone(), told(&[1, 2, 3, 4, 1])].concat()), [], "again");
    let early = [start.clone(), told(&[1, 3]), vec![asked(1, at(2))], told(&[2, 4])];
    assert_eq!(broken(early.concat()), [Rule::CheckpointAhead]);
    let in_time = [start, told(&[1, 2]), vec![asked(1, at(2))], told(&[3, 4]), vec![asked(1, Checkpoint::ShardEnd)]];
    assert_eq!(broken(in_time.concat()), []);
}

#[test]
fn an_acknowledged_checkpoint_is_stored() {
    let answered = |stored| Event::Answered { tenure: tenure(1), checkpoint: at(2), answer: Answer::Stored, stored };
    let run = |stored| [vec![begun(1, Checkpoint::TrimHorizon)], handed(1, &[1, 2, 3, 4]), vec![answered(stored)]].concat();
    assert_eq!(broken(run(Some(at(1)))), [Rule::Acknowledged]);
    assert_eq!(broken(run(Some(at(2)))), []);
    assert_eq!(broken(run(Some(Checkpoint::ShardEnd))), []);
    assert_eq!(broken(run(None)), []);
}

#[test]
fn an_end_that_was_asked_for_in_any_tenure_counts() {
    let ended = |number| vec![Event::Begin(tenure(number), Call::ShardEnded), Event::End(tenure(number))];
    let start = [vec![begun(1, Checkpoint::TrimHorizon)], handed(1, &[1, 2, 3, 4])].concat();
    assert_eq!(broken([start.clone(), ended(1)].concat()), [Rule::NotEnded]);
    assert_eq!(broken([start, ended(1), vec![asked(2, Checkpoint::ShardEnd)], ended(2)].concat()), []);
}

#[test]
fn a_defect_of_the_library_is_named() {
    let defect = kcl_runtime::ConsumerError::CoordinationDied.to_string();
    let run = [vec![begun(1, Checkpoint::TrimHorizon)], handed(1, &[1, 2, 3, 4])].concat();
    let stopped = vec![Event::Fault(FaultKind::Kills, String::new()), Event::Stopped("worker-1".into(), Err(defect))];
    assert_eq!(broken([run, stopped].concat()), [Rule::Library]);
}
