use kcl_core::StartStrategy;

use super::*;
use crate::spec::Size;
use crate::spec::bfs::{Limits, Outcome, explore};

const LIMITS: Limits = Limits { max_states: 100_000_000 };
const PLAIN: World = World::PLAIN;

fn search(model: &LineageModel) -> Outcome {
    explore(model, LIMITS)
}

/// The invariant that does not hold, and how long the shortest way there is.
fn broken(model: &LineageModel) -> (String, usize) {
    let outcome = search(model);
    let Some((invariant, trace)) = outcome.violation() else { panic!("{outcome}") };
    (invariant.split(':').next().unwrap_or_default().to_owned(), trace.steps.len())
}

#[test]
fn every_shard_is_read_once_and_after_its_parents() {
    for (name, world) in World::worlds(Size::from_env()) {
        let outcome = search(&LineageModel::new(world));
        println!("{name}: {outcome}");
        assert!(outcome.is_clean(), "{name}: {outcome}");
    }
}

#[test]
fn m16_an_absent_parent_counts_as_ended() {
    let model = LineageModel::new(PLAIN).with_mutant(Mutant::AbsentParentEnded);
    assert_eq!(broken(&model), ("S4".to_owned(), 7));
}

#[test]
fn m17_only_an_ended_row_proves_an_end() {
    let model = LineageModel::new(PLAIN).with_mutant(Mutant::OnlyEndedRows);
    assert_eq!(broken(&model), ("S14".to_owned(), 15));
}

#[test]
fn m18_any_row_of_a_descendant_proves_an_end() {
    let model = LineageModel::new(PLAIN).with_mutant(Mutant::AnyDescendantRow);
    assert_eq!(broken(&model), ("S4".to_owned(), 6));
}

/// A known limit, asserted as it is: a creation or a listing that is older than the life of a shard and the deletion of
/// its row brings the row back, and the shard is read again.
#[test]
fn what_is_older_than_a_deleted_row_brings_it_back() {
    let world = World { bad_listings: true, endless_delays: true, ..PLAIN };
    assert_eq!(broken(&LineageModel::new(world)), ("S14".to_owned(), 24));
}

/// A known limit, asserted as it is: once the stream has forgotten two generations unread and their rows are deleted, a
/// sibling that was never created starts at LATEST. What was put on it before its row was created is not read.
#[test]
fn the_second_child_of_a_forgotten_and_deleted_shard_starts_at_latest() {
    let world = World { start: StartStrategy::Latest, trims: true, ..PLAIN };
    assert_eq!(broken(&LineageModel::new(world)), ("S1".to_owned(), 21));
}
