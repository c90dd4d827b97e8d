//! What a worker reports about itself, and what it refuses to pass over in silence.
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kcl_core::{LeaseWrite, Measurement, MetricsPublisher, MetricsSink, StartStrategy, TenureToken};
use kcl_runtime::{Backends, Env, StartError, TokioEnv, Worker};
use kcl_testing::MemoryStream;
use support::{Recorder, World, pass, until};

/// Adds up what it is given, by name; and counts its publications.
#[derive(Clone, Default)]
struct Sums {
    sums: Arc<Mutex<BTreeMap<&'static str, (f64, u32)>>>,
    published: Arc<AtomicU32>,
}

impl MetricsSink for Sums {
    fn record(&self, measurement: &Measurement) {
        let mut sums = self.sums.lock().unwrap();
        let (sum, count) = sums.entry(measurement.name).or_default();
        (*sum, *count) = (*sum + measurement.value, *count + 1);
    }
}

#[async_trait::async_trait]
impl MetricsPublisher for Sums {
    async fn publish(&self) {
        self.published.fetch_add(1, Ordering::SeqCst);
    }

    fn period(&self) -> Duration {
        Duration::from_secs(10)
    }
}

impl Sums {
    /// Sum and count, in whole numbers.
    fn of(&self, name: &str) -> (i64, u32) {
        let (sum, count) = self.sums.lock().unwrap().get(name).copied().unwrap_or_default();
        #[allow(clippy::cast_possible_truncation, reason = "small counts")]
        (sum.round() as i64, count)
    }

    async fn start(&self, world: &World, recorder: &Recorder) -> Worker {
        let backends = Backends { metrics: Arc::new(self.clone()), publisher: Some(Arc::new(self.clone())), ..world.backends() };
        world.start_with(recorder, backends).await.unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn records_bytes_lag_leases_and_checkpoints_are_measured() {
    let world = World::new(2);
    let (sums, recorder) = (Sums::default(), Recorder::new("a"));
    let worker = sums.start(&world, &recorder).await;
    let put = world.put(0..40);
    until("all", || recorder.distinct() == put).await;
    assert_eq!(sums.of("RecordsProcessed").0, 40);
    assert_eq!(sums.of("DataBytesProcessed").0, 40 * 5, "payloads of five bytes");
    assert!(sums.of("MillisBehindLatest").1 > 0);
    assert!(sums.of("KinesisDataFetcher.getRecords.Success").0 > 0);
    assert_eq!(sums.of("TakenLeases").0, 2);
    let (stored, asked) = sums.of("UpdateLease.Success");
    assert!(stored > 0 && stored == i64::from(asked), "every checkpoint so far was stored");
    // Another worker takes one lease.
    let shard = world.stream.open_shards().remove(0);
    let row = world.lease(&shard);
    world.store.put(LeaseWrite::take(&row, &"java".into(), TenureToken::new(1)).apply(Some(&row)).unwrap().unwrap());
    world.stream.put_to(&shard, "key", "99999").unwrap();
    until("it is found out", || sums.of("LostLeases").0 == 1).await;
    let (stored, asked) = sums.of("UpdateLease.Success");
    assert!(stored < i64::from(asked), "the checkpoint that came too late has failed");
    pass(Duration::from_secs(25)).await;
    assert!(sums.of("CurrentLeases").1 > 1);
    let before = sums.published.load(Ordering::SeqCst);
    assert!(before >= 2, "published once in a period");
    worker.shutdown().await.unwrap();
    assert!(sums.published.load(Ordering::SeqCst) > before, "and once at the end");
}

#[tokio::test(start_paused = true)]
async fn a_shard_whose_row_is_not_readable_is_measured_as_long_as_that_lasts() {
    let world = World::new(2);
    let (sums, recorder) = (Sums::default(), Recorder::new("a"));
    let shard = world.stream.open_shards().remove(0);
    world.store.add_unreadable(&shard, "no counter");
    let worker = sums.start(&world, &recorder).await;
    until("named again and again", || sums.of("UnreadableLeases").0 > 3).await;
    worker.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_shard_without_progress_is_measured() {
    let world = World::new(1);
    let sums = Sums::default();
    let recorder = Recorder::new("a").before_record(|_, _| Box::pin(std::future::pending()));
    let mut stuck = world.clone();
    stuck.config.shutdown_timeout = Duration::ZERO;
    let worker = sums.start(&stuck, &recorder).await;
    world.put(0..1);
    until("it stands still", || sums.of("StalledFor").1 > 0).await;
    assert!(worker.shutdown().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_checkpointed_record_that_was_trimmed_is_told() {
    let world = World::new(1);
    let shard = world.stream.open_shards().remove(0);
    let (sums, recorder) = (Sums::default(), Recorder::new("a"));
    let worker = sums.start(&world, &recorder).await;
    let mut put = world.put(0..5);
    until("all", || recorder.distinct() == put).await;
    worker.shutdown().await.unwrap();
    put.extend(world.put(5..10));
    let (_, last) = world.stream.put("last", "00010");
    world.stream.trim(&shard, &last).unwrap();
    let worker = sums.start(&world, &recorder.beside("b")).await;
    until("what is left", || recorder.distinct().contains("00010")).await;
    assert_eq!(sums.of("CheckpointTrimmed").0, 1);
    worker.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_start_at_latest_on_a_stream_in_real_time() {
    let mut world = World::new(1);
    world.config.management.start_strategy = StartStrategy::Latest;
    world.stream = MemoryStream::in_real_time("stream", 1);
    world.put(0..5);
    // The stream's clock is the machine's: make sure that it has moved on by a millisecond.
    let before = world.stream.now();
    while world.stream.now() == before {
        std::hint::spin_loop();
    }
    let recorder = Recorder::new("a");
    let worker = world.start(&recorder).await;
    until("held", || world.owners().contains_key("a")).await;
    let put = world.put(5..10);
    until("what was put after the start", || recorder.distinct() == put).await;
    worker.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_start_in_the_future_is_refused() {
    let mut world = World::new(1);
    let env = TokioEnv::on_current_runtime();
    let tomorrow = env.wall().unix_millis() + 86_400_000;
    world.config.management.start_strategy = StartStrategy::Timestamp(tomorrow);
    let error = world.start_on(&Recorder::new("a"), world.store.clone(), world.stream.clone(), env).await.unwrap_err();
    assert!(matches!(error, StartError::Config(error) if error.setting == "start_strategy"));
}
