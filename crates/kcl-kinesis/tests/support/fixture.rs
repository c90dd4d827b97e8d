use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use aws_sdk_kinesis::primitives::Blob;
use kcl_core::{SequenceNumber, Shard, ShardId, StreamReader};
use kcl_kinesis::KinesisStreamReader;
use kcl_testing::conformance::stream_reader::{StreamCapabilities, StreamFixture};

use super::{STREAM, Server};

/// The in-process server as the conformance suite wants it.
///
/// The server notes arrivals in whole seconds of the real clock. So that time can pass without waiting, every record is
/// dated anew in the server's store, in milliseconds of a clock that only [`pass_time`](StreamFixture::pass_time) moves.
pub(crate) struct Fixture {
    server: Server,
    reader: KinesisStreamReader,
    /// In milliseconds; a minute before the first record, because AT_TIMESTAMP may not be in the future.
    start: OnceLock<i64>,
    passed: AtomicI64,
}

impl Fixture {
    pub(crate) async fn start() -> Self {
        let server = Server::start(2).await;
        // Small pages, so that every case that puts a handful of records sees several.
        let reader = server.reader(3);
        Self { server, reader, start: OnceLock::new(), passed: AtomicI64::new(0) }
    }

    async fn date_anew(&self, sequence_number: &str) {
        let records = self.server.store.get_record_store(STREAM).await;
        let stored = records.into_iter().find(|(key, _)| key.ends_with(sequence_number));
        let (key, mut record) = stored.expect("the record that was just put");
        #[allow(clippy::cast_possible_truncation, reason = "whole seconds of the present")]
        let start = *self.start.get_or_init(|| (record.approximate_arrival_timestamp as i64 - 60) * 1_000);
        let now = start + self.passed.load(Ordering::Relaxed);
        #[allow(clippy::cast_precision_loss, reason = "the server keeps seconds as a floating-point number")]
        let seconds = now as f64 / 1_000.0;
        record.approximate_arrival_timestamp = seconds;
        self.server.store.put_record(STREAM, &key, &record).await.expect("the store is in memory");
    }
}

#[async_trait]
impl StreamFixture for Fixture {
    fn reader(&self) -> &dyn StreamReader {
        &self.reader
    }

    /// What ferrokinesis 0.7 lacks: it never names child shards, ignores shard filters and says a lag of 0 always.
    fn capabilities(&self) -> StreamCapabilities {
        StreamCapabilities { child_shards: false, filters: false, millis_behind_latest: false, ..StreamCapabilities::ALL }
    }

    async fn put(&self, partition_key: &str, hash_key: u128, data: &[u8]) -> (ShardId, SequenceNumber) {
        let request = self.server.client.put_record().stream_name(STREAM).partition_key(partition_key);
        let answer = request.explicit_hash_key(hash_key.to_string()).data(Blob::new(data)).send().await.unwrap();
        self.date_anew(answer.sequence_number()).await;
        (ShardId::from(answer.shard_id()), SequenceNumber::new(answer.sequence_number()).unwrap())
    }

    async fn split(&self, shard: &Shard) {
        let range = shard.hash_range;
        let middle = range.start + (range.end - range.start) / 2 + 1;
        let request = self.server.client.split_shard().stream_name(STREAM).shard_to_split(shard.id.as_str());
        request.new_starting_hash_key(middle.to_string()).send().await.unwrap();
        self.server.until_active().await;
    }

    async fn merge(&self, shard: &Shard, adjacent: &Shard) {
        let request = self.server.client.merge_shards().stream_name(STREAM).shard_to_merge(shard.id.as_str());
        request.adjacent_shard_to_merge(adjacent.id.as_str()).send().await.unwrap();
        self.server.until_active().await;
    }

    async fn pass_time(&self) {
        self.passed.fetch_add(1, Ordering::Relaxed);
    }
}
