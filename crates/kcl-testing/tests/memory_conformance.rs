//! The memory backends pass the suites, as they are and through fault wrappers without faults.

mod store {
    use kcl_testing::MemoryLeaseStore;

    kcl_testing::lease_store_conformance!(async { MemoryLeaseStore::new() });
}

mod wrapped_store {
    use kcl_testing::{FaultyStore, MemoryLeaseStore};

    kcl_testing::lease_store_conformance!(async { FaultyStore::new(MemoryLeaseStore::new()) });
}

mod stream {
    use kcl_testing::MemoryStream;

    kcl_testing::stream_reader_conformance!(async { MemoryStream::new("s", 2) });
}

/// Two records a read, ends that name no children, and a wrapper.
mod terse_stream {
    use async_trait::async_trait;
    use kcl_core::{SequenceNumber, Shard, ShardId, StreamReader};
    use kcl_testing::conformance::stream_reader::{StreamCapabilities, StreamFixture};
    use kcl_testing::{FaultyStream, MemoryStream};

    struct Terse {
        stream: MemoryStream,
        reader: FaultyStream,
    }

    fn terse() -> Terse {
        let stream = MemoryStream::new("s", 2);
        stream.set_records_per_read(2);
        stream.set_children_named(false);
        Terse { reader: FaultyStream::new(stream.clone()), stream }
    }

    #[async_trait]
    impl StreamFixture for Terse {
        fn reader(&self) -> &dyn StreamReader {
            &self.reader
        }

        fn capabilities(&self) -> StreamCapabilities {
            StreamCapabilities { child_shards: false, ..StreamCapabilities::ALL }
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

    kcl_testing::stream_reader_conformance!(async { terse() });
}
