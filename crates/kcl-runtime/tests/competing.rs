//! Several workers and a store that misbehaves: balance, take-over, fencing, shutdown.

mod support;

use std::sync::Arc;
use std::time::Duration;

use kcl_core::{ErrorKind, LeaseWrite, OnPanic, TenureToken, Verb};
use kcl_runtime::{ConsumerError, ConsumerState, LeaseState, StartError, TokioEnv};
use kcl_testing::{Fault, FaultyStore, FaultyStream, StoreCall, StreamCall};
use support::{Event, Killable, Recorder, World, now, pass, until};

const FAILOVER: Duration = Duration::from_secs(10);

#[tokio::test(start_paused = true)]
async fn workers_share_the_shards_evenly_and_then_leave_them_alone() {
    let world = World::new(8);
    let first = Recorder::new("a");
    let a = world.start_alone(&first).await;
    let b = world.start(&first.beside("b")).await;
    let took = until("even", || world.owners().get("b") == Some(&4)).await;
    assert!(took < Duration::from_secs(30), "{took:?}");
    pass(Duration::from_secs(1)).await;
    let taken = world.store.writes_of(Verb::Take);
    pass(Duration::from_secs(600)).await;
    assert_eq!(world.store.writes_of(Verb::Take), taken, "no lease moves any more");
    assert_eq!(taken.applied, 12, "eight at the start, four that were asked for");
    assert_eq!(world.store.writes_of(Verb::Renew).rejected, 0, "whoever was asked gave them up by itself");
    a.shutdown().await.unwrap();
    let took = until("b has all", || world.owners().get("b") == Some(&8)).await;
    assert!(took < Duration::from_secs(6), "released leases need not expire: {took:?}");
    b.shutdown().await.unwrap();
    assert_eq!(world.owners().get("-"), Some(&8));
}

