//! One worker: records in order, resumed where the last tenure stopped, through resharding, to the end of shards.

mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use kcl_core::{Checkpoint, LeaseStore, StartStrategy, Wall};
use kcl_runtime::{Env, TokioEnv};
use kcl_testing::FaultyStream;
use support::{Event, Killable, Recorder, World, now, pass, until};

fn in_order_of_put(recorder: &Recorder) {
    let mut last: BTreeMap<String, String> = BTreeMap::new();
    for (_, shard, event) in recorder.log() {
        if let Event::Record(payload, _) = event {
            let before = last.insert(shard.clone(), payload.clone());
            assert!(before.as_ref().is_none_or(|before| *before < payload), "{shard}: {before:?} then {payload}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_record_once_in_order_and_checkpointed() {
    let world = World::new(4);
    let put = world.put(0..500);
    world.stream.set_records_per_read(7);
    let recorder = Recorder::new("a");
    let worker = world.start(&recorder).await;
    until("everything was processed", || recorder.distinct() == put).await;
    worker.shutdown().await.unwrap();
    assert_eq!(recorder.payloads().len(), put.len(), "no duplicates");
    in_order_of_put(&recorder);
    for lease in world.store.leases() {
        assert_eq!(lease.owner, None, "released");
        assert!(matches!(lease.checkpoint, Checkpoint::At(_)), "{}", lease.checkpoint);
    }
    assert_eq!(recorder.count(&Event::ShutdownRequested), 4);
    assert_eq!(recorder.count(&Event::LeaseLost), 0, "a clean shutdown loses nothing");
}

#[tokio::test(start_paused = true)]
async fn the_first_record_comes_quickly_and_a_restart_goes_on_where_it_stopped() {
    let world = World::new(4);
    world.put(0..100);
    let recorder = Recorder::new("a");
    let begun = now();
    let worker = world.start(&recorder).await;
    until("all", || recorder.payloads().len() == 100).await;
    assert!(now().since(begun) < Duration::from_secs(2), "new application, default settings");
    worker.shutdown().await.unwrap();
    world.put(100..200);
    let worker = world.start(&recorder.beside("b")).await;
    let took = until("the rest", || recorder.distinct().len() == 200).await;
    assert!(took < Duration::from_secs(2), "released leases are taken at once: {took:?}");
    worker.shutdown().await.unwrap();
    assert_eq!(recorder.payloads().len(), 200, "no duplicates");
}

#[tokio::test(start_paused = true)]
async fn children_start_after_their_parents_whether_or_not_the_reader_names_them() {
    for named in [true, false] {
        let world = World::new(2);
        world.stream.set_children_named(named);
        let recorder = Recorder::new("a");
        let worker = world.start(&recorder).await;
        let mut put = world.put(0..100);
        let shards = world.stream.open_shards();
        world.stream.split(&shards[0]).unwrap();
        put.extend(world.put(100..200));
        let took = until("all", || recorder.distinct() == put).await;
        assert!(took < Duration::from_secs(5), "children named: {named}: {took:?}");
        let open = world.stream.open_shards();
        world.stream.merge(&open[1], &open[2]).unwrap();
        put.extend(world.put(200..300));
        until("all after the merge", || recorder.distinct() == put).await;
        worker.shutdown().await.unwrap();
        assert_eq!(recorder.payloads().len(), put.len(), "no duplicates");
        for shard in world.stream.shards() {
            let log = recorder.log();
            let first = log.iter().position(|(_, of, _)| *of == *shard.id);
            for parent in &shard.parents {
                let ended = log.iter().position(|(_, of, event)| **of == **parent && *event == Event::ShardEnded);
                assert!(ended.is_some() && ended < first, "{} starts after {parent} has ended", shard.id);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn finished_leases_are_deleted_once_their_children_are_read() {
    let mut world = World::new(1);
    world.config.lease_cleanup_interval = Duration::from_secs(30);
    let recorder = Recorder::new("a");
    let worker = world.start(&recorder).await;
    world.put(0..10);
    let [parent] = <[_; 1]>::try_from(world.stream.open_shards()).unwrap();
    world.stream.split(&parent).unwrap();
    until("the parent is finished", || world.store.lease(&parent).is_some_and(|lease| lease.checkpoint.is_shard_end())).await;
    pass(Duration::from_secs(120)).await;
    assert!(world.store.lease(&parent).is_some(), "its children have not begun");
    world.put(100..140);
    until("the parent's row is gone", || world.store.lease(&parent).is_none()).await;
    pass(Duration::from_secs(300)).await;
    assert!(world.store.lease(&parent).is_none(), "and stays gone");
    assert_eq!(world.store.leases().len(), 2);
    worker.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_unacknowledged_end_is_asked_for_again_and_holds_the_children_back() {
    let world = World::new(1);
    let mut recorder = Recorder::new("a");
    recorder.acknowledge_end = false;
    let worker = world.start(&recorder).await;
    let shards = world.stream.open_shards();
    world.stream.split(&shards[0]).unwrap();
    world.put(0..20);
    until("asked three times", || recorder.count(&Event::ShardEnded) == 3).await;
    assert_eq!(recorder.payloads().len(), 0, "the children wait");
    worker.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn aggregates_are_taken_apart_and_resumed_inside() {
    let mut world = World::new(1);
    world.config.max_records_per_call = 3;
    let shard = world.stream.open_shards().remove(0);
    let mut aggregator = kcl_aggregation::Aggregator::default();
    for number in 0..10 {
        aggregator.add("key", None, format!("{number:05}").into_bytes()).unwrap();
    }
    world.stream.put_to(&shard, "a", aggregator.finish().unwrap().data).unwrap();
    world.put(10..12);
    let recorder = Recorder::new("a").before_record(|_, payload| {
        let stop = payload == "00007";
        Box::pin(async move {
            if stop {
                std::future::pending().await
            }
        })
    });
    let env = Killable::new();
    let _killed = world.start_on(&recorder, world.store.clone(), world.stream.clone(), env.clone()).await.unwrap();
    let third_call = |checkpoint: &Checkpoint| checkpoint.sub_sequence_number() == 5;
    until("two calls of three records are checkpointed", || {
        world.store.lease(&shard).is_some_and(|lease| third_call(&lease.checkpoint))
    })
    .await;
    env.kill();
    let second = Recorder::new("b");
    let worker = world.start(&second).await;
    until("the rest", || second.payloads().len() == 6).await;
    worker.shutdown().await.unwrap();
    let expected: Vec<String> = (6..12).map(|number| format!("{number:05}")).collect();
    assert_eq!(second.payloads(), expected, "user records 6 to 9 of the aggregate, then the plain ones");
}

#[tokio::test(start_paused = true)]
async fn an_envelope_that_cannot_be_decoded_is_delivered_as_it_is() {
    let world = World::new(1);
    let shard = world.stream.open_shards().remove(0);
    let broken = [&[0xF3, 0x89, 0x9A, 0xC2], "not the digest of anything at all".as_bytes()].concat();
    world.stream.put_to(&shard, "key", &broken).unwrap();
    world.stream.put_to(&shard, "key", "after").unwrap();
    let lossy = Recorder::new("a");
    let worker = world.start(&lossy).await;
    until("both", || lossy.payloads().len() == 2).await;
    worker.shutdown().await.unwrap();
    assert_eq!(lossy.payloads(), [String::from_utf8_lossy(&broken).into_owned(), "after".to_owned()]);
}

#[tokio::test(start_paused = true)]
async fn a_start_at_latest_is_pinned_across_a_failover_before_the_first_checkpoint() {
    let mut world = World::new(2);
    world.config.management.start_strategy = StartStrategy::Latest;
    let now = TokioEnv::on_current_runtime().wall();
    world.stream.set_now(Wall::from_unix_millis(now.unix_millis() - 60_000));
    world.put(0..20);
    world.stream.set_now(Wall::from_unix_millis(now.unix_millis() + 60_000));
    let first = Recorder::new("a");
    let env = Killable::new();
    let _killed = world.start_on(&first, world.store.clone(), world.stream.clone(), env.clone()).await.unwrap();
    until("both leases are held", || world.owners().get("a") == Some(&2)).await;
    env.kill();
    let put = world.put(20..60);
    assert!(world.store.leases().iter().all(|lease| lease.checkpoint == Checkpoint::Latest), "no checkpoint yet");
    let second = Recorder::new("b");
    let worker = world.start(&second).await;
    until("what was put in between", || second.distinct() == put).await;
    worker.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn expired_iterators_and_read_errors_lose_nothing() {
    let world = World::new(2);
    let stream = FaultyStream::new(world.stream.clone());
    let recorder = Recorder::new("a");
    let env = TokioEnv::on_current_runtime();
    let worker = world.start_on(&recorder, world.store.clone(), stream.clone(), env).await.unwrap();
    let mut put = world.put(0..50);
    until("first", || recorder.distinct() == put).await;
    use kcl_testing::{Fault, StreamCall};
    let plan = stream.faults();
    let faults = [Fault::Throttle, Fault::FailBefore(kcl_core::ErrorKind::Unavailable), Fault::LoseReply];
    for (number, fault) in (1..).zip(faults) {
        plan.next(StreamCall::Next, fault);
        plan.next(StreamCall::Next, fault);
        put.extend(world.put(number * 100..number * 100 + 30));
        world.stream.expire_iterators();
        until("after a fault", || recorder.distinct() == put).await;
    }
    worker.shutdown().await.unwrap();
    assert_eq!(recorder.payloads().len(), put.len(), "no duplicates either");
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_left_the_stream_unread_is_given_up_and_its_children_start() {
    let world = World::new(1);
    let parent = world.stream.open_shards().remove(0);
    let mut recorder = Recorder::new("a");
    recorder.acknowledge_end = false;
    let worker = world.start(&recorder).await;
    world.stream.split(&parent).unwrap();
    until("the end was reached", || recorder.count(&Event::ShardEnded) > 0).await;
    drop(worker);
    until("released", || world.owners().get("-") == Some(&3)).await;
    world.stream.remove_shard(&parent).unwrap();
    let put = world.put(0..20);
    let second = Recorder::new("b");
    let worker = world.start(&second).await;
    until("the children are read", || second.distinct() == put).await;
    assert!(world.lease(&parent).checkpoint.is_shard_end());
    worker.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn rows_that_are_not_readable_are_skipped() {
    let world = World::new(2);
    world.store.add_unreadable("someone-elses-row", "no counter");
    let put = world.put(0..20);
    let recorder = Recorder::new("a");
    let worker = world.start(&recorder).await;
    until("all", || recorder.distinct() == put).await;
    worker.shutdown().await.unwrap();
    assert_eq!(world.store.scan().await.unwrap().unreadable.len(), 1, "and left alone");
}
