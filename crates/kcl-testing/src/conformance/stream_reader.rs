//! What every [`StreamReader`] must do.
//!
//! Each case gets a fixture of its own: a stream with two open shards that divide all hashes, and no records. Which
//! optional behaviours the backend has is declared in [`StreamCapabilities`], never found out: a case for one that is
//! missing says on the standard error that it is skipped.

use async_trait::async_trait;
use kcl_core::{ErrorKind, SequenceNumber, Shard, ShardFilter, ShardId, StreamReader};

pub use self::ends::{
    a_merged_shard_ends_in_one_child, a_split_shard_ends_in_two_children, an_empty_shard_ends, an_open_shard_does_not_end,
    the_end_is_reached_from_every_position,
};
pub use self::listing::{
    filters_select_open_shards, lineage_of_a_merge, lineage_of_a_split, listing_names_every_shard_once,
    open_shards_cover_every_hash,
};
pub use self::positions::{
    a_position_beyond_the_shard_is_invalid, after_gives_the_next_record, at_gives_the_record_itself,
    at_timestamp_gives_the_first_record_from_then_on, latest_gives_what_comes_later, trim_horizon_gives_every_record,
    unknown_shards_are_not_found,
};
pub use self::reading::{
    a_record_is_delivered_as_it_was_put, lag_is_zero_at_the_tip, no_record_is_skipped_or_repeated, readers_are_independent,
    reopening_after_the_last_record_goes_on, shards_do_not_share_records,
};

use super::Running;

mod ends;
mod listing;
mod memory;
mod positions;
mod reading;

/// What a backend can do beside what every backend must.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamCapabilities {
    /// The end of a shard names its children. Without that they are found by listing.
    pub child_shards: bool,
    /// A listing with a filter gives what the filter selects.
    pub filters: bool,
    /// Events say how far they are behind the newest record.
    pub millis_behind_latest: bool,
    /// A sequence number beyond every number given out is refused as `Invalid` when the shard is opened.
    pub checks_positions: bool,
    /// LATEST is where the stream is when the shard is opened, not at the first `next`.
    pub pins_latest: bool,
}

impl StreamCapabilities {
    /// All of them.
    pub const ALL: Self =
        Self { child_shards: true, filters: true, millis_behind_latest: true, checks_positions: true, pins_latest: true };
}

/// A stream of a backend and the ways to change it. What an implementation cannot do it panics about: it is part of a test.
#[async_trait]
pub trait StreamFixture: Send + Sync {
    /// The reader that is tested.
    fn reader(&self) -> &dyn StreamReader;

    /// Which optional behaviours the backend has.
    fn capabilities(&self) -> StreamCapabilities;

    /// Puts a record with this partition key and this explicit hash key, and gives what the backend said. When it returns
    /// the record can be read.
    async fn put(&self, partition_key: &str, hash_key: u128, data: &[u8]) -> (ShardId, SequenceNumber);

    /// Splits an open shard in the middle of its hashes. When it returns the children are listed and open.
    async fn split(&self, shard: &Shard);

    /// Merges two open shards with adjacent hashes. When it returns the child is listed and open.
    async fn merge(&self, shard: &Shard, adjacent: &Shard);

    /// Returns when a record that is put now arrives at a later millisecond than any record before.
    async fn pass_time(&self);
}

