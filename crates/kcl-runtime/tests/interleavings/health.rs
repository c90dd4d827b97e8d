//! Health, status, shutdown.

use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use kcl_core::*;
use kcl_runtime::*;
use kcl_testing::{Fault, FaultyStore, StoreCall};

use crate::support::broken::Broken;
use crate::support::script::Script;
use crate::support::{Recorder, World, now, pass, until};

#[tokio::test(start_paused = true)]
async fn two_refusals_with_a_long_time_between_do_not_stop_the_consumer() {
    let world = World::new(1);
    let store = FaultyStore::new(world.store.clone());
    let refused = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&refused);
    let script = Script::new(move |checkpointer, records| {
        let count = Arc::clone(&count);
        async move {
            // A state that is too large for a row, say.
            let prepared = checkpointer.prepare(records[0].extended_sequence_number(), None).await;
            assert!(matches!(prepared, Err(CheckpointError::Store(_))));
            count.fetch_add(1, Ordering::SeqCst);
        }
        .boxed()
    });
    let worker = script.start(&world, store.clone(), TokioEnv::on_current_runtime()).await;
    for number in 0..2 {
        store.faults().next(StoreCall::Write(Verb::PrepareCheckpoint), Fault::FailBefore(ErrorKind::Invalid));
        world.put(number..number + 1);
        until("refused", || refused.load(Ordering::SeqCst) == u64::from(number) + 1).await;
        pass(Duration::from_secs(60)).await;
    }
    assert_eq!(worker.status().state, ConsumerState::Running);
    worker.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_consumer_whose_coordinator_died_does_not_say_that_it_runs() {
    let world = World::new(1);
    let env = Broken::new();
    let worker = world.start_on(&Recorder::new("a"), world.store.clone(), world.stream.clone(), env.clone()).await.unwrap();
    until("running", || world.owners().contains_key("a")).await;
    env.kill(|class, _| class == TaskClass::Coordination);
    assert!(matches!(worker.wait().await, Err(ConsumerError::CoordinationDied)));
    assert_eq!(worker.status().state, ConsumerState::Stopped);
}

#[tokio::test(start_paused = true)]
async fn an_end_whose_answer_was_lost_is_an_end_in_the_status_too() {
    let world = World::new(1);
    let parent = world.stream.open_shards().remove(0);
    let store = FaultyStore::new(world.store.clone());
    let recorder = Recorder::new("a");
    let worker = world.start_on(&recorder, store.clone(), world.stream.clone(), TokioEnv::on_current_runtime()).await.unwrap();
    until("held", || world.owners().contains_key("a")).await;
    store.faults().next(StoreCall::Write(Verb::Checkpoint), Fault::LoseReply);
    world.stream.split(&parent).unwrap();
    until("ended", || world.lease(&parent).checkpoint.is_shard_end()).await;
    pass(Duration::from_secs(20)).await;
    let status = worker.status().leases.into_iter().find(|lease| lease.shard_id == parent).unwrap();
    assert_eq!(status.state, LeaseState::Ended);
    worker.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
#[allow(clippy::disallowed_methods, reason = "the mailbox is filled in one poll")]
async fn dropping_a_worker_stops_it_however_busy_it_is() {
    let world = World::new(1);
    world.put(0..3);
    let handle: Arc<Mutex<Option<Worker>>> = Arc::default();
    let owner = Arc::clone(&handle);
    let gate = Arc::new(tokio::sync::Notify::new());
    let opened = Arc::clone(&gate);
    let script = Script::new(move |checkpointer, _| {
        let (owner, opened) = (Arc::clone(&owner), Arc::clone(&opened));
        async move {
            opened.notified().await;
            let mut calls: Vec<_> = (0..300).map(|_| checkpointer.checkpoint_latest().boxed()).collect();
            let once = poll_fn(|context| {
                assert!(calls.iter_mut().all(|call| call.poll_unpin(context).is_pending()));
                drop(owner.lock().unwrap().take());
                Poll::Ready(())
            });
            tokio::task::unconstrained(once).await;
            join_all(calls).await;
        }
        .boxed()
    });
    let worker = script.start(&world, world.store.clone(), TokioEnv::on_current_runtime()).await;
    until("held", || world.owners().contains_key("a")).await;
    pass(Duration::from_secs(1)).await;
    *handle.lock().unwrap() = Some(worker);
    gate.notify_one();
    until("released", || world.owners().contains_key("-")).await;
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_dies_while_the_table_is_made_is_given_up_after_the_start_timeout() {
    let world = World::new(1);
    let store = FaultyStore::new(world.store.clone());
    store.faults().next(StoreCall::Prepare, Fault::FailBefore(ErrorKind::NotReady));
    store.faults().every(StoreCall::Prepare, Fault::Delay);
    let begun = now();
    let env = TokioEnv::on_current_runtime();
    let error = world.start_on(&Recorder::new("a"), store, world.stream.clone(), env).await.unwrap_err();
    let took = now().since(begun);
    assert!(took < Duration::from_secs(21), "{took:?}: {error:?}");
}
