//! One process is in trouble.

use std::time::Duration;

use kcl_core::ErrorKind;
use kcl_sim::scenario::{Action, Script, call, secs};
use kcl_sim::trace::{Event, Stage};
use kcl_sim::world::{Api, Fate};

use super::seen::{batches, process, when};

#[test]
fn two_processes_under_one_name_do_no_harm() {
    let report = Script::new().shards(3).chaos(secs(120)).at(secs(20), Action::Twin(0)).expect_clean();
    let names: Vec<_> = report
        .entries
        .iter()
        .filter_map(|entry| match &entry.event {
            Event::Started(node, name) => Some((*node, name.clone())),
            _ => None,
        })
        .collect();
    assert_eq!(names.first().map(|(_, name)| name), names.last().map(|(_, name)| name));
    assert_eq!(names.len(), 3);
    // The second process watched the table from the beginning, and each did work at some time.
    let (first, second) = (names[0].0, names[2].0);
    let watched = when(&report, secs(20), |event| *event == Event::Called(second, Api::Scan));
    assert!(watched.is_some_and(|at| at < secs(40)), "watched={watched:?}");
    let worked = |node| !batches(&report, node, secs(20), Duration::MAX).is_empty();
    assert!(worked(first) && worked(second));
}

/// Stopped as by SIGSTOP in the middle of a batch, for longer than the failover time.
#[test]
fn a_zombie_begins_nothing() {
    let script = Script::new().shards(2).chaos(secs(100)).with(|options| options.behaviour.slowest = secs(3));
    let calm = script.run();
    let me = process(1);
    let finishes = |at: Duration| when(&calm, at, |event| matches!(event, Event::Processed(tenure) if tenure.node == me));
    let long = |at: Duration| finishes(at).is_some_and(|end| end > at + secs(1));
    let (at, tenure) = batches(&calm, me, secs(30), secs(60)).into_iter().find(|(at, _)| long(*at)).expect("a long batch");
    let (pause, resume) = (at + Duration::from_millis(100), at + Duration::from_millis(100) + secs(25));
    let report = script.at(pause, Action::Pause(0, secs(25))).expect_clean();
    assert_eq!(when(&report, secs(0), |event| *event == Event::Paused(me)), Some(pause));
    assert_eq!(when(&report, secs(0), |event| *event == Event::Resumed(me)), Some(resume));
    let of_tenure = |event: &Event| matches!(event, Event::Processed(seen) if seen == tenure);
    assert!(when(&report, at, of_tenure).is_some_and(|end| end >= resume), "the pause was in the middle of a batch");
    let more = batches(&report, me, resume, Duration::MAX).into_iter().filter(|(_, seen)| *seen == tenure).count();
    assert_eq!(more, 0, "{report}");
    // Somebody else had gone on before.
    let other = |(_, seen): &(Duration, &_)| -> bool {
        let seen: &kcl_sim::trace::Tenure = seen;
        seen.shard == tenure.shard
    };
    assert!(batches(&report, process(2), pause, resume).iter().any(other));
}

#[test]
fn a_stream_that_is_gone_for_a_while_is_read_on() {
    let report = Script::new().shards(2).chaos(secs(100)).at(secs(40), Action::StreamGone(secs(20))).expect_clean();
    let during = |event: &Event| when(&report, secs(41), |seen| seen == event).is_some_and(|at| at < secs(60));
    assert!(during(&Event::Called(process(1), Api::Next)) || during(&Event::Called(process(1), Api::Open)));
    let read = when(&report, secs(41), |event| matches!(event, Event::Read(..)));
    assert!(read.is_some_and(|at| at >= secs(60)), "read={read:?}");
}

#[test]
fn a_shutdown_without_the_store_ends() {
    let cut = (secs(40), secs(90));
    let script = Script::new().shards(2).chaos(secs(150)).at(cut.0, Action::Cut(0, cut.1)).at(secs(41), Action::Stop(0));
    let report = script.expect_clean();
    let me = process(1);
    let stopped = when(&report, secs(0), |event| matches!(event, Event::Stopped(node, _) if *node == me)).expect("it stops");
    assert!(stopped < cut.0 + cut.1, "stopped={stopped:?}");
    let heal = when(&report, secs(0), |event| *event == Event::Enter(Stage::Heal)).expect("the run goes on");
    assert!(!batches(&report, process(2), stopped, heal).is_empty());
}

/// What a reader is told goes wrong in the first calls that it makes.
#[test]
fn the_first_reads_may_fail() {
    let expired = Fate::Fail(ErrorKind::Expired);
    let script = Script::new().on(call(1, Api::List, 1), Fate::Fail(ErrorKind::Unavailable));
    let script = script.on(call(2, Api::Prepare, 1), Fate::Fail(ErrorKind::NotReady));
    let report = script.clone().on(call(1, Api::Next, 1), expired).run();
    assert!(report.is_clean(), "{report}");
    let report = script.on(call(2, Api::Next, 1), expired).run();
    assert!(report.is_clean(), "{report}");
}
