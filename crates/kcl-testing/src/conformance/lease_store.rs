//! What every [`LeaseStore`] must do.
//!
//! Each case gets a store of its own that is prepared and empty. Rows are compared without regard to the order of parents
//! and children, which a backend may keep as sets.

use kcl_core::{
    Checkpoint, ExtendedSequenceNumber, HashKeyRange, Lease, LeaseStore, PendingCheckpoint, SequenceNumber, TenureToken, Wall,
};

pub use self::create::{
    an_absent_row_is_none, create_is_rejected_with_the_row_that_exists, create_stores_every_attribute, create_stores_no_more,
    every_checkpoint_round_trips, prepare_is_idempotent,
};
pub use self::describe_delete::{
    delete_is_rejected_before_the_end_of_the_shard, delete_is_rejected_with_another_counter, delete_removes_a_finished_row,
    describe_children_fills_in_only_what_is_unknown, describe_hash_range_fills_in_only_what_is_unknown,
};
pub use self::hand_off::{
    request_names_who_asks, request_replaces_no_other, take_ends_a_request, transfer_needs_the_request,
    withdraw_removes_the_own_request,
};
pub use self::races::{concurrent_creates_have_one_winner, concurrent_takes_have_one_winner, writes_agree_with_the_reference};
pub use self::reject::{
    a_hand_over_is_only_taken_over, a_stale_counter_is_rejected, another_owner_is_rejected, no_owner_is_not_an_owner,
    updates_of_an_absent_row_create_nothing,
};
pub use self::scan::{get_sees_the_last_write, scan_gives_every_row};
pub use self::update::{
    checkpoint_ends_a_shard, checkpoint_stores_a_position, prepare_checkpoint_keeps_the_position,
    prepare_checkpoint_replaces_the_earlier_one, release_removes_the_owner, renew_adds_one, take_from_nobody_is_no_switch,
    take_from_oneself_is_no_switch, take_sets_the_owner_and_ends_a_hand_over, the_token_of_a_take_stays_until_the_next,
};

use super::Running;

mod create;
mod describe_delete;
mod hand_off;
mod races;
mod reject;
mod scan;
mod update;

/// A store and whatever must live as long as it does, such as its server.
///
/// A [`LeaseStore`] that needs nothing else is its own fixture.
pub trait StoreFixture: Send + Sync {
    /// The store: prepared, and empty at first.
    fn store(&self) -> &dyn LeaseStore;
}

impl<S: LeaseStore> StoreFixture for S {
    fn store(&self) -> &dyn LeaseStore {
        self
    }
}

/// Makes one test of each case of [`conformance::lease_store`](crate::conformance::lease_store).
///
/// Takes an expression that gives a future of a [`StoreFixture`](crate::conformance::lease_store::StoreFixture); each test
/// evaluates it anew. Put it in a module of its own.
///
/// ```
/// mod conformance {
///     use kcl_testing::MemoryLeaseStore;
///
///     kcl_testing::lease_store_conformance!(async { MemoryLeaseStore::new() });
/// }
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! lease_store_conformance {
    ($fixture:expr $(,)?) => {
        $crate::lease_store_conformance! { @cases tests $fixture }
    };
    (@cases $what:ident $($fixture:expr)?) => {
        $crate::lease_store_conformance! { @$what $($fixture)?;
            prepare_is_idempotent
            an_absent_row_is_none
            create_stores_every_attribute
            create_stores_no_more
            create_is_rejected_with_the_row_that_exists
            every_checkpoint_round_trips
            renew_adds_one
            take_sets_the_owner_and_ends_a_hand_over
            take_from_nobody_is_no_switch
            take_from_oneself_is_no_switch
            the_token_of_a_take_stays_until_the_next
            checkpoint_stores_a_position
            checkpoint_ends_a_shard
            prepare_checkpoint_keeps_the_position
            prepare_checkpoint_replaces_the_earlier_one
            release_removes_the_owner
            request_names_who_asks
            request_replaces_no_other
            withdraw_removes_the_own_request
            transfer_needs_the_request
            take_ends_a_request
            describe_children_fills_in_only_what_is_unknown
            describe_hash_range_fills_in_only_what_is_unknown
            delete_removes_a_finished_row
            delete_is_rejected_before_the_end_of_the_shard
            delete_is_rejected_with_another_counter
            a_hand_over_is_only_taken_over
            a_stale_counter_is_rejected
            another_owner_is_rejected
            no_owner_is_not_an_owner
            updates_of_an_absent_row_create_nothing
            scan_gives_every_row
            get_sees_the_last_write
            concurrent_takes_have_one_winner
            concurrent_creates_have_one_winner
            writes_agree_with_the_reference
        }
    };
    (@tests $fixture:expr; $($case:ident)+) => {
        $(
            #[::tokio::test]
            async fn $case() {
                let fixture = ($fixture).await;
                let store = $crate::conformance::lease_store::StoreFixture::store(&fixture);
                $crate::conformance::lease_store::$case(store).await;
            }
        )+
    };
    (@list; $($case:ident)+) => {
        vec![$({
            fn run<'a>(store: &'a dyn LeaseStore) -> Running<'a> {
                Box::pin($case(store))
            }
            (stringify!($case), run as Case)
        }),+]
    };
}

/// A case of this suite.
pub type Case = for<'a> fn(&'a dyn LeaseStore) -> Running<'a>;

/// Every case by its name, for a runner that is not `cargo test`.
pub fn cases() -> Vec<(&'static str, Case)> {
    lease_store_conformance! { @cases list }
}

/// A position with the size of those that Kinesis gives, which no machine integer holds.
fn at(last_digits: u16) -> Checkpoint {
    let text = format!("4959033827149025660855969253836157109592157598913{last_digits:07}");
    match SequenceNumber::new(&text) {
        Ok(number) => Checkpoint::At(ExtendedSequenceNumber::new(number, u64::from(last_digits))),
        Err(error) => panic!("{error}"),
    }
}

/// A row that has every attribute: a hand-over from `owner-b` to `owner-a` runs.
fn full(key: &str) -> Lease {
    Lease {
        owner: Some("owner-a".into()),
        counter: kcl_core::LeaseCounter::new(41),
        owner_switches: 3,
        checkpoint: at(7),
        pending: Some(PendingCheckpoint { checkpoint: at(9), state: Some(vec![0, 159, 146, 150].into()) }),
        parents: vec!["shardId-000000000001".into(), "shardId-000000000002".into()],
        children: vec!["shardId-000000000008".into(), "shardId-000000000009".into()],
        hash_range: HashKeyRange::new(1 << 100, u128::MAX),
        checkpoint_owner: Some("owner-b".into()),
        latest_since: Some(Wall::from_unix_millis(1_704_067_200_123)),
        tenure: Some(TenureToken::new(1 << 63)),
        hands_off: Some("owner-a".into()),
        requested_by: Some("owner-d".into()),
        ..Lease::new(key.into(), Checkpoint::TrimHorizon)
    }
}

/// The same, and no hand-over runs.
fn held(key: &str) -> Lease {
    Lease { checkpoint_owner: None, ..full(key) }
}

/// A row that nobody holds and that knows nothing.
fn bare(key: &str) -> Lease {
    Lease::new(key.into(), Checkpoint::TrimHorizon)
}