#[tokio::test(start_paused = true)]
async fn a_killed_workers_shards_are_taken_over_within_the_bound_and_nothing_is_lost() {
    let world = World::new(8);
    let recorder = Recorder::new("a");
    let env = Killable::new();
    let _a = world.start_on(&recorder, world.store.clone(), world.stream.clone(), env.clone()).await.unwrap();
    let b = world.start(&recorder.beside("b")).await;
    until("even", || world.owners().get("b") == Some(&4)).await;
    let mut put = world.put(0..200);
    until("all", || recorder.distinct() == put).await;
    env.kill();
    put.extend(world.put(200..400));
    let took = until("b has all", || world.owners().get("b") == Some(&8)).await;
    // One scan until the last counter is first seen, the failover time, and the read that confirms it.
    assert!(took > FAILOVER - FAILOVER / 3, "not before a third of the failover time was left: {took:?}");
    assert!(took < FAILOVER + FAILOVER / 2 + Duration::from_secs(1), "{took:?}");
    until("nothing is lost", || recorder.distinct() == put).await;
    b.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn who_lost_a_lease_is_told_and_cannot_checkpoint() {
    let world = World::new(1);
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let wait = Arc::clone(&gate);
    let recorder = Recorder::new("a").before_record(move |_, _| {
        let wait = Arc::clone(&wait);
        Box::pin(async move { wait.acquire().await.unwrap().forget() })
    });
    let a = world.start(&recorder).await;
    world.put(0..1);
    let shard = world.stream.open_shards().remove(0);
    until("a holds it", || world.owners().contains_key("a")).await;
    pass(Duration::from_secs(1)).await;
    let row = world.lease(&shard);
    world.store.put(LeaseWrite::take(&row, &"java".into(), TenureToken::new(1)).apply(Some(&row)).unwrap().unwrap());
    pass(FAILOVER).await;
    gate.add_permits(1);
    until("a was told", || recorder.count(&Event::LeaseLost) == 1).await;
    let lost = Event::CheckpointFailed("the lease is lost".to_owned());
    let events = recorder.events_of(&shard);
    assert_eq!(events[2..], [lost, Event::LeaseLost], "the checkpoint fails, then it is told");
    assert!(world.lease(&shard).checkpoint.is_initial());
    a.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_panic_hurts_only_its_shard_and_the_records_come_again() {
    let world = World::new(4);
    let panics = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = Arc::clone(&panics);
    let recorder = Recorder::new("a").before_record(move |_, payload| {
        let poison = payload == "00007" && count.fetch_add(1, std::sync::atomic::Ordering::SeqCst) < 3;
        Box::pin(async move { assert!(!poison, "poison") })
    });
    let put = world.put(0..100);
    let worker = world.start(&recorder).await;
    until("all but the poisoned shard's", || recorder.distinct().len() > 60).await;
    let took = until("everything, the poison at its fourth try", || recorder.distinct() == put).await;
    assert!(took > Duration::from_secs(6), "1 s, 2 s and 4 s of back-off: {took:?}");
    assert_eq!(recorder.count(&Event::LeaseLost), 0, "a processor that panicked is not called again");
    worker.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_panic_stops_the_consumer_where_that_is_wanted() {
    let mut world = World::new(2);
    world.config.on_panic = OnPanic::StopConsumer;
    world.put(0..10);
    let recorder = Recorder::new("a").before_record(|_, _| Box::pin(async { panic!("poison") }));
    let worker = world.start(&recorder).await;
    assert!(matches!(worker.wait().await, Err(ConsumerError::ProcessorPanicked { .. })));
    assert_eq!(world.owners().get("-"), Some(&2), "released");
    assert_eq!(worker.status().state, ConsumerState::Stopped);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_does_not_wait_for_ever() {
    let mut world = World::new(2);
    world.config.shutdown_timeout = Duration::from_secs(5);
    let shard = world.stream.open_shards().remove(0);
    let stuck = shard.clone();
    let recorder = Recorder::new("a").before_record(move |shard, _| {
        let stuck = stuck == *shard;
        Box::pin(async move {
            if stuck {
                std::future::pending().await
            }
        })
    });
    world.put(0..50);
    let worker = world.start(&recorder).await;
    until("the other shard goes on", || recorder.payloads().len() > 10).await;
    let begun = now();
    let result = worker.shutdown().await;
    assert!(now().since(begun) < Duration::from_secs(6), "{:?}", now().since(begun));
    assert!(matches!(result, Err(ConsumerError::ShutdownTimedOut { shards }) if shards == [shard]));
    assert_eq!(world.owners().get("-"), Some(&2), "released all the same");
}

#[tokio::test(start_paused = true)]
async fn an_unreachable_store_pauses_and_nobody_is_hurt() {
    let world = World::new(4);
    let store = FaultyStore::new(world.store.clone());
    let recorder = Recorder::new("a");
    let worker = world.start_on(&recorder, store.clone(), world.stream.clone(), TokioEnv::on_current_runtime()).await.unwrap();
    let mut put = world.put(0..100);
    until("all", || recorder.distinct() == put).await;
    for call in [StoreCall::Scan, StoreCall::Get, StoreCall::AnyWrite] {
        store.faults().every(call, Fault::FailBefore(ErrorKind::Unavailable));
    }
    pass(Duration::from_secs(30)).await;
    assert!(worker.status().leases.iter().all(|lease| lease.state == LeaseState::Paused), "{:?}", worker.status());
    let before = recorder.payloads().len();
    put.extend(world.put(100..200));
    pass(Duration::from_secs(5)).await;
    assert_eq!(recorder.payloads().len(), before, "nothing is delivered while the lease is in doubt");
    store.faults().clear();
    let took = until("all", || recorder.distinct() == put).await;
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert_eq!(recorder.payloads().len(), put.len(), "nobody took the leases: no duplicates");
    assert_eq!(recorder.count(&Event::LeaseLost), 0);
    worker.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn lost_answers_neither_lose_leases_nor_checkpoints() {
    let world = World::new(2);
    let store = FaultyStore::new(world.store.clone());
    let recorder = Recorder::new("a");
    let worker = world.start_on(&recorder, store.clone(), world.stream.clone(), TokioEnv::on_current_runtime()).await.unwrap();
    let mut put = world.put(0..20);
    until("all", || recorder.distinct() == put).await;
    for number in 1..20 {
        store.faults().next(StoreCall::AnyWrite, Fault::LoseReply);
        put.extend(world.put(number * 100..number * 100 + 10));
        until("all", || recorder.distinct() == put).await;
    }
    worker.shutdown().await.unwrap();
    assert_eq!(recorder.payloads().len(), put.len());
    let failed = recorder.log().into_iter().any(|(_, _, event)| matches!(event, Event::CheckpointFailed(_) | Event::LeaseLost));
    assert!(!failed, "every lost answer was cleared up");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_work_is_refused_at_the_start() {
    let world = World::new(1);
    let recorder = Recorder::new("a");
    let env = TokioEnv::on_current_runtime;
    let mut invalid = world.clone();
    invalid.config.management.max_leases = 0;
    let error = invalid.start_on(&recorder, world.store.clone(), world.stream.clone(), env()).await.unwrap_err();
    assert!(matches!(error, StartError::Config(_)), "{error:?}");

    let store = FaultyStore::new(world.store.clone());
    store.faults().every(StoreCall::Prepare, Fault::FailBefore(ErrorKind::Denied));
    let error = world.start_on(&recorder, store, world.stream.clone(), env()).await.unwrap_err();
    assert!(matches!(&error, StartError::Store(error) if error.kind() == ErrorKind::Denied), "{error:?}");

    let stream = FaultyStream::new(world.stream.clone());
    stream.faults().every(StreamCall::ListShards, Fault::FailBefore(ErrorKind::NotFound));
    let error = world.start_on(&recorder, world.store.clone(), stream, env()).await.unwrap_err();
    assert!(matches!(&error, StartError::Stream(error) if error.kind() == ErrorKind::NotFound), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_dead_endpoint_is_given_up_after_the_start_timeout() {
    let world = World::new(1);
    let recorder = Recorder::new("a");
    let store = FaultyStore::new(world.store.clone());
    store.faults().every(StoreCall::Prepare, Fault::Delay);
    let begun = now();
    let error = world.start_on(&recorder, store, world.stream.clone(), TokioEnv::on_current_runtime()).await.unwrap_err();
    assert!(matches!(&error, StartError::Store(error) if error.kind() == ErrorKind::Unavailable), "{error:?}");
    assert!(now().since(begun) < Duration::from_secs(11), "{:?}", now().since(begun));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_refuses_for_good_stops_the_consumer_with_the_reason() {
    let world = World::new(1);
    let recorder = Recorder::new("a");
    let store = FaultyStore::new(world.store.clone());
    let worker = world.start_on(&recorder, store.clone(), world.stream.clone(), TokioEnv::on_current_runtime()).await.unwrap();
    until("running", || world.owners().get("a") == Some(&1)).await;
    store.faults().every(StoreCall::Scan, Fault::FailBefore(ErrorKind::Denied));
    assert!(matches!(worker.wait().await, Err(ConsumerError::Store(error)) if error.kind() == ErrorKind::Denied));
}

#[tokio::test(start_paused = true)]
async fn shutdown_and_wait_may_be_called_in_any_order_and_again() {
    let world = World::new(2);
    let worker = world.start(&Recorder::new("a")).await;
    let (waited, shut) = futures_util::future::join(worker.wait(), worker.shutdown()).await;
    assert!(waited.is_ok() && shut.is_ok());
    assert!(worker.shutdown().await.is_ok() && worker.wait().await.is_ok());
}
