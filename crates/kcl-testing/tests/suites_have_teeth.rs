//! The suites refuse backends with defects, and their macros run every case.

use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::task::Poll;

use async_trait::async_trait;
use futures_util::FutureExt;
use kcl_core::{
    ErrorKind, Expectation, Lease, LeaseKey, LeaseScan, LeaseStore, LeaseWrite, ReadError, ReadPosition, SequenceNumber, Shard,
    ShardEndEvent, ShardEvent, ShardFilter, ShardId, ShardReader, StoreError, StreamReader, Verb, WriteOutcome,
};
use kcl_testing::conformance::lease_store as store_suite;
use kcl_testing::conformance::stream_reader::{self as stream_suite, StreamCapabilities, StreamFixture};
use kcl_testing::{FaultyStream, MemoryLeaseStore, MemoryStream};

async fn panics(case: impl Future<Output = ()>) -> bool {
    AssertUnwindSafe(case).catch_unwind().await.is_err()
}

#[derive(Clone, Copy, Debug)]
enum StoreDefect {
    IgnoresTheOwner,
    IgnoresTheCounter,
    IgnoresHandOvers,
    DeletesUnfinishedRows,
    UpdatesMakeRows,
    KeepsThePendingCheckpoint,
    ForgetsTokens,
    RenewsTokensAway,
    ForgetsTheCurrentRow,
    ScansOnePage,
    RenewsTwice,
    ChecksThenActs,
}

struct BrokenStore(MemoryLeaseStore, StoreDefect);

impl BrokenStore {
    fn new(defect: StoreDefect) -> Self {
        Self(MemoryLeaseStore::new(), defect)
    }

    /// The row as the defect makes the write's expectation see it.
    fn disguised(&self, write: &LeaseWrite, current: Option<Lease>) -> Option<Lease> {
        match (self.1, write.expectation(), current) {
            (StoreDefect::IgnoresTheOwner, Expectation::Version { owner, .. }, Some(row)) => {
                Some(Lease { owner: owner.clone(), ..row })
            }
            (StoreDefect::IgnoresTheCounter, Expectation::Version { counter, .. }, Some(row)) => {
                Some(Lease { counter: *counter, ..row })
            }
            (StoreDefect::IgnoresHandOvers, Expectation::Version { .. }, Some(row)) => {
                Some(Lease { checkpoint_owner: None, ..row })
            }
            (StoreDefect::DeletesUnfinishedRows, Expectation::EndedAt { .. }, Some(row)) => {
                Some(Lease { checkpoint: kcl_core::Checkpoint::ShardEnd, ..row })
            }
            (StoreDefect::UpdatesMakeRows, Expectation::NoChildren, None) => {
                Some(Lease::new(write.key().clone(), kcl_core::Checkpoint::TrimHorizon))
            }
            (_, _, current) => current,
        }
    }
}

