use std::time::Duration;

use async_trait::async_trait;
use kcl_core::{SequenceNumber, Shard, ShardId, StreamReader};

use super::{StreamCapabilities, StreamFixture};
use crate::MemoryStream;
use crate::conformance::check::must;

/// A stream of two shards is a fixture of the suite. Its time moves a millisecond when the suite asks for it.
#[async_trait]
impl StreamFixture for MemoryStream {
    fn reader(&self) -> &dyn StreamReader {
        self
    }

    fn capabilities(&self) -> StreamCapabilities {
        StreamCapabilities::ALL
    }

    async fn put(&self, partition_key: &str, hash_key: u128, data: &[u8]) -> (ShardId, SequenceNumber) {
        match self.shards().into_iter().find(|shard| shard.is_open() && shard.hash_range.contains(hash_key)) {
            Some(shard) => {
                let number = must(self.put_to(&shard.id, partition_key, data), "put");
                (shard.id, number)
            }
            None => panic!("no open shard serves the hash: hash_key={hash_key}"),
        }
    }

    async fn split(&self, shard: &Shard) {
        must(Self::split(self, &shard.id), "split");
    }

    async fn merge(&self, shard: &Shard, adjacent: &Shard) {
        must(Self::merge(self, &shard.id, &adjacent.id), "merge");
    }

    async fn pass_time(&self) {
        self.advance(Duration::from_millis(1));
    }
}
