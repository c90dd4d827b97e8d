use futures_util::future::join;
use kcl_core::{Checkpoint, TenureToken, WorkerId};

use super::*;

fn lease(key: &str) -> Lease {
    Lease::new(key.into(), Checkpoint::TrimHorizon)
}

fn keys(store: &MemoryLeaseStore) -> Vec<String> {
    store.leases().iter().map(|lease| lease.key.to_string()).collect()
}

#[test]
fn edits_by_hand_are_unconditional_sorted_and_not_counted() {
    let store = MemoryLeaseStore::new();
    let same = store.clone();
    for key in ["b", "a", "c"] {
        same.put(lease(key));
    }
    assert_eq!(keys(&store), ["a", "b", "c"]);
    assert_eq!(store.remove("b"), Some(lease("b")));
    assert_eq!(store.remove("b"), None);
    assert_eq!(keys(&same), ["a", "c"], "a clone is the same table");
    assert!(store.writes().is_empty());
}

#[tokio::test]
async fn writes_are_counted_by_verb_and_outcome() {
    let store = MemoryLeaseStore::new();
    let create = LeaseWrite::create(lease("a"));
    assert_eq!(store.write(&create).await.unwrap(), WriteOutcome::Applied(lease("a")));
    assert_eq!(store.write(&create).await.unwrap(), WriteOutcome::Rejected { current: Some(lease("a")) });
    let take = LeaseWrite::take(&lease("a"), &WorkerId::new("w"), TenureToken::new(1));
    assert!(matches!(store.write(&take).await.unwrap(), WriteOutcome::Applied(row) if row.is_owned_by(&"w".into())));
    assert_eq!(store.writes_of(Verb::Create), WriteCount { applied: 1, rejected: 1 });
    assert_eq!(store.writes_of(Verb::Take), WriteCount { applied: 1, rejected: 0 });
    assert_eq!(store.writes().keys().copied().collect::<Vec<_>>(), [Verb::Create, Verb::Take]);
}

#[tokio::test]
async fn a_row_that_is_no_lease_is_named_and_never_written() {
    let store = MemoryLeaseStore::new();
    store.put(lease("a"));
    store.add_unreadable("b", "the counter is no number");
    let scan = store.scan().await.unwrap();
    assert_eq!(scan.leases, [lease("a")]);
    assert_eq!(scan.unreadable, [UnreadableRow { key: "b".into(), reason: "the counter is no number".into() }]);
    assert_eq!(store.get(&"b".into()).await.unwrap_err().kind(), ErrorKind::Corrupt);
    for write in [LeaseWrite::create(lease("b")), LeaseWrite::renew(&lease("b"))] {
        assert_eq!(store.write(&write).await.unwrap(), WriteOutcome::Rejected { current: None });
    }
    assert_eq!(keys(&store), ["a"]);
}

#[test]
fn a_call_that_is_never_polled_has_no_effect() {
    let store = MemoryLeaseStore::new();
    let write = LeaseWrite::create(lease("a"));
    drop(store.write(&write));
    assert!(store.leases().is_empty());
}

#[tokio::test]
async fn who_waits_is_told_of_every_change_of_a_row() {
    let store = MemoryLeaseStore::new();
    let waits = |wanted: fn(&[Lease]) -> bool| {
        let store = store.clone();
        async move { store.wait_until(wanted).await }
    };
    let write = async {
        for write in [LeaseWrite::create(lease("a")), LeaseWrite::take(&lease("a"), &"worker".into(), TenureToken::new(1))] {
            assert!(matches!(store.write(&write).await, Ok(WriteOutcome::Applied(_))));
        }
    };
    join(waits(|leases| leases.iter().any(|lease| lease.owner.is_some())), write).await;
    join(waits(<[Lease]>::is_empty), async { drop(store.remove("a")) }).await;
    join(waits(|leases| leases.len() == 1), async { store.put(lease("a")) }).await;
}
