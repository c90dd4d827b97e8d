use kcl_core::{Checkpoint, ExtendedSequenceNumber, Lease, LeaseStore, LeaseWrite, PendingCheckpoint};

use super::{at, bare, full};
use crate::conformance::check::{applied, get, must, rejected};

/// `prepare` of a store that is prepared changes nothing.
pub async fn prepare_is_idempotent(store: &dyn LeaseStore) {
    let row = applied(store, &LeaseWrite::create(full("a"))).await;
    for _ in 0..2 {
        must(store.prepare().await, "prepare again");
    }
    assert_eq!(get(store, &row.key).await, Some(row));
}

/// `get` of a key without a row is `None`, not an error.
pub async fn an_absent_row_is_none(store: &dyn LeaseStore) {
    applied(store, &LeaseWrite::create(bare("a"))).await;
    assert_eq!(get(store, &"b".into()).await, None);
}

/// A created row comes back with every optional attribute, by `get` and in the answer.
pub async fn create_stores_every_attribute(store: &dyn LeaseStore) {
    assert_eq!(applied(store, &LeaseWrite::create(full("a"))).await, full("a"));
}

/// A created row has no attribute that it was not created with.
pub async fn create_stores_no_more(store: &dyn LeaseStore) {
    assert_eq!(applied(store, &LeaseWrite::create(bare("a"))).await, bare("a"));
    let stateless = PendingCheckpoint { checkpoint: at(1), state: None };
    let pending = Lease { pending: Some(stateless), ..bare("b") };
    assert_eq!(applied(store, &LeaseWrite::create(pending.clone())).await, pending);
}

/// A second `create` of a key is rejected with the row that is there.
pub async fn create_is_rejected_with_the_row_that_exists(store: &dyn LeaseStore) {
    let row = applied(store, &LeaseWrite::create(full("a"))).await;
    rejected(store, &LeaseWrite::create(bare("a")), Some(&row)).await;
    rejected(store, &LeaseWrite::create(full("a")), Some(&row)).await;
}

/// Sentinels, long sequence numbers and sub-sequence numbers come back as they were, as checkpoint and as pending.
pub async fn every_checkpoint_round_trips(store: &dyn LeaseStore) {
    let zero = Checkpoint::At(ExtendedSequenceNumber::new(0.into(), 0));
    let checkpoints =
        [Checkpoint::AtTimestamp, Checkpoint::TrimHorizon, Checkpoint::Latest, Checkpoint::ShardEnd, zero, at(0), at(60_000)];
    for (number, checkpoint) in checkpoints.into_iter().enumerate() {
        let pending = Some(PendingCheckpoint { checkpoint: checkpoint.clone(), state: None });
        let row = Lease { checkpoint, pending, ..bare(&format!("shard-{number}")) };
        assert_eq!(applied(store, &LeaseWrite::create(row.clone())).await, row);
    }
}
