//! The suite of stream readers.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::StreamStatus;
use kcl::backend::{KinesisStreamReader, Shard, StreamReader};
use kcl::{SequenceNumber, ShardId, error_chain};
use kcl_testing::conformance::stream_reader::{self, StreamCapabilities, StreamFixture};

use super::Case;
use crate::servers::config;

/// The server, as it is printed.
pub(super) const SERVER: &str = "kinesis-mock 0.6.2";
/// Small pages, so that every case that puts a handful of records sees several.
const PAGE: u32 = 3;
/// How often the server is asked whether it has made or changed a stream, which takes it half a second.
const LOOKS: usize = 600;

/// Every case; the server is at `url`.
pub(super) fn cases(url: &str) -> Vec<Case<'_>> {
    let named = stream_reader::cases().into_iter();
    named.map(|(name, case)| Case::new(SERVER, name, move |runtime| runtime.block_on(run(url, name, case)))).collect()
}

async fn run(url: &str, name: &str, case: stream_reader::Case) {
    case(&Fixture::start(url, name).await).await;
}

/// A stream with two shards.
struct Fixture {
    stream: String,
    client: Client,
    reader: KinesisStreamReader,
}

/// A failure of the set-up is one of the case.
fn must<T, E: std::error::Error + 'static>(result: Result<T, E>, doing: &str) -> T {
    match result {
        Ok(done) => done,
        Err(error) => panic!("{doing}: {}", error_chain(&error)),
    }
}

impl Fixture {
    async fn start(url: &str, stream: &str) -> Self {
        let client = Client::new(&config(url));
        must(client.create_stream().stream_name(stream).shard_count(2).send().await, "create the stream");
        let reader = must(KinesisStreamReader::new(client.clone(), stream, PAGE), "make a reader");
        let fixture = Self { stream: stream.to_owned(), client, reader };
        fixture.until_active().await;
        fixture
    }

    async fn until_active(&self) {
        for _ in 0..LOOKS {
            let answer =
                must(self.client.describe_stream_summary().stream_name(&self.stream).send().await, "describe the stream");
            if answer.stream_description_summary.is_some_and(|summary| summary.stream_status == StreamStatus::Active) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the stream never becomes active");
    }
}

#[async_trait]
impl StreamFixture for Fixture {
    fn reader(&self) -> &dyn StreamReader {
        &self.reader
    }

    /// What AWS has: what the server lacks is listed as a deviation, and so cannot go unnoticed.
    fn capabilities(&self) -> StreamCapabilities {
        StreamCapabilities::ALL
    }

    async fn put(&self, partition_key: &str, hash_key: u128, data: &[u8]) -> (ShardId, SequenceNumber) {
        let request = self.client.put_record().stream_name(&self.stream).partition_key(partition_key);
        let answer = request.explicit_hash_key(hash_key.to_string()).data(Blob::new(data)).send().await;
        let answer = must(answer, "put a record");
        (ShardId::from(answer.shard_id()), must(SequenceNumber::new(answer.sequence_number()), "read a sequence number"))
    }

    async fn split(&self, shard: &Shard) {
        let range = shard.hash_range;
        let middle = range.start + (range.end - range.start) / 2 + 1;
        let request = self.client.split_shard().stream_name(&self.stream).shard_to_split(shard.id.as_str());
        must(request.new_starting_hash_key(middle.to_string()).send().await, "split a shard");
        self.until_active().await;
    }

    async fn merge(&self, shard: &Shard, adjacent: &Shard) {
        let request = self.client.merge_shards().stream_name(&self.stream).shard_to_merge(shard.id.as_str());
        must(request.adjacent_shard_to_merge(adjacent.id.as_str()).send().await, "merge two shards");
        self.until_active().await;
    }

    /// The server dates records by its own clock, which is this machine's.
    async fn pass_time(&self) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
