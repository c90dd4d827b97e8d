use kcl_core::{Checkpoint, HashKeyRange, Lease, LeaseStore, LeaseWrite, PendingCheckpoint, TenureToken, WorkerId};

use super::{at, bare, full};
use crate::conformance::check::applied;

/// Longer than any number that Java reads.
const TOKEN: TenureToken = TenureToken::new(u64::MAX - 1);

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
        tenure: Some(TOKEN),
        hands_off: None,
        requested_by: None,
        ..seen.clone()
    };
    assert_eq!(applied(store, &LeaseWrite::take(&seen, &taker, TOKEN)).await, expected);
}

/// `take` of a row that nobody holds is no switch of owners.
pub async fn take_from_nobody_is_no_switch(store: &dyn LeaseStore) {
    let seen = stored(store, bare("a")).await;
    let taker = WorkerId::new("owner-c");
    let expected = Lease { owner: Some(taker.clone()), counter: seen.counter.next(), tenure: Some(TOKEN), ..seen.clone() };
    assert_eq!(applied(store, &LeaseWrite::take(&seen, &taker, TOKEN)).await, expected);
}

/// `take` by the owner itself, as after a restart under the same name, is no switch of owners.
pub async fn take_from_oneself_is_no_switch(store: &dyn LeaseStore) {
    let seen = stored(store, Lease { checkpoint_owner: None, ..full("a") }).await;
    let expected =
        Lease { counter: seen.counter.next(), tenure: Some(TOKEN), hands_off: None, requested_by: None, ..seen.clone() };
    assert_eq!(applied(store, &LeaseWrite::take(&seen, &"owner-a".into(), TOKEN)).await, expected);
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
    let taken = applied(store, &LeaseWrite::take(&released, &"owner-c".into(), TOKEN)).await;
    assert!(taken.is_owned_by(&"owner-c".into()), "{taken:?}");
}

/// The token of a `take` is stored and given back, stays as it is through every other write, and is replaced by the next
/// `take`, of the same owner too.
pub async fn the_token_of_a_take_stays_until_the_next(store: &dyn LeaseStore) {
    let seen = stored(store, bare("a")).await;
    assert_eq!(seen.tenure, None, "a new row has none");
    let owner = WorkerId::new("owner-a");
    let mut row = applied(store, &LeaseWrite::take(&seen, &owner, TOKEN)).await;
    assert_eq!(row.tenure, Some(TOKEN));
    let pending = PendingCheckpoint { checkpoint: at(12), state: None };
    let others: [fn(&Lease, PendingCheckpoint) -> LeaseWrite; 6] = [
        |row, _| LeaseWrite::renew(row),
        LeaseWrite::prepare_checkpoint,
        |row, _| LeaseWrite::checkpoint(row, at(13)),
        |row, _| LeaseWrite::describe_children(&row.key, vec!["shardId-000000000008".into()]),
        |row, _| LeaseWrite::describe_hash_range(&row.key, HashKeyRange::FULL),
        |row, _| LeaseWrite::release(row),
    ];
    for other in others {
        let write = other(&row, pending.clone());
        row = applied(store, &write).await;
        assert_eq!(row.tenure, Some(TOKEN), "after {}", write.verb().name());
    }
    for value in [0, 7] {
        row = applied(store, &LeaseWrite::take(&row, &owner, TenureToken::new(value))).await;
        assert_eq!(row.tenure, Some(TenureToken::new(value)));
    }
}
