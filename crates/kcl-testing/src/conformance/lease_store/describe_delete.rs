use kcl_core::{Checkpoint, HashKeyRange, Lease, LeaseCounter, LeaseStore, LeaseWrite, WriteOutcome};

use super::{bare, full, held};
use crate::conformance::check::{applied, get, rejected, write};

/// `describe_children` needs no version and leaves the counter alone, and is rejected once the children are known.
pub async fn describe_children_fills_in_only_what_is_unknown(store: &dyn LeaseStore) {
    let seen = applied(store, &LeaseWrite::create(Lease { children: Vec::new(), ..held("a") })).await;
    let children = vec!["shardId-000000000008".into(), "shardId-000000000009".into()];
    let described = applied(store, &LeaseWrite::describe_children(&seen.key, children.clone())).await;
    assert_eq!(described, Lease { children, ..seen.clone() });
    applied(store, &LeaseWrite::renew(&seen)).await;
    let other = LeaseWrite::describe_children(&seen.key, vec!["shardId-000000000010".into()]);
    rejected(store, &other, Some(&Lease { counter: seen.counter.next(), ..described })).await;
}

/// `describe_hash_range` needs no version and leaves the counter alone, and is rejected once the range is known.
pub async fn describe_hash_range_fills_in_only_what_is_unknown(store: &dyn LeaseStore) {
    let seen = applied(store, &LeaseWrite::create(Lease { hash_range: None, ..full("a") })).await;
    let described = applied(store, &LeaseWrite::describe_hash_range(&seen.key, HashKeyRange::FULL)).await;
    assert_eq!(described, Lease { hash_range: Some(HashKeyRange::FULL), ..seen.clone() });
    let other = HashKeyRange { start: 0, end: 1 };
    rejected(store, &LeaseWrite::describe_hash_range(&seen.key, other), Some(&described)).await;
}

fn finished(key: &str) -> Lease {
    Lease { checkpoint: Checkpoint::ShardEnd, ..full(key) }
}

/// `delete` of a finished row, whoever holds it, removes it, answers with what it was, and makes room for a new one.
pub async fn delete_removes_a_finished_row(store: &dyn LeaseStore) {
    let seen = applied(store, &LeaseWrite::create(finished("a"))).await;
    let delete = LeaseWrite::delete(&seen);
    assert_eq!(write(store, &delete).await, WriteOutcome::Applied(seen.clone()));
    assert_eq!(get(store, &seen.key).await, None);
    rejected(store, &delete, None).await;
    assert_eq!(applied(store, &LeaseWrite::create(bare("a"))).await, bare("a"));
}

/// `delete` is rejected for a row that is not at the end of its shard.
pub async fn delete_is_rejected_before_the_end_of_the_shard(store: &dyn LeaseStore) {
    for row in [full("a"), bare("b")] {
        let seen = applied(store, &LeaseWrite::create(row)).await;
        rejected(store, &LeaseWrite::delete(&seen), Some(&seen)).await;
    }
}

/// `delete` is rejected for a row whose counter is another than was seen.
pub async fn delete_is_rejected_with_another_counter(store: &dyn LeaseStore) {
    let row = applied(store, &LeaseWrite::create(finished("a"))).await;
    for counter in [row.counter.next(), LeaseCounter::new(row.counter.value() - 1)] {
        let seen = Lease { counter, ..row.clone() };
        rejected(store, &LeaseWrite::delete(&seen), Some(&row)).await;
    }
}