/// Makes one test of each case of [`conformance::stream_reader`](crate::conformance::stream_reader).
///
/// Takes an expression that gives a future of a [`StreamFixture`](crate::conformance::stream_reader::StreamFixture); each
/// test evaluates it anew. Put it in a module of its own.
///
/// ```
/// mod conformance {
///     use kcl_testing::MemoryStream;
///
///     kcl_testing::stream_reader_conformance!(async { MemoryStream::new("stream", 2) });
/// }
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! stream_reader_conformance {
    ($fixture:expr $(,)?) => {
        $crate::stream_reader_conformance! { @cases tests $fixture }
    };
    (@cases $what:ident $($fixture:expr)?) => {
        $crate::stream_reader_conformance! { @$what $($fixture)?;
            listing_names_every_shard_once
            open_shards_cover_every_hash
            filters_select_open_shards
            lineage_of_a_split
            lineage_of_a_merge
            trim_horizon_gives_every_record
            at_gives_the_record_itself
            after_gives_the_next_record
            latest_gives_what_comes_later
            at_timestamp_gives_the_first_record_from_then_on
            unknown_shards_are_not_found
            a_position_beyond_the_shard_is_invalid
            a_record_is_delivered_as_it_was_put
            no_record_is_skipped_or_repeated
            reopening_after_the_last_record_goes_on
            readers_are_independent
            shards_do_not_share_records
            lag_is_zero_at_the_tip
            a_split_shard_ends_in_two_children
            a_merged_shard_ends_in_one_child
            an_empty_shard_ends
            the_end_is_reached_from_every_position
            an_open_shard_does_not_end
        }
    };
    (@tests $fixture:expr; $($case:ident)+) => {
        $(
            #[::tokio::test]
            async fn $case() {
                let fixture = ($fixture).await;
                $crate::conformance::stream_reader::$case(&fixture).await;
            }
        )+
    };
    (@list; $($case:ident)+) => {
        vec![$({
            fn run<'a>(fixture: &'a dyn StreamFixture) -> Running<'a> {
                Box::pin($case(fixture))
            }
            (stringify!($case), run as Case)
        }),+]
    };
}

/// A case of this suite.
pub type Case = for<'a> fn(&'a dyn StreamFixture) -> Running<'a>;

/// Every case by its name, for a runner that is not `cargo test`.
pub fn cases() -> Vec<(&'static str, Case)> {
    stream_reader_conformance! { @cases list }
}

/// Whether to go on with a case for an optional behaviour.
#[allow(clippy::print_stderr, reason = "a skipped case says so, and the test harness captures it")]
fn has(capability: bool, case: &str) -> bool {
    if !capability {
        eprintln!("skipped: the backend does not declare it: case={case}");
    }
    capability
}

/// Every shard, in the order of hashes and, for the same hashes, of age.
async fn shards(fixture: &dyn StreamFixture) -> Vec<Shard> {
    listed(fixture, ShardFilter::All).await
}

async fn listed(fixture: &dyn StreamFixture, filter: ShardFilter) -> Vec<Shard> {
    let listing = fixture.reader().list_shards(filter).await;
    let mut shards = super::check::must(listing, format_args!("list shards {filter:?}"));
    shards.sort_by_key(|shard| (shard.hash_range.start, shard.id.to_string()));
    shards
}

async fn open_shards(fixture: &dyn StreamFixture) -> Vec<Shard> {
    shards(fixture).await.into_iter().filter(Shard::is_open).collect()
}

/// The two shards that the stream begins with, the one with the lower hashes first.
async fn two(fixture: &dyn StreamFixture) -> (Shard, Shard) {
    match <[Shard; 2]>::try_from(shards(fixture).await) {
        Ok([low, high]) => (low, high),
        Err(shards) => panic!("the fixture has other than two shards: {shards:?}"),
    }
}

/// The shards that name this one as a parent.
async fn children(fixture: &dyn StreamFixture, parent: &Shard) -> Vec<Shard> {
    shards(fixture).await.into_iter().filter(|shard| shard.parents.contains(&parent.id)).collect()
}

/// Puts records on one shard; their sequence numbers.
async fn put_all(fixture: &dyn StreamFixture, shard: &Shard, payloads: &[String]) -> Vec<SequenceNumber> {
    let mut numbers = Vec::new();
    for data in payloads {
        let (on, number) = fixture.put("key", shard.hash_range.start, data.as_bytes()).await;
        assert_eq!(on, shard.id, "the fixture put a record on another shard");
        numbers.push(number);
    }
    numbers
}

fn numbered(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("record {number}")).collect()
}

#[track_caller]
fn is_error<T>(result: Result<T, kcl_core::ReadError>, kind: ErrorKind, doing: &str) {
    match result {
        Ok(_) => panic!("{doing} succeeded"),
        Err(error) => assert_eq!(error.kind(), kind, "{doing}: {error}"),
    }
}
