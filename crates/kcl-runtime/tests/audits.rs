//! Tables that do not fit the stream: hashes that nobody reads, rows that lack what later versions know, and rows that are
//! about another stream of the same name. None of it is passed over in silence.
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kcl_core::*;
use kcl_runtime::{Backends, ConsumerError, ConsumerState, Worker};
use support::{Event, Recorder, World, now, pass, until};

const SYNC: Duration = Duration::from_secs(10);
const FIRST: &str = "shardId-000000000000";
const SECOND: &str = "shardId-000000000001";

/// Counts what it is given, by name.
#[derive(Clone, Default)]
struct Counts(Arc<Mutex<BTreeMap<&'static str, u32>>>);

impl MetricsSink for Counts {
    fn record(&self, measurement: &Measurement) {
        *self.0.lock().unwrap().entry(measurement.name).or_default() += 1;
    }
}

impl Counts {
    fn of(&self, name: &str) -> u32 {
        self.0.lock().unwrap().get(name).copied().unwrap_or_default()
    }

    fn holes(&self) -> u32 {
        self.of("NumStreamsWithPartialLeases")
    }

    async fn start(&self, world: &World, recorder: &Recorder) -> Worker {
        let backends = Backends { metrics: Arc::new(self.clone()), ..world.backends() };
        world.start_with(recorder, backends).await.unwrap()
    }
}

fn world(shards: u32) -> World {
    let mut world = World::new(shards);
    world.config.shard_sync_interval = SYNC;
    world
}

fn row(shard: &str, checkpoint: Checkpoint) -> Lease {
    Lease::new(shard.into(), checkpoint)
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_a_row_calls_finished_and_that_is_open_is_named() {
    let world = world(2);
    let ranges: Vec<HashKeyRange> = world.stream.shards().iter().map(|shard| shard.hash_range).collect();
    world.store.put(Lease { hash_range: Some(ranges[1]), ..row(SECOND, Checkpoint::ShardEnd) });
    let counts = Counts::default();
    let worker = counts.start(&world, &Recorder::new("a")).await;
    let took = until("it is believed", || counts.holes() > 0).await;
    assert!(took > SYNC * 5 / 2 && took < SYNC * 4, "at the third audit: {took:?}");
    pass(SYNC * 3).await;
    assert!(counts.holes() >= 3, "as long as it lasts: {}", counts.holes());
    world.store.put(Lease { hash_range: Some(ranges[1]), ..row(SECOND, Checkpoint::TrimHorizon) });
    pass(SYNC * 2).await;
    let before = counts.holes();
    pass(SYNC * 5).await;
    assert_eq!(counts.holes(), before, "it is repaired");
    worker.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn reshards_and_moves_are_no_holes() {
    let world = world(4);
    let counts = Counts::default();
    let recorder = Recorder::new("a");
    let a = counts.start(&world, &recorder).await;
    let b = counts.start(&world, &recorder.beside("b")).await;
    for round in 0..6 {
        let open = world.stream.open_shards();
        if round % 2 == 0 {
            world.stream.split(&open[0]).unwrap();
        } else {
            world.stream.merge(&open[open.len() - 2], &open[open.len() - 1]).unwrap();
        }
        world.put(round * 10..round * 10 + 10);
        pass(SYNC * 2).await;
    }
    assert_eq!(recorder.distinct().len(), 60);
    assert_eq!((counts.holes(), counts.of("LeasesOfAnotherStream")), (0, 0));
    a.shutdown().await.unwrap();
    b.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn rows_without_a_hash_range_get_one_unless_they_are_held_here() {
    let mut world = world(2);
    world.config.shard_sync_interval = Duration::from_secs(1);
    world.store.put(Lease { owner: Some("java".into()), counter: LeaseCounter::new(7), ..row(FIRST, Checkpoint::TrimHorizon) });
    world.store.put(Lease { hash_range: Some(world.stream.shards()[1].hash_range), ..row(SECOND, Checkpoint::TrimHorizon) });
    let counts = Counts::default();
    let worker = counts.start(&world, &Recorder::new("a")).await;
    until("it is filled in", || world.lease(FIRST).hash_range.is_some()).await;
    let filled = world.lease(FIRST);
    assert_eq!(filled.hash_range, Some(world.stream.shards()[0].hash_range));
    assert_eq!((filled.counter, filled.owner), (LeaseCounter::new(7), Some("java".into())), "nothing else is touched");
    assert_eq!(counts.holes(), 0);
    worker.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_was_created_again_is_not_read_with_the_old_leases() {
    let world = world(2);
    let recorder = Recorder::new("a");
    let worker = world.start(&recorder).await;
    let put = world.put(0..20);
    until("all", || recorder.distinct() == put).await;
    worker.shutdown().await.unwrap();
    world.stream.recreate(2);
    let new = world.put(100..120);
    let rows = world.store.leases();

    let again = Recorder::new("a");
    let worker = world.start(&again).await;
    let error = worker.wait().await.unwrap_err();
    let ConsumerError::AnotherStream { strangers } = &error else { panic!("{error:?}") };
    assert_eq!(strangers.len(), 2);
    assert!(error.to_string().contains("remove the leases") && error.to_string().contains(FIRST), "{error}");
    assert!(again.payloads().is_empty());
    for (before, after) in rows.iter().zip(world.store.leases()) {
        assert_eq!((&before.checkpoint, None), (&after.checkpoint, after.owner), "nothing is lost of them");
    }

    rows.iter().for_each(|lease| drop(world.store.remove(&lease.key)));
    let worker = world.start(&again).await;
    until("everything of the new stream", || again.distinct() == new).await;
    worker.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_created_again_under_a_running_worker_stops_it() {
    let world = world(2);
    let recorder = Recorder::new("a");
    let worker = world.start(&recorder).await;
    let put = world.put(0..20);
    until("all", || recorder.distinct() == put).await;
    world.stream.delete();
    pass(Duration::from_secs(5)).await;
    world.stream.recreate(2);
    world.put(100..120);
    let since = now();
    assert!(matches!(worker.wait().await, Err(ConsumerError::AnotherStream { .. })));
    assert!(now().since(since) < SYNC * 2, "{:?}", now().since(since));
    assert_eq!(recorder.distinct(), put, "nothing of the new stream was taken for a part of the old one");
}

#[tokio::test(start_paused = true)]
async fn one_row_that_does_not_fit_stops_nothing_else() {
    let world = world(2);
    let shards = world.stream.shards();
    let at = |number: SequenceNumber| Checkpoint::At(ExtendedSequenceNumber::new(number, 0));
    world.store.put(row(FIRST, at(shards[0].starting_sequence_number.clone().unwrap())));
    world.store.put(Lease { hash_range: Some(shards[1].hash_range), ..row(SECOND, at(1.into())) });
    let (counts, recorder) = (Counts::default(), Recorder::new("a"));
    let worker = counts.start(&world, &recorder).await;
    world.put(0..40);
    until("it is named", || counts.of("LeasesOfAnotherStream") > 0).await;
    until("the other shard is read", || !recorder.events_of(FIRST).is_empty()).await;
    let read = |event: &Event| matches!(event, Event::Record(..));
    until("its records", || recorder.events_of(FIRST).iter().any(read)).await;
    pass(SYNC * 3).await;
    assert_eq!(worker.status().state, ConsumerState::Running);
    assert!(!recorder.events_of(SECOND).iter().any(read), "nothing of it is skipped");
    worker.shutdown().await.unwrap();
}

/// The rows of the finished shards of the stream before hide the shards of the same ids.
#[tokio::test(start_paused = true)]
async fn an_end_from_the_stream_before_is_named() {
    let world = world(1);
    let (counts, recorder) = (Counts::default(), Recorder::new("a"));
    let worker = counts.start(&world, &recorder).await;
    world.put(0..10);
    world.stream.split(&FIRST.into()).unwrap();
    let put = world.put(0..20);
    until("all", || recorder.distinct() == put).await;
    until("finished", || world.lease(FIRST).checkpoint.is_shard_end()).await;
    world.stream.recreate(1);
    world.put(100..120);
    until("somebody is told", || counts.holes() > 0 || counts.of("LeasesOfAnotherStream") > 0).await;
    drop(worker);
}
