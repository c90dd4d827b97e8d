//! Races with workers of the Java library, which knows nothing of hand-offs and looks at the counter alone.

use std::time::Duration;

use kcl_core::Verb;
use kcl_sim::exec::NodeId;
use kcl_sim::scenario::{Action, Replacement, Report, Script, call, secs};
use kcl_sim::trace::{Applied, Event};
use kcl_sim::world::{Api, Edit, Fate};

use super::seen::{process, writes};

/// One of this library, one of Java, and another of this library. Java looks every eight seconds.
fn mixed() -> Script {
    let script = Script::new().workers(3).shards(9).failover(secs(4)).chaos(secs(120)).settle(secs(400));
    script.with(|options| {
        options.java.two = [2].into();
        options.hand_off = secs(8);
    })
}

/// Runs the script with seeds until this happened in one; each run must be clean.
#[track_caller]
fn until(script: &Script, happened: impl Fn(&Report) -> bool) -> Report {
    let mut runs = (1..=40).map(|seed| script.clone().seed(seed).expect_clean());
    runs.find(happened).expect("it happens in one of the runs")
}

fn takes(report: &Report) -> impl Iterator<Item = (Duration, &Applied)> {
    writes(report).filter(|(_, write)| write.write.verb() == Verb::Take)
}

fn is_java(node: NodeId) -> bool {
    node == process(2)
}

/// What a worker of this library releases carries its token, and whom it said that it hands off to.
#[test]
fn a_java_worker_takes_what_was_released() {
    let script = mixed().at(secs(30), Action::Stop(0)).at(secs(60), Action::Edit(3, Edit::Free));
    let released = |write: &Applied| {
        let ours = write.before.as_ref().is_some_and(|row| row.owner.is_none() && row.tenure.is_some());
        write.applied && is_java(write.node) && ours
    };
    let report = until(&script, |report| takes(report).any(|(_, write)| released(write)));
    let (at, take) = takes(&report).find(|(_, write)| released(write)).expect("it happened");
    let row = take.after.as_ref().expect("a row");
    assert!(row.tenure.is_some() && row.hands_off.is_some() && !row.can_be_asked_for(), "Java leaves them: {row:?}");
    let asked = |(then, write): &(Duration, &Applied)| {
        *then > at
            && write.write.verb() == Verb::Request
            && write.before.as_ref().is_some_and(|row| row.is_owned_by(&"w2".into()))
    };
    assert!(!writes(&report).any(|write| asked(&write)), "nobody asks a Java worker");
}

/// Both find the leases of a dead worker expired and want the same one: the counter lets one have it.
#[test]
fn both_take_a_dead_workers_lease() {
    // The Java worker sees the table as it was some seconds ago.
    let late = |script: Script, nth| script.on(call(2, Api::Scan, nth), Fate::Stale(secs(10)));
    let script = (4..12).fold(mixed(), late).at(secs(31), Action::Kill(0, Replacement::Nobody));
    let both = |report: &Report| -> Option<(Duration, bool)> {
        let lost = takes(report).filter(|(at, write)| !write.applied && *at > secs(31));
        let mut by_both = lost.filter_map(|(at, loser)| {
            let won = |(then, winner): &(Duration, &Applied)| {
                winner.applied && winner.write.key() == loser.write.key() && *then <= at && at - *then < secs(10)
            };
            let (_, winner) = takes(report).find(won)?;
            (is_java(winner.node) != is_java(loser.node)).then(|| (at, is_java(winner.node)))
        });
        by_both.next()
    };
    let report = until(&script, |report| both(report).is_some());
    assert!(report.entries.iter().any(|entry| matches!(entry.event, Event::Killed(node) if node == process(1))));
}

/// Two shards are merged, and the row of one is removed before it is read to its end. Whoever of this library ends the other one must
/// not create the row of their child: a Java worker takes a parent without a row for finished.
#[test]
fn the_child_of_a_merge_gets_no_row_while_a_parent_has_none() {
    let script = Script::new().workers(2).shards(2).failover(secs(4)).chaos(secs(120)).settle(secs(400));
    let script = script.with(|options| {
        options.java.two = [2].into();
        options.poll = secs(2);
    });
    for (seed, nth) in (1..=6).flat_map(|seed| [(seed, 0), (seed, 1)]) {
        let script = script.clone().seed(seed).at(secs(30), Action::Edit(nth, Edit::Remove)).at(secs(30), Action::Merge(0));
        script.expect_clean();
    }
}
