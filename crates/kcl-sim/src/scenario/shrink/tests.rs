use kcl_core::Verb;

use super::*;
use crate::exec::NodeId;
use crate::oracle::Violation;
use crate::scenario::{Script, call, seed_of};
use crate::world::{FaultKind, FaultMix, Mutant};

/// A run that costs nothing: every fault that is planned by chance happens to a few calls.
fn played(plan: &Plan, fails: impl Fn(&Plan) -> bool) -> Report {
    let violation = Violation { invariant: "S0", what: String::new(), entry: 0 };
    let violations = if fails(plan) { vec![violation] } else { Vec::new() };
    Report { plan: plan.clone(), violations, hash: 0, simulated: Duration::ZERO, polls: 0, entries: Vec::new() }
}

#[test]
fn only_what_matters_is_left() {
    let needed = call(2, Verb::Renew, 3);
    let mut script = Script::new().workers(8).shards(12).chaos(Duration::from_secs(300));
    for nth in 1..60 {
        script = script.on(call(2, Verb::Renew, nth), Fate::LoseReply).on(call(1, Verb::Take, nth), Fate::LoseReply);
        script = script.at(Duration::from_secs(nth), Action::Split(nth)).at(Duration::from_secs(nth), Action::Twin(nth));
    }
    let fails = |plan: &Plan| {
        let twins = plan.actions.iter().any(|(_, action)| *action == Action::Twin(7));
        twins && plan.options.workers >= 3 && plan.store.decided.contains_key(&needed)
    };
    let (mut runs, mut last) = (0, None);
    let run = |plan: &Plan| played(plan, fails);
    let report =
        shrink_by(script.plan(), "S0", 400, |progress| (runs, last) = (progress.runs, Some(progress.clone())), run).unwrap();
    let plan = report.plan;
    assert_eq!(plan.actions.iter().map(|(_, action)| action).collect::<Vec<_>>(), [&Action::Twin(7)]);
    assert_eq!(plan.store.decided.keys().collect::<Vec<_>>(), [&needed]);
    assert_eq!((plan.options.workers, plan.options.shards), (3, 1));
    assert!(plan.options.chaos < Duration::from_secs(12), "chaos={:?}", plan.options.chaos);
    assert!(runs < 150, "runs={runs}");
    assert_eq!(last.map(|progress| (progress.faults, progress.actions)), Some((1, 1)));
}

#[test]
fn a_plan_that_does_not_fail_is_not_shrunk() {
    assert!(shrink_by(Script::new().plan(), "S0", 400, |_| {}, |plan| played(plan, |_| false)).is_none());
}

#[test]
fn the_number_of_runs_is_bounded() {
    let mut runs = 0;
    let run = |plan: &Plan| {
        runs += 1;
        played(plan, |_| true)
    };
    assert!(shrink_by(&Plan::draw(seed_of(0, 0)), "S0", 5, |_| {}, run).is_some());
    assert_eq!(runs, 5);
}

/// The shipped worker under a store with a known defect.
#[test]
fn a_run_with_a_mutant_becomes_small() {
    let actions = (1..8).map(|nth| (Duration::from_secs(nth * 6), Action::Split(nth)));
    let mut plan = Plan { mutant: Mutant::CheckpointNotStored, ..Script::new().workers(3).shards(3).plan().clone() };
    plan.actions = actions.collect();
    let often = |kinds: &[FaultKind]| FaultPlan {
        mix: FaultMix(kinds.iter().map(|kind| (*kind, 1_500)).collect()),
        ..FaultPlan::default()
    };
    plan.store = often(&[FaultKind::Unavailable, FaultKind::LoseReply, FaultKind::SlowReply, FaultKind::StaleScan]);
    plan.stream = often(&[FaultKind::EmptyPage, FaultKind::Throttle]);
    let faults = |report: &Report| report.entries.iter().filter(|entry| matches!(entry.event, Event::Fault(..))).count();
    assert!(faults(&swarm::run(&plan)) > 50);
    let report = shrink(&plan, "S9", 60, |_| {}).unwrap();
    assert!(report.violates("S9"));
    let shrunk = &report.plan;
    assert!(shrunk.actions.is_empty() && decided(shrunk).next().is_none(), "{}", Script::from(shrunk.clone()));
    assert!((shrunk.options.workers, shrunk.options.shards) <= (1, 2), "{}", Script::from(shrunk.clone()));
    assert!(shrunk.options.chaos <= Duration::from_secs(30), "chaos={:?}", shrunk.options.chaos);
    assert!(!report.entries.iter().any(|entry| matches!(entry.event, Event::Started(NodeId(2), _))));
    // The text of it is a run of its own that fails, too.
    assert!(Script::from(shrunk.clone()).run().violates("S9"));
}
