//! One write of the lease table goes wrong.

use std::time::Duration;

use kcl_core::{ErrorKind, Verb};
use kcl_sim::scenario::{Action, Report, Script, call, secs};
use kcl_sim::trace::{Event, Told};
use kcl_sim::world::Fate;

use super::seen::{batches, first_write, is_end, process, when, writes};

/// Two shards, so that both workers have one; one is split, and one worker stops.
fn busy() -> Script {
    Script::new().shards(2).chaos(secs(260)).at(secs(25), Action::Split(0)).at(secs(60), Action::Stop(1))
}

fn told(report: &Report, verb: Verb, kind: ErrorKind) -> bool {
    report
        .entries
        .iter()
        .any(|entry| matches!(&entry.event, Event::Told(_, seen, _, Told::Failed(why)) if *seen == verb && *why == kind))
}

/// Runs with this fate of the first such write that is for a row after which nobody asks otherwise.
fn with_fate(verb: Verb, fate: Fate) -> Report {
    let (node, nth) = first_write(&busy().run(), verb, |write| write.applied).expect("such a write is made");
    busy().on(call(node, verb, nth), fate).expect_clean()
}

#[test]
fn the_lost_answer_of_any_write_does_no_harm() {
    for verb in [Verb::Create, Verb::Take, Verb::Renew, Verb::Checkpoint, Verb::Release, Verb::Delete] {
        let report = with_fate(verb, Fate::LoseReply);
        assert!(told(&report, verb, ErrorKind::Indeterminate), "{verb:?}");
    }
}

#[test]
fn a_write_that_arrives_twice_does_no_harm() {
    for verb in [Verb::Create, Verb::Take, Verb::Renew, Verb::Checkpoint, Verb::Release, Verb::Delete] {
        let report = with_fate(verb, Fate::ApplyTwice(Duration::from_millis(1_500)));
        let mut seen: Vec<_> = writes(&report).filter(|(_, write)| write.write.verb() == verb).map(|(_, write)| write).collect();
        // The second arrival of the very same write, which the row refuses by then.
        let twice = seen.iter().any(|one| {
            seen.iter().filter(|other| (other.node, other.sent, &other.write) == (one.node, one.sent, &one.write)).count() == 2
        });
        assert!(twice, "{verb:?}");
        seen.retain(|write| write.applied);
        assert!(!seen.is_empty());
    }
}

#[test]
fn a_write_that_arrives_a_minute_late_does_no_harm() {
    for verb in [Verb::Take, Verb::Renew, Verb::Checkpoint] {
        let report = with_fate(verb, Fate::DelayApply(secs(60)));
        assert!(writes(&report).any(|(at, write)| write.write.verb() == verb && at >= write.sent + secs(60)), "{verb:?}");
    }
}

#[test]
fn the_lost_answer_of_an_end_does_no_harm() {
    let (node, nth) = first_write(&busy().run(), Verb::Checkpoint, |write| is_end(write.after.as_ref())).expect("a shard ends");
    let report = busy().on(call(node, Verb::Checkpoint, nth), Fate::LoseReply).expect_clean();
    assert!(told(&report, Verb::Checkpoint, ErrorKind::Indeterminate));
}

/// The renewal is applied six seconds after it was sent. Its sender cannot know; its lease counts from the one before.
#[test]
fn a_late_applied_renewal_does_not_extend_the_deadline() {
    let script = Script::new().shards(2).chaos(secs(120)).on(call(1, Verb::Renew, 12), Fate::DelayApply(secs(6)));
    let sent =
        when(&script.run(), secs(0), |event| matches!(event, Event::Fault(_, _, 12, Fate::DelayApply(_)))).expect("it is sent");
    let script = script.at(sent + Duration::from_millis(1), Action::Cut(0, secs(30)));
    let report = script.expect_clean();
    let me = process(1);
    let key =
        writes(&report).find(|(_, write)| write.node == me && write.sent == sent).map(|(_, write)| write.write.key().clone());
    let key = key.expect("it arrives");
    let late = writes(&report).find(|(at, write)| write.node == me && write.sent == sent && *at >= sent + secs(6));
    assert!(late.is_some_and(|(_, write)| write.applied), "it is applied late");
    let before =
        writes(&report).filter(|(at, write)| *at < sent && write.node == me && *write.write.key() == key && write.applied);
    let credited = before.last().map(|(_, write)| write.sent).expect("there was one before");
    let joined = when(&report, sent, |event| *event == Event::Joined(me)).expect("the cut ends");
    assert!(joined > sent + secs(10));
    let begun = batches(&report, me, credited + secs(9), joined);
    let begun: Vec<_> = begun.into_iter().filter(|(_, tenure)| tenure.shard == key.shard_id()).collect();
    assert!(begun.is_empty(), "{begun:?}");
    assert!(!batches(&report, me, secs(0), credited + secs(9)).is_empty());
}
