//! Processors that block every worker thread of the application's runtime do not cost a lease: renewals run elsewhere.
#![allow(clippy::disallowed_methods, reason = "this test blocks real threads for a real time")]
#![allow(clippy::unwrap_used, reason = "a test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use kcl::backend::{DynamoLeaseStore, LeaseStore};
use kcl::{Checkpointer, Consumer, KinesisClientRecord, LeaseState, ManagementConfig, ShardRecordProcessor};
use kcl::{ShardRecordProcessorFactory, StartStrategy};
use kcl_examples::local::LocalAws;
use kcl_testing::MemoryStream;
use tokio::runtime::Builder;

const SHARDS: u32 = 16;
const BLOCKED: Duration = Duration::from_secs(30);

/// Blocks its thread until the whole time is over, whoever runs it.
#[derive(Clone)]
struct Blocking {
    until: Instant,
    delivered: Arc<AtomicUsize>,
    lost: Arc<AtomicUsize>,
}

struct Processor(Blocking, Checkpointer);

#[async_trait]
impl ShardRecordProcessorFactory for Blocking {
    async fn initialize(&self, checkpointer: Checkpointer) -> Box<dyn ShardRecordProcessor> {
        Box::new(Processor(self.clone(), checkpointer))
    }
}

#[async_trait]
impl ShardRecordProcessor for Processor {
    async fn process_records(&self, records: Vec<KinesisClientRecord>, _millis_behind_latest: i64) {
        std::thread::sleep(self.0.until.saturating_duration_since(Instant::now()));
        self.0.delivered.fetch_add(records.len(), Ordering::SeqCst);
        self.1.checkpoint_latest().await.unwrap();
    }

    async fn lease_lost(&self) {
        self.0.lost.fetch_add(1, Ordering::SeqCst);
    }

    async fn shard_ended(&self) {}

    async fn shutdown_requested(&self) {}
}

#[test]
fn sixteen_processors_block_every_worker_thread_for_thirty_seconds_and_no_lease_is_lost() {
    let local = LocalAws::start(0, 0).unwrap();
    let stream = MemoryStream::new("stream", SHARDS);
    for shard in stream.open_shards() {
        stream.put_to(&shard, "key", "payload").unwrap();
    }
    let application = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let blocking = Blocking { until: Instant::now() + BLOCKED, delivered: Arc::default(), lost: Arc::default() };
    let builder = Consumer::builder("leases", "stream")
        .aws_config(&local.sdk_config())
        .stream_reader(stream)
        .management(ManagementConfig { start_strategy: StartStrategy::Oldest, ..ManagementConfig::default() })
        // Ten failover times pass while the threads are blocked.
        .failover_time(Duration::from_secs(3));
    let consumer = application.block_on(builder.start(blocking.clone())).unwrap();
    // Watched from a runtime of its own: another worker must see every lease renewed all the time.
    let outside = Builder::new_current_thread().enable_all().build().unwrap();
    let counters = outside.block_on(watch(&local, &consumer, blocking.until));
    let all = |count: &AtomicUsize| count.load(Ordering::SeqCst);
    while all(&blocking.delivered) < SHARDS as usize {
        assert!(Instant::now() < blocking.until + Duration::from_secs(60), "every processor goes on");
        std::thread::sleep(Duration::from_millis(50));
    }
    application.block_on(consumer.shutdown()).unwrap();
    assert_eq!((all(&blocking.delivered), all(&blocking.lost)), (SHARDS as usize, 0), "each record once, no lease lost");
    let renewed = counters.last().unwrap() - counters.first().unwrap();
    assert!(renewed > 20 * u64::from(SHARDS), "renewed about once a second through the SDK: {renewed} renewals");
}

/// The sum of all counters, about once a second.
async fn watch(local: &LocalAws, consumer: &Consumer, until: Instant) -> Vec<u64> {
    let store = DynamoLeaseStore::from_config(&local.sdk_config(), "leases");
    let mut counters = Vec::new();
    while Instant::now() < until {
        let leases = store.scan().await.unwrap().leases;
        counters.push(leases.iter().map(|lease| lease.counter.value()).sum());
        assert!(consumer.status().leases.iter().all(|lease| lease.state != LeaseState::Paused), "no lease is ever late");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    counters
}
