use super::*;
use crate::spec::Size;
use crate::spec::bfs::{Limits, Outcome, Verdict, explore};

const LIMITS: Limits = Limits { max_states: 100_000_000 };
const SMALL: Bounds = Bounds { records: 1, ..Bounds::PLAIN };

/// How a mistake is caught, and how long the shortest way there is.
fn caught(bounds: Bounds, mutant: Mutant, rules: &[Rule]) -> (String, usize) {
    let outcome: Outcome = explore(&HandoffModel::watching(bounds, Some(mutant), rules), LIMITS);
    match &outcome.verdict {
        Verdict::Violated { invariant, trace } => (invariant.split(':').next().unwrap_or_default().to_owned(), trace.steps.len()),
        Verdict::DeadEnd { trace, .. } => ("dead end".to_owned(), trace.steps.len()),
        _ => panic!("{mutant:?} survives: {outcome}"),
    }
}

#[test]
fn the_protocol_holds_in_every_world() {
    for (name, bounds) in Bounds::worlds(Size::from_env()) {
        let outcome = explore(&HandoffModel::new(bounds), LIMITS);
        println!("{name}: {outcome}");
        assert!(outcome.is_clean(), "{name}: {outcome}");
        assert!(outcome.states > 500, "{name}: the world is empty");
    }
}

#[test]
fn m29_whoever_asked_waits_for_ever() {
    let silent = Bounds { cooperative: false, ..SMALL };
    assert_eq!(caught(silent, Mutant::TargetNeverTimesOut, &Rule::ALL), ("dead end".to_owned(), 2));
}

/// The target has died, and the owner renews a lease of which it will never hand a record over.
#[test]
fn m29_an_owner_drains_for_ever() {
    let bounds = Bounds { hangs: 1, deaths: 1, ..SMALL };
    assert_eq!(caught(bounds, Mutant::OwnerNeverTimesOut, &Rule::ALL), ("dead end".to_owned(), 6));
}

#[test]
fn a_transfer_that_keeps_the_counter() {
    assert_eq!(caught(SMALL, Mutant::TransferKeepsCounter, &Rule::ALL), ("S8".to_owned(), 7));
    // What the rule about counters is for.
    assert_eq!(caught(SMALL, Mutant::TransferKeepsCounter, &[Rule::OneTenure]), ("one tenure for each counter".to_owned(), 7));
}

#[test]
fn an_owner_that_goes_on_after_it_sent_a_transfer() {
    let silent = "nothing is handed over after a transfer was sent";
    assert_eq!(caught(Bounds::PLAIN, Mutant::DeliversAfterTransfer, &Rule::ALL), (silent.to_owned(), 7));
    let duplicates = "a planned move has no duplicates";
    assert_eq!(caught(Bounds::PLAIN, Mutant::DeliversAfterTransfer, &[Rule::NoDuplicates]), (duplicates.to_owned(), 11));
}

#[test]
fn a_transfer_before_the_last_checkpoint() {
    assert_eq!(caught(SMALL, Mutant::TransfersBeforeCheckpoint, &Rule::ALL), ("a planned move has no duplicates".to_owned(), 8));
}

#[test]
fn a_request_that_replaces_another() {
    let bounds = Bounds { requesters: 2, ..SMALL };
    assert_eq!(caught(bounds, Mutant::RequestReplaces, &Rule::ALL), ("a request replaces no other".to_owned(), 4));
}

#[test]
fn a_request_that_expects_no_version() {
    let bounds = Bounds { deaths: 1, pauses: 1, ..SMALL };
    assert_eq!(caught(bounds, Mutant::RequestExpectsNothing, &Rule::ALL), ("a stale request moves nothing".to_owned(), 8));
}

#[test]
fn a_take_that_keeps_the_request() {
    let bounds = Bounds { pauses: 1, ..SMALL };
    assert_eq!(caught(bounds, Mutant::TakeKeepsRequest, &Rule::ALL), ("a stale request moves nothing".to_owned(), 6));
}

#[test]
fn a_transfer_that_expects_the_owner_only() {
    // A transfer expects the request, too: with that missing as well it would be caught after 13 steps.
    assert_eq!(caught(Bounds::PLAIN, Mutant::TransferExpectsOwnerOnly, &Rule::ALL), ("S7".to_owned(), 16));
}
