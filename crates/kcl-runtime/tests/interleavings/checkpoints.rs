//! Checkpoints that go back.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join;
use kcl_core::*;
use kcl_runtime::*;
use kcl_testing::{Fault, FaultyStore, StoreCall};

use crate::support::holder::{Holder, at, my_row};
use crate::support::script::Script;
use crate::support::{World, pass, until};

#[test]
fn a_checkpoint_that_arrives_late_does_not_move_the_row_back() {
    let mut row = my_row();
    let mut holder = Holder::new(&row, Mono::ZERO);
    for late in [at(7), Checkpoint::ShardEnd, at(8)] {
        let before = row.checkpoint.clone();
        // Admitted by the cell before the one before it was stored.
        let mut writes = holder.input(100, HeldInput::ChangeRequested(RowChange::Checkpoint(at(9)), Some(RequestId(1))));
        writes.extend(holder.input(100, HeldInput::ChangeRequested(RowChange::Checkpoint(late), Some(RequestId(2)))));
        while let Some(write) = writes.pop() {
            writes.extend(holder.served(100, &mut row, &write));
        }
        assert!(row.checkpoint >= before, "{before} became {}", row.checkpoint);
    }
}

#[tokio::test(start_paused = true)]
async fn calls_made_at_the_same_time_never_move_the_checkpoint_back() {
    let world = World::new(1);
    let shard = world.stream.open_shards().remove(0);
    world.put(0..3);
    let highest: Arc<Mutex<Option<ExtendedSequenceNumber>>> = Arc::default();
    let done = Arc::clone(&highest);
    let script = Script::new(move |checkpointer, records| {
        let done = Arc::clone(&done);
        async move {
            let at: Vec<_> = records.iter().map(KinesisClientRecord::extended_sequence_number).collect();
            let first = join(checkpointer.checkpoint(at[0].clone()), checkpointer.checkpoint(at[2].clone()));
            let then = join(checkpointer.prepare(at[2].clone(), None), checkpointer.checkpoint(at[1].clone()));
            let _ = join(first, then).await;
            *done.lock().unwrap() = Some(at[2].clone());
        }
        .boxed()
    });
    let worker = script.start(&world, world.store.clone(), TokioEnv::on_current_runtime()).await;
    until("all four calls have returned", || highest.lock().unwrap().is_some()).await;
    let last = highest.lock().unwrap().clone().unwrap();
    assert_eq!(world.lease(&shard).checkpoint, Checkpoint::At(last), "it was acknowledged (S9) and never goes back (S5)");
    worker.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_shard_is_never_taken_back() {
    let world = World::new(1);
    let shard = world.stream.open_shards().remove(0);
    world.put(0..3);
    let done = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&done);
    let mut script = Script::new(|_, _| futures_util::future::ready(()).boxed());
    script.on_end = Arc::new(move |checkpointer| {
        let flag = Arc::clone(&flag);
        async move {
            let last = ExtendedSequenceNumber::new(4.into(), 0);
            let others = join(checkpointer.prepare(last.clone(), None), checkpointer.checkpoint(last));
            let _ = join(checkpointer.end(), others).await;
            flag.store(true, Ordering::SeqCst);
        }
        .boxed()
    });
    let worker = script.start(&world, world.store.clone(), TokioEnv::on_current_runtime()).await;
    until("held", || world.owners().contains_key("a")).await;
    pass(Duration::from_secs(1)).await;
    world.stream.split(&shard).unwrap();
    until("the end was called", || done.load(Ordering::SeqCst)).await;
    pass(Duration::from_secs(1)).await;
    assert_eq!(world.lease(&shard).checkpoint, Checkpoint::ShardEnd);
    worker.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn after_a_panic_nothing_is_checkpointed_any_more() {
    let world = World::new(1);
    let shard = world.stream.open_shards().remove(0);
    world.put(0..3);
    let store = FaultyStore::new(world.store.clone());
    store.faults().next(StoreCall::Write(Verb::Release), Fault::Throttle);
    let env = TokioEnv::on_current_runtime();
    let (clock, stop) = (env.clone(), Arc::new(AtomicBool::new(false)));
    let stopped = Arc::clone(&stop);
    let script = Script::new(move |checkpointer, _| {
        let (clock, stopped) = (clock.clone(), Arc::clone(&stopped));
        async move {
            let timer = clock.clone();
            let background = async move {
                while !stopped.load(Ordering::SeqCst) {
                    timer.sleep_until(timer.now() + Duration::from_millis(20)).await;
                    let _ = checkpointer.checkpoint_latest().await;
                }
            };
            drop(clock.spawn(TaskClass::Work, "the application's own timer", background.boxed()));
            panic!("poison");
        }
        .boxed()
    });
    let worker = script.start(&world, store, env).await;
    until("released after the panic", || world.store.writes_of(Verb::Release).applied > 0).await;
    stop.store(true, Ordering::SeqCst);
    assert_eq!(world.lease(&shard).checkpoint, Checkpoint::TrimHorizon, "the poisoned records are not skipped (P13)");
    worker.shutdown().await.unwrap();
}
