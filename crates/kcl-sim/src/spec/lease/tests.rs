use super::*;
use crate::spec::Size;
use crate::spec::bfs::{Limits, Outcome, explore};

const LIMITS: Limits = Limits { max_states: 100_000_000 };

fn search(model: &LeaseModel) -> Outcome {
    explore(model, LIMITS)
}

/// The rule that catches a mistake, and how long the shortest way there is.
fn caught(bounds: Bounds, mutant: Mutant, rules: &[Rule]) -> (String, usize) {
    let outcome = search(&LeaseModel::watching(bounds, Some(mutant), rules));
    let Some((invariant, trace)) = outcome.violation() else { panic!("{mutant:?} survives: {outcome}") };
    (invariant.split(':').next().unwrap_or_default().to_owned(), trace.steps.len())
}

#[test]
fn the_protocol_holds_in_every_world() {
    for (name, bounds) in Bounds::worlds(Size::from_env()) {
        let outcome = search(&LeaseModel::new(bounds).seeking_goal());
        println!("{name}: {outcome}");
        assert!(outcome.is_clean(), "{name}: {outcome}");
        assert!(outcome.states > 1000, "{name}: the world is empty");
    }
}

#[test]
fn m1_an_unconditional_checkpoint() {
    let bounds = Bounds { counter: 4, ..Bounds::PLAIN };
    assert_eq!(caught(bounds, Mutant::UnconditionalCheckpoint, &Rule::ALL), ("S7".to_owned(), 6));
    assert_eq!(caught(bounds, Mutant::UnconditionalCheckpoint, &[Rule::S5]), ("S5".to_owned(), 8));
}

#[test]
fn m2_a_checkpoint_that_expects_the_owner_only() {
    let bounds = Bounds { counter: 4, ..Bounds::PLAIN };
    assert_eq!(caught(bounds, Mutant::CheckpointExpectsOwnerOnly, &Rule::ALL), ("S7".to_owned(), 7));
    assert_eq!(caught(bounds, Mutant::CheckpointExpectsOwnerOnly, &[Rule::S5]), ("S5".to_owned(), 9));
}

#[test]
fn m3_a_take_that_keeps_the_counter() {
    assert_eq!(caught(Bounds::PLAIN, Mutant::TakeKeepsCounter, &Rule::ALL), ("S8".to_owned(), 2));
}

#[test]
fn m4_a_row_that_is_created_again() {
    let bounds = Bounds { workers: 1, counter: 3, crashes: 0, releases: false, deletes: true, ..Bounds::PLAIN };
    assert_eq!(caught(bounds, Mutant::RowCreatedAgain, &Rule::ALL), ("S7".to_owned(), 12));
}

#[test]
fn m7_a_checkpoint_confirmed_by_owner_and_counter() {
    let bounds = Bounds { counter: 3, ..Bounds::PLAIN };
    assert_eq!(caught(bounds, Mutant::ConfirmedByOwnerAndCounter, &Rule::ALL), ("S9".to_owned(), 9));
}

/// Without tokens of its own, a take whose answer was lost is confirmed by one of the twin, or by an older one that arrives
/// after it was sent.
#[test]
fn m38_takes_that_share_a_token() {
    let bounds = Bounds { twins: true, crashes: 0, ..Bounds::PLAIN };
    assert_eq!(caught(bounds, Mutant::OneToken, &[Rule::S7]), ("S7".to_owned(), 5));
    assert_eq!(caught(Bounds::PLAIN, Mutant::OneToken, &[Rule::P5]), ("P5".to_owned(), 7));
}
