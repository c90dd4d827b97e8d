use kcl_core::{Checkpoint, HashKeyRange, Lease, LeaseCounter, LeaseStore, LeaseWrite, PendingCheckpoint, TenureToken, Verb};

use super::{at, bare, full, held};
use crate::conformance::check::{applied, must, rejected};

/// Every write that is for one version of a row.
fn versioned(seen: &Lease) -> [LeaseWrite; 6] {
    [
        LeaseWrite::renew(seen),
        LeaseWrite::take(seen, &"owner-c".into(), TenureToken::new(8)),
        LeaseWrite::checkpoint(seen, at(8)),
        LeaseWrite::checkpoint(seen, Checkpoint::ShardEnd),
        LeaseWrite::prepare_checkpoint(seen, PendingCheckpoint { checkpoint: at(8), state: None }),
        LeaseWrite::release(seen),
    ]
}

/// A write for a counter that has passed, or has not come yet, is rejected with the row as it is.
pub async fn a_stale_counter_is_rejected(store: &dyn LeaseStore) {
    let old = applied(store, &LeaseWrite::create(held("a"))).await;
    let row = applied(store, &LeaseWrite::renew(&old)).await;
    let early = Lease { counter: LeaseCounter::new(row.counter.value() + 1), ..row.clone() };
    for write in versioned(&old).iter().chain(&versioned(&early)) {
        rejected(store, write, Some(&row)).await;
    }
}

/// A write for another owner is rejected, although the counter is right.
pub async fn another_owner_is_rejected(store: &dyn LeaseStore) {
    let row = applied(store, &LeaseWrite::create(full("a"))).await;
    let other = Lease { owner: Some("owner-b".into()), ..row.clone() };
    for write in versioned(&other) {
        rejected(store, &write, Some(&row)).await;
    }
}

/// A write for a row without an owner is rejected for one with, and the other way round.
pub async fn no_owner_is_not_an_owner(store: &dyn LeaseStore) {
    let owned = applied(store, &LeaseWrite::create(full("a"))).await;
    for write in versioned(&Lease { owner: None, ..owned.clone() }) {
        rejected(store, &write, Some(&owned)).await;
    }
    let unowned = applied(store, &LeaseWrite::create(bare("b"))).await;
    for write in versioned(&Lease { owner: Some("owner-a".into()), ..unowned.clone() }) {
        rejected(store, &write, Some(&unowned)).await;
    }
}

/// While a Java 3.x hand-over runs the row is its checkpoint owner's: of the writes for its version only a take, which ends
/// the hand-over, is applied.
pub async fn a_hand_over_is_only_taken_over(store: &dyn LeaseStore) {
    let row = applied(store, &LeaseWrite::create(full("a"))).await;
    let (takes, others): (Vec<_>, Vec<_>) = versioned(&row).into_iter().partition(|write| write.verb() == Verb::Take);
    for write in others {
        rejected(store, &write, Some(&row)).await;
    }
    for take in takes {
        assert_eq!(applied(store, &take).await.checkpoint_owner, None);
    }
}

/// No write but `create` makes a row: each is rejected with none.
pub async fn updates_of_an_absent_row_create_nothing(store: &dyn LeaseStore) {
    for seen in [full("a"), bare("a")] {
        for write in versioned(&seen) {
            rejected(store, &write, None).await;
        }
        rejected(store, &LeaseWrite::describe_children(&seen.key, vec!["shardId-000000000008".into()]), None).await;
        rejected(store, &LeaseWrite::describe_hash_range(&seen.key, HashKeyRange::FULL), None).await;
        rejected(store, &LeaseWrite::delete(&seen), None).await;
    }
    assert!(must(store.scan().await, "scan").leases.is_empty());
}
