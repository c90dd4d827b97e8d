//! The names, signatures and literals that users write. If this file has to change, users have to change.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a user's test")]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use kcl::{
    CheckpointError, Checkpointer, Consumer, ConsumerStatus, ExtendedSequenceNumber, KinesisClientRecord, LeaseConfig,
    ManagementConfig, OnPanic, ShardRecordProcessor, ShardRecordProcessorFactory, StartStrategy,
};
use kcl_testing::{MemoryLeaseStore, MemoryStream};
use tokio::sync::{Semaphore, watch};

/// Tells how many calls of `process_records` have begun; each needs a permit to go on.
#[derive(Clone)]
struct Factory {
    calls: watch::Sender<usize>,
    permits: Arc<Semaphore>,
}

struct Processor {
    checkpointer: Checkpointer,
    calls: watch::Sender<usize>,
    permits: Arc<Semaphore>,
}

#[async_trait]
impl ShardRecordProcessorFactory for Factory {
    async fn initialize(&self, checkpointer: Checkpointer) -> Box<dyn ShardRecordProcessor> {
        Box::new(Processor { checkpointer, calls: self.calls.clone(), permits: Arc::clone(&self.permits) })
    }
}

#[async_trait]
impl ShardRecordProcessor for Processor {
    async fn process_records(&self, records: Vec<KinesisClientRecord>, millis_behind_latest: i64) {
        self.calls.send_modify(|calls| *calls += 1);
        self.permits.acquire().await.unwrap().forget();
        assert!(millis_behind_latest >= 0);
        for record in &records {
            let data: &[u8] = record.record.data.as_ref();
            let bytes: bytes::Bytes = record.record.data.clone();
            assert_eq!(data, &bytes[..]);
            let (key, sequence) = (record.record.partition_key.to_string(), record.record.sequence_number.to_string());
            assert_eq!((key.as_str(), sequence.is_empty()), ("key", false));
            let arrived: i64 = record.record.approximate_arrival_timestamp;
            assert!(arrived > 0);
            let position: ExtendedSequenceNumber = record.extended_sequence_number();
            self.checkpointer.checkpoint(position).await.unwrap();
        }
        let lease = self.checkpointer.lease();
        assert_eq!((lease.stream.as_str(), lease.shard_id.as_str()), ("stream", lease.lease_key.as_str()));
        assert!(lease.pending.is_none() && lease.start_position.is_initial());
        assert!(self.checkpointer.fencing_token() > 0);
        self.checkpointer.checkpoint_latest().await.unwrap();
        let last = records.last().unwrap().extended_sequence_number();
        self.checkpointer.prepare(last, Some("state".into())).await.unwrap().commit().await.unwrap();
        assert!(matches!(self.checkpointer.end().await, Err(CheckpointError::NotEnded)));
    }

    async fn lease_lost(&self) {}

    async fn shard_ended(&self) {
        self.checkpointer.end().await.unwrap();
    }

    async fn shutdown_requested(&self) {}
}

fn is_clone_send_sync<T: Clone + Send + Sync>() {}

#[tokio::test]
async fn a_user_writes_this() {
    is_clone_send_sync::<Checkpointer>();
    let limited = ManagementConfig { leases_to_acquire: 2, max_leases: 20, start_strategy: StartStrategy::Latest };
    assert_ne!(limited, ManagementConfig::default());
    assert_eq!(ManagementConfig::default(), ManagementConfig { leases_to_acquire: 1, max_leases: usize::MAX, ..limited });
    let (calls, permits) = (watch::Sender::new(0), Arc::new(Semaphore::new(1)));
    let mut begun = calls.subscribe();
    let (stream, factory) = (MemoryStream::new("stream", 1), Factory { calls, permits: Arc::clone(&permits) });
    stream.put("key", "data");
    let consumer = Consumer::builder("my-app-leases", "stream")
        .lease_store(MemoryLeaseStore::new())
        .stream_reader(stream.clone())
        .management(ManagementConfig { start_strategy: StartStrategy::Timestamp(0), ..limited })
        .lease(LeaseConfig::PollingConfig { limit: 1000 })
        .failover_time(Duration::from_secs(10))
        .on_panic(OnPanic::StopConsumer)
        .start(factory.clone())
        .await
        .unwrap();
    begun.wait_for(|calls| *calls == 1).await.unwrap();
    // The second call begins once the first is counted, and waits.
    stream.put("key", "more");
    begun.wait_for(|calls| *calls == 2).await.unwrap();
    let status: ConsumerStatus = consumer.status();
    assert_eq!((status.leases.len(), status.leases[0].records), (1, 1));
    permits.add_permits(1);
    let consumer = Arc::new(consumer);
    let waiting = Arc::clone(&consumer);
    let waited = tokio::spawn(async move { waiting.wait().await });
    consumer.shutdown().await.unwrap();
    waited.await.unwrap().unwrap();
    consumer.shutdown().await.unwrap();
}
