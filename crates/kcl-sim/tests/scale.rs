//! A fleet without faults balances its leases in time and without moving any of them twice. The large version is
//! `kcl-sim scale`.

use std::time::Duration;

use kcl_core::Verb;
use kcl_sim::scenario::curve::{Curve, Failover, run as failover};
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

/// A small point of `kcl-sim curve`: rarer scans cost less and notice a death later, and never read what scans tell.
#[test]
fn rarer_scans_cost_less_and_the_leases_of_a_dead_worker_are_read_again_later() {
    let at = |seconds: u64| Curve {
        workers: 4,
        shards: 32,
        failover: Duration::from_secs(10),
        scan_interval: Some(Duration::from_secs(seconds)),
    };
    let mut before: Option<Failover> = None;
    for seconds in [1, 5, 20] {
        let curve = at(seconds);
        let found = failover(curve, 1).unwrap();
        assert_eq!(found.idle.gets, 0, "{seconds}");
        let minutes = found.idle_for.as_secs() / 60;
        assert!(found.idle.scans <= 4 * (60 * minutes / seconds + 1), "{seconds}: {}", found.idle.scans);
        // A renewal before the death, an interval until it is seen, the failover time, another interval where that is longer.
        let latest = Duration::from_secs(10 + 4) + (curve.scan_interval.unwrap() * 10 / 9) * if seconds > 10 { 2 } else { 1 };
        assert!(found.read_after > Duration::from_secs(6) && found.read_after < latest, "{seconds}: {:?}", found.read_after);
        if let Some(before) = before {
            assert!(found.read_after > before.read_after, "{seconds}: {:?}", found.read_after);
            assert!(found.idle_units(&curve, 320) < before.idle_units(&curve, 320) / 3.0);
        }
        before = Some(found);
    }
}
