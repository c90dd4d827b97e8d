use kcl_core::{Lease, LeaseStore, LeaseWrite, WorkerId};

use super::full;
use crate::conformance::check::{applied, rejected};

/// A row whose owner hands leases off and that nobody asks for.
fn held(key: &str) -> Lease {
    Lease { checkpoint_owner: None, requested_by: None, ..full(key) }
}

fn request(seen: &Lease, by: &str) -> LeaseWrite {
    LeaseWrite::request(seen, &by.into()).unwrap_or_else(|| panic!("the owner can be asked for it: {seen:?}"))
}

fn transfer(seen: &Lease, to: &str) -> LeaseWrite {
    LeaseWrite::transfer(seen, &to.into()).unwrap_or_else(|| panic!("there is an owner: {seen:?}"))
}

/// `request` names who asks and leaves the counter alone, so that the owner's next write applies.
pub async fn request_names_who_asks(store: &dyn LeaseStore) {
    let seen = applied(store, &LeaseWrite::create(held("a"))).await;
    let asked = applied(store, &request(&seen, "owner-c")).await;
    assert_eq!(asked, Lease { requested_by: Some("owner-c".into()), ..seen.clone() });
    let renewed = applied(store, &LeaseWrite::renew(&seen)).await;
    assert_eq!(renewed, Lease { counter: seen.counter.next(), ..asked });
}

/// `request` is rejected while somebody asks, and for another version.
pub async fn request_replaces_no_other(store: &dyn LeaseStore) {
    let seen = applied(store, &LeaseWrite::create(held("a"))).await;
    let asked = applied(store, &request(&seen, "owner-c")).await;
    rejected(store, &request(&seen, "owner-d"), Some(&asked)).await;
    let seen = applied(store, &LeaseWrite::create(held("b"))).await;
    let renewed = applied(store, &LeaseWrite::renew(&seen)).await;
    rejected(store, &request(&seen, "owner-c"), Some(&renewed)).await;
}

/// `withdraw` removes the request of one worker, whatever the version, and no other's.
pub async fn withdraw_removes_the_own_request(store: &dyn LeaseStore) {
    let seen = applied(store, &LeaseWrite::create(held("a"))).await;
    applied(store, &request(&seen, "owner-c")).await;
    let asked = applied(store, &LeaseWrite::renew(&seen)).await;
    rejected(store, &LeaseWrite::withdraw(&seen.key, &"owner-d".into()), Some(&asked)).await;
    let withdraw = LeaseWrite::withdraw(&seen.key, &"owner-c".into());
    let withdrawn = applied(store, &withdraw).await;
    assert_eq!(withdrawn, Lease { requested_by: None, ..asked });
    rejected(store, &withdraw, Some(&withdrawn)).await;
}

/// `transfer` makes who asked the owner, and is rejected once the request was withdrawn.
pub async fn transfer_needs_the_request(store: &dyn LeaseStore) {
    let seen = applied(store, &LeaseWrite::create(held("a"))).await;
    rejected(store, &transfer(&seen, "owner-c"), Some(&seen)).await;
    let asked = applied(store, &request(&seen, "owner-c")).await;
    rejected(store, &transfer(&asked, "owner-d"), Some(&asked)).await;
    let expected = Lease {
        owner: Some("owner-c".into()),
        owner_switches: seen.owner_switches + 1,
        counter: seen.counter.next(),
        hands_off: None,
        ..seen
    };
    assert_eq!(applied(store, &transfer(&asked, "owner-c")).await, expected);
    rejected(store, &transfer(&asked, "owner-c"), Some(&expected)).await;
}

/// `take` removes what was asked of the former owner and says whether the new one hands off.
pub async fn take_ends_a_request(store: &dyn LeaseStore) {
    for (key, hands_off) in [("a", true), ("b", false)] {
        let seen = applied(store, &LeaseWrite::create(full(key))).await;
        assert!(seen.requested_by.is_some());
        let taker = WorkerId::new("owner-c");
        let take = LeaseWrite::take(&seen, &taker, kcl_core::TenureToken::new(5)).with_hand_off(hands_off);
        let taken = applied(store, &take).await;
        assert_eq!((taken.requested_by, taken.hands_off), (None, hands_off.then_some(taker)));
    }
}
