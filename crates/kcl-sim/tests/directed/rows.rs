//! Rows that come and go.

use kcl_core::{LeaseKey, Verb};
use kcl_sim::scenario::{Action, Report, Script, call, secs};
use kcl_sim::trace::{Applied, Event};
use kcl_sim::world::Fate;

use super::seen::{process, when, writes};

fn first(report: &Report, verb: Verb) -> Option<(std::time::Duration, &Applied)> {
    writes(report).find(|(_, write)| write.applied && write.write.verb() == verb)
}

fn creations(report: &Report, key: &LeaseKey) -> usize {
    writes(report).filter(|(_, write)| write.applied && write.write.key() == key && write.write.verb() == Verb::Create).count()
}

/// While a worker is cut off the shard ends and its row goes. The worker then learns by a read of that row that it is gone,
/// and knows no other: the table must not look empty to it.
#[test]
fn the_row_of_a_finished_shard_does_not_come_back_after_a_cut() {
    for (nth, cut) in [(0, process(1)), (1, process(2))] {
        let script = Script::new().chaos(secs(260)).at(secs(15), Action::Cut(nth, secs(200))).at(secs(17), Action::Split(0));
        let report = script.expect_clean();
        let (deleted, write) = first(&report, Verb::Delete).expect("the row goes");
        let joined = when(&report, secs(0), |event| *event == Event::Joined(cut)).expect("the cut ends");
        assert!(deleted < joined && write.node != cut);
        assert_eq!(creations(&report, write.write.key()), 1);
    }
}

/// Somebody's creation of a row is under way for a minute. By then the shard is finished: the row that says so must still be there.
#[test]
fn a_creation_that_arrives_a_minute_late_finds_the_finished_row() {
    for worker in [1, 2] {
        let script = Script::new().chaos(secs(200)).at(secs(8), Action::Split(0));
        let script = script.on(call(worker, Verb::Create, 1), Fate::DelayApply(secs(60)));
        let report = script.run();
        assert!(report.is_clean(), "{report}");
        let late = writes(&report).find(|(at, write)| write.write.verb() == Verb::Create && *at >= write.sent + secs(60));
        // Only one of them leads, and creates.
        let Some((at, write)) = late else { continue };
        assert!(!write.applied);
        let (deleted, _) = first(&report, Verb::Delete).expect("the row goes in the end");
        assert!(deleted > at);
        assert_eq!(creations(&report, write.write.key()), 1);
        return;
    }
    panic!("no creation was late");
}
