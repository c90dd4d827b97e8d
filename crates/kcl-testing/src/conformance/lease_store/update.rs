use kcl_core::{Checkpoint, Lease, LeaseStore, LeaseWrite, PendingCheckpoint, WorkerId};

use super::{at, bare, full};
use crate::conformance::check::applied;

async fn stored(store: &dyn LeaseStore, row: Lease) -> Lease {
    applied(store, &LeaseWrite::create(row)).await
}

/// `renew` adds one to the counter and changes nothing else, for a row with an owner and for one without.
pub async fn renew_adds_one(store: &dyn LeaseStore) {
    for row in [full("a"), bare("b")] {
        let seen = stored(store, row).await;
        let expected = Lease { counter: seen.counter.next(), ..seen.clone() };
        assert_eq!(applied(store, &LeaseWrite::renew(&seen)).await, expected);
    }
}

/// `take` from another owner sets the owner, counts the switch and removes the marker of a hand-over.
pub async fn take_sets_the_owner_and_ends_a_hand_over(store: &dyn LeaseStore) {
    let seen = stored(store, full("a")).await;
    let taker = WorkerId::new("owner-c");
    let expected = Lease {
        owner: Some(taker.clone()),
        owner_switches: seen.owner_switches + 1,
        counter: seen.counter.next(),
        checkpoint_owner: None,
        ..seen.clone()
    };
    assert_eq!(applied(store, &LeaseWrite::take(&seen, &taker)).await, expected);
}

/// `take` of a row that nobody holds is no switch of owners.
pub async fn take_from_nobody_is_no_switch(store: &dyn LeaseStore) {
    let seen = stored(store, bare("a")).await;
    let taker = WorkerId::new("owner-c");
    let expected = Lease { owner: Some(taker.clone()), counter: seen.counter.next(), ..seen.clone() };
    assert_eq!(applied(store, &LeaseWrite::take(&seen, &taker)).await, expected);
}

/// `take` by the owner itself, as after a restart under the same name, is no switch of owners.
pub async fn take_from_oneself_is_no_switch(store: &dyn LeaseStore) {
    let seen = stored(store, Lease { checkpoint_owner: None, ..full("a") }).await;
    let expected = Lease { counter: seen.counter.next(), ..seen.clone() };
    assert_eq!(applied(store, &LeaseWrite::take(&seen, &"owner-a".into())).await, expected);
}

/// `checkpoint` stores the position, removes the pending one with its state and sets the owner switches to zero.
pub async fn checkpoint_stores_a_position(store: &dyn LeaseStore) {
    let seen = stored(store, full("a")).await;
    let expected = Lease { checkpoint: at(8), pending: None, owner_switches: 0, counter: seen.counter.next(), ..seen.clone() };
    assert_eq!(applied(store, &LeaseWrite::checkpoint(&seen, at(8))).await, expected);
}

/// `checkpoint` at the end of the shard.
pub async fn checkpoint_ends_a_shard(store: &dyn LeaseStore) {
    let seen = stored(store, bare("a")).await;
    let expected = Lease { checkpoint: Checkpoint::ShardEnd, counter: seen.counter.next(), ..seen.clone() };
    assert_eq!(applied(store, &LeaseWrite::checkpoint(&seen, Checkpoint::ShardEnd)).await, expected);
}

/// `prepare_checkpoint` stores the proposal and its state, and keeps the position and the owner switches.
pub async fn prepare_checkpoint_keeps_the_position(store: &dyn LeaseStore) {
    let seen = stored(store, Lease { pending: None, ..full("a") }).await;
    let pending = PendingCheckpoint { checkpoint: at(12), state: Some(vec![1; 300].into()) };
    let expected = Lease { pending: Some(pending.clone()), counter: seen.counter.next(), ..seen.clone() };
    assert_eq!(applied(store, &LeaseWrite::prepare_checkpoint(&seen, pending)).await, expected);
}

/// A proposal without state leaves nothing of the state of the one before.
pub async fn prepare_checkpoint_replaces_the_earlier_one(store: &dyn LeaseStore) {
    let seen = stored(store, full("a")).await;
    let pending = PendingCheckpoint { checkpoint: at(12), state: None };
    let expected = Lease { pending: Some(pending.clone()), counter: seen.counter.next(), ..seen.clone() };
    assert_eq!(applied(store, &LeaseWrite::prepare_checkpoint(&seen, pending)).await, expected);
}

/// `release` removes the owner and adds one to the counter; the row can be taken again.
pub async fn release_removes_the_owner(store: &dyn LeaseStore) {
    let seen = stored(store, full("a")).await;
    let expected = Lease { owner: None, counter: seen.counter.next(), ..seen.clone() };
    let released = applied(store, &LeaseWrite::release(&seen)).await;
    assert_eq!(released, expected);
    let taken = applied(store, &LeaseWrite::take(&released, &"owner-c".into())).await;
    assert!(taken.is_owned_by(&"owner-c".into()), "{taken:?}");
}