#[async_trait]
impl LeaseStore for BrokenStore {
    async fn prepare(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn scan(&self) -> Result<LeaseScan, StoreError> {
        let mut scan = self.0.scan().await?;
        if matches!(self.1, StoreDefect::ScansOnePage) {
            scan.leases.truncate(20);
        }
        Ok(scan)
    }

    async fn get(&self, key: &LeaseKey) -> Result<Option<Lease>, StoreError> {
        self.0.get(key).await
    }

    async fn write(&self, write: &LeaseWrite) -> Result<WriteOutcome, StoreError> {
        let current = self.0.lease(write.key());
        let Ok(after) = write.apply(self.disguised(write, current.clone()).as_ref()) else {
            let told = current.filter(|_| !matches!(self.1, StoreDefect::ForgetsTheCurrentRow));
            return Ok(WriteOutcome::Rejected { current: told });
        };
        let Some(mut after) = after else {
            return Ok(self.0.remove(write.key()).map_or(WriteOutcome::Rejected { current: None }, WriteOutcome::Applied));
        };
        match (self.1, write.verb(), current) {
            (StoreDefect::KeepsThePendingCheckpoint, Verb::Checkpoint, Some(before)) => after.pending = before.pending,
            (StoreDefect::ForgetsTokens, Verb::Take, before) => after.tenure = before.and_then(|row| row.tenure),
            (StoreDefect::RenewsTokensAway, Verb::Renew, _) => after.tenure = None,
            (StoreDefect::RenewsTwice, Verb::Renew, _) => after.counter = after.counter.next(),
            _ => {}
        }
        if matches!(self.1, StoreDefect::ChecksThenActs) {
            let mut waited = false;
            poll_fn(|context| {
                context.waker().wake_by_ref();
                if std::mem::replace(&mut waited, true) { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
        }
        self.0.put(after.clone());
        Ok(WriteOutcome::Applied(after))
    }

    async fn fleet(&self) -> Result<kcl_core::FleetRows, StoreError> {
        self.0.fleet().await
    }
}

#[tokio::test]
async fn a_store_with_a_defect_fails_the_reference_or_the_scan() {
    for defect in [
        StoreDefect::IgnoresTheOwner,
        StoreDefect::IgnoresTheCounter,
        StoreDefect::IgnoresHandOvers,
        StoreDefect::DeletesUnfinishedRows,
        StoreDefect::UpdatesMakeRows,
        StoreDefect::KeepsThePendingCheckpoint,
        StoreDefect::ForgetsTokens,
        StoreDefect::RenewsTokensAway,
        StoreDefect::ForgetsTheCurrentRow,
        StoreDefect::RenewsTwice,
    ] {
        assert!(panics(store_suite::writes_agree_with_the_reference(&BrokenStore::new(defect))).await, "{defect:?}");
    }
    assert!(panics(store_suite::scan_gives_every_row(&BrokenStore::new(StoreDefect::ScansOnePage))).await);
}

#[tokio::test]
async fn a_store_with_a_defect_fails_the_case_that_names_it() {
    let broken = BrokenStore::new;
    assert!(panics(store_suite::another_owner_is_rejected(&broken(StoreDefect::IgnoresTheOwner))).await);
    assert!(panics(store_suite::no_owner_is_not_an_owner(&broken(StoreDefect::IgnoresTheOwner))).await);
    assert!(panics(store_suite::a_stale_counter_is_rejected(&broken(StoreDefect::IgnoresTheCounter))).await);
    assert!(panics(store_suite::a_hand_over_is_only_taken_over(&broken(StoreDefect::IgnoresHandOvers))).await);
    assert!(panics(store_suite::concurrent_takes_have_one_winner(&broken(StoreDefect::ChecksThenActs))).await);
    assert!(panics(store_suite::concurrent_creates_have_one_winner(&broken(StoreDefect::ChecksThenActs))).await);
    let unfinished = broken(StoreDefect::DeletesUnfinishedRows);
    assert!(panics(store_suite::delete_is_rejected_before_the_end_of_the_shard(&unfinished)).await);
    assert!(panics(store_suite::updates_of_an_absent_row_create_nothing(&broken(StoreDefect::UpdatesMakeRows))).await);
    assert!(panics(store_suite::checkpoint_stores_a_position(&broken(StoreDefect::KeepsThePendingCheckpoint))).await);
    assert!(panics(store_suite::renew_adds_one(&broken(StoreDefect::RenewsTwice))).await);
    for defect in [StoreDefect::ForgetsTokens, StoreDefect::RenewsTokensAway] {
        assert!(panics(store_suite::the_token_of_a_take_stays_until_the_next(&broken(defect))).await, "{defect:?}");
    }
    let forgets = broken(StoreDefect::ForgetsTheCurrentRow);
    assert!(panics(store_suite::create_is_rejected_with_the_row_that_exists(&forgets)).await);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StreamDefect {
    LosesARecord,
    TakesAtForAfter,
    ListsOnePage,
    IgnoresFilters,
    EndsOpenShards,
    NamesOneChild,
    FindsEveryShard,
}

/// A two-shard stream whose reader has the defect.
struct BrokenStream {
    stream: MemoryStream,
    reader: BrokenReader,
}

struct BrokenReader(FaultyStream, StreamDefect);

fn broken(defect: StreamDefect) -> BrokenStream {
    let stream = MemoryStream::new("s", 2);
    let faulty = FaultyStream::new(stream.clone());
    if defect == StreamDefect::LosesARecord {
        faulty.lose_record(3);
    }
    BrokenStream { stream, reader: BrokenReader(faulty, defect) }
}

#[async_trait]
impl StreamReader for BrokenReader {
    async fn list_shards(&self, filter: ShardFilter) -> Result<Vec<Shard>, ReadError> {
        let filter = if self.1 == StreamDefect::IgnoresFilters { ShardFilter::All } else { filter };
        let mut shards = self.0.list_shards(filter).await?;
        if self.1 == StreamDefect::ListsOnePage {
            shards.truncate(5);
        }
        Ok(shards)
    }

    async fn open(&self, shard: &ShardId, position: &ReadPosition) -> Result<Box<dyn ShardReader>, ReadError> {
        let position = match position {
            ReadPosition::After(number) if self.1 == StreamDefect::TakesAtForAfter => ReadPosition::At(number.clone()),
            other => other.clone(),
        };
        match self.0.open(shard, &position).await {
            Ok(reader) => Ok(Box::new(BrokenShardReader(Some(reader), self.1))),
            Err(error) if self.1 == StreamDefect::FindsEveryShard && error.kind() == ErrorKind::NotFound => {
                Ok(Box::new(BrokenShardReader(None, self.1)))
            }
            Err(error) => Err(error),
        }
    }
}

struct BrokenShardReader(Option<Box<dyn ShardReader>>, StreamDefect);

#[async_trait]
impl ShardReader for BrokenShardReader {
    async fn next(&mut self) -> Result<ShardEvent, ReadError> {
        let Some(reader) = &mut self.0 else { return Ok(ShardEvent::default()) };
        let mut event = reader.next().await?;
        match (self.1, &mut event.end) {
            (StreamDefect::EndsOpenShards, end @ None) => *end = Some(ShardEndEvent::default()),
            (StreamDefect::NamesOneChild, Some(end)) => end.children.truncate(1),
            _ => {}
        }
        Ok(event)
    }
}

#[async_trait]
impl StreamFixture for BrokenStream {
    fn reader(&self) -> &dyn StreamReader {
        &self.reader
    }

    fn capabilities(&self) -> StreamCapabilities {
        StreamCapabilities::ALL
    }

    async fn put(&self, partition_key: &str, hash_key: u128, data: &[u8]) -> (ShardId, SequenceNumber) {
        StreamFixture::put(&self.stream, partition_key, hash_key, data).await
    }

    async fn split(&self, shard: &Shard) {
        StreamFixture::split(&self.stream, shard).await;
    }

    async fn merge(&self, shard: &Shard, adjacent: &Shard) {
        StreamFixture::merge(&self.stream, shard, adjacent).await;
    }

    async fn pass_time(&self) {
        self.stream.pass_time().await;
    }
}

#[tokio::test]
async fn a_stream_with_a_defect_fails_the_case_that_names_it() {
    use StreamDefect::*;
    assert!(panics(stream_suite::no_record_is_skipped_or_repeated(&broken(LosesARecord))).await);
    assert!(panics(stream_suite::trim_horizon_gives_every_record(&broken(LosesARecord))).await);
    assert!(panics(stream_suite::after_gives_the_next_record(&broken(TakesAtForAfter))).await);
    assert!(panics(stream_suite::reopening_after_the_last_record_goes_on(&broken(TakesAtForAfter))).await);
    assert!(panics(stream_suite::listing_names_every_shard_once(&broken(ListsOnePage))).await);
    assert!(panics(stream_suite::filters_select_open_shards(&broken(IgnoresFilters))).await);
    assert!(panics(stream_suite::an_open_shard_does_not_end(&broken(EndsOpenShards))).await);
    assert!(panics(stream_suite::a_split_shard_ends_in_two_children(&broken(NamesOneChild))).await);
    assert!(panics(stream_suite::unknown_shards_are_not_found(&broken(FindsEveryShard))).await);
}

/// The public cases of a suite that its macro leaves out.
fn left_out(macro_file: &str, case_files: &[&str]) -> Vec<String> {
    let listed: Vec<&str> = macro_file.lines().map(str::trim).collect();
    let named = |line: &str| Some(line.strip_prefix("pub async fn ")?.split_once('(')?.0.to_owned());
    let cases: Vec<String> = case_files.iter().flat_map(|file| file.lines().filter_map(named)).collect();
    assert!(cases.len() > 20, "the cases are not found any more: {cases:?}");
    cases.into_iter().filter(|case| !listed.contains(&case.as_str())).collect()
}

#[test]
fn the_macros_run_every_case() {
    let store = [
        include_str!("../src/conformance/lease_store/create.rs"),
        include_str!("../src/conformance/lease_store/describe_delete.rs"),
        include_str!("../src/conformance/lease_store/races.rs"),
        include_str!("../src/conformance/lease_store/reject.rs"),
        include_str!("../src/conformance/lease_store/scan.rs"),
        include_str!("../src/conformance/lease_store/update.rs"),
    ];
    let stream = [
        include_str!("../src/conformance/stream_reader/ends.rs"),
        include_str!("../src/conformance/stream_reader/listing.rs"),
        include_str!("../src/conformance/stream_reader/positions.rs"),
        include_str!("../src/conformance/stream_reader/reading.rs"),
    ];
    assert_eq!(left_out(include_str!("../src/conformance/lease_store.rs"), &store), Vec::<String>::new());
    assert_eq!(left_out(include_str!("../src/conformance/stream_reader.rs"), &stream), Vec::<String>::new());
}
