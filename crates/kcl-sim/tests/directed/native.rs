//! Java workers of the same table go over to the native mode of KCL 3.x, and are rolled back.

use std::collections::BTreeSet;
use std::time::Duration;

use kcl_core::Verb;
use kcl_sim::scenario::{Action, Plan, Report, Script, secs, seed_of, swarm};
use kcl_sim::trace::Event;
use kcl_sim::world::Api;

/// When something of this kind happened, and to whom.
fn times<T>(report: &Report, of: impl Fn(&Event) -> Option<T>) -> Vec<(Duration, T)> {
    report.entries.iter().filter_map(|entry| Some((entry.at, of(&entry.event)?))).collect()
}

#[test]
fn a_fleet_leaves_and_comes_back() {
    let script = Script::new().workers(3).shards(6).chaos(secs(320)).at(secs(65), Action::GoNative(secs(150)));
    let report = script.expect_clean();
    let left = times(&report, |event| if let Event::Left(node) = event { Some(*node) } else { None });
    assert_eq!(left.iter().map(|(_, node)| node).collect::<BTreeSet<_>>().len(), 3, "{left:?}");
    let last = left.last().unwrap().0;
    assert!(last > secs(65) && last < secs(160), "{last:?}");
    let takes = times(&report, |event| matches!(event, Event::Called(_, Api::Write(Verb::Take))).then_some(()));
    assert!(takes.iter().all(|(at, ())| *at < last || *at > secs(215)), "{takes:?}");
    assert!(takes.iter().any(|(at, ())| *at > secs(215)), "they come back");
    let running = times(&report, |event| matches!(event, Event::Running(_)).then_some(()));
    assert_eq!(running.len(), 6, "each was started twice");
}

/// Whatever else goes wrong meanwhile.
#[test]
fn a_fleet_in_trouble_leaves_and_comes_back() {
    let mut left = 0;
    for seed in (0..24).map(|nth| seed_of(0x6e61_7469_7665, nth)) {
        let mut plan = Plan::draw(seed);
        let at = plan.options.chaos / 8;
        let before = plan.actions.partition_point(|(time, _)| *time < at);
        plan.actions.insert(before, (at, Action::GoNative(plan.options.chaos / 2)));
        let report = swarm::run(&plan);
        assert!(report.is_clean(), "{report}");
        left += times(&report, |event| matches!(event, Event::Left(_)).then_some(())).len();
    }
    assert!(left >= 10, "left={left}");
}
