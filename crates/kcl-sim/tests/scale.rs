//! A fleet without faults balances its leases in time and without moving any of them twice. The large version is
//! `kcl-sim scale`.

use std::time::Duration;

use kcl_core::Verb;
use kcl_sim::scenario::scale::{Scale, run, take_interval};

#[test]
fn ten_workers_and_two_hundred_shards_are_balanced_within_three_take_intervals_and_no_lease_moves_twice() {
    let scale = Scale {
        seed: 1,
        workers: 10,
        shards: 200,
        lost: 3,
        reshard: true,
        joining: 0,
        spread: Duration::from_millis(100),
        patience: Duration::from_secs(120),
    };
    let three_intervals = take_interval(Duration::from_secs(10)) * 3;
    let all = run(scale, |_| ()).unwrap();
    // Every lease is taken once; of a reshard, each of the 400 children.
    let moved: Vec<_> = all.iter().map(|one| (one.name, one.tally.moved(), one.tally.moved_again())).collect();
    assert_eq!(moved, [("start", 200, 0), ("loss", 60, 0), ("reshard", 400, 0)]);
    for one in &all {
        assert!(one.balanced_after.is_some_and(|time| time <= three_intervals), "{one}");
        let (applied, rejected) = one.tally.of(&[Verb::Take, Verb::Create]);
        assert!(rejected <= applied, "no storm of rejected writes: {one}");
    }
}
