//! Leases that nobody takes.

use kcl_core::*;
use kcl_runtime::*;
use kcl_testing::{Fault, FaultyStore, StoreCall};

use crate::support::broken::Broken;
use crate::support::{Killable, Recorder, World, until};

#[tokio::test(start_paused = true)]
async fn a_worker_that_crashed_and_came_back_under_its_name_takes_its_leases_again() {
    let world = World::new(2);
    let mut put = world.put(0..20);
    let recorder = Recorder::new("a");
    let env = Killable::new();
    let _killed = world.start_on(&recorder, world.store.clone(), world.stream.clone(), env.clone()).await.unwrap();
    until("all", || recorder.distinct() == put).await;
    env.kill();
    put.extend(world.put(20..40));
    let worker = world.start(&recorder).await;
    until("what came after the crash", || recorder.distinct() == put).await;
    worker.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_take_with_an_unknown_result_is_found_out_even_if_the_first_read_fails() {
    let world = World::new(2);
    let put = world.put(0..20);
    let store = FaultyStore::new(world.store.clone());
    store.faults().next(StoreCall::Write(Verb::Take), Fault::LoseReply);
    store.faults().next(StoreCall::Get, Fault::Throttle);
    let recorder = Recorder::new("a");
    let worker = world.start_on(&recorder, store, world.stream.clone(), TokioEnv::on_current_runtime()).await.unwrap();
    until("both shards", || recorder.distinct() == put).await;
    worker.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_lease_whose_driver_task_is_gone_is_not_renewed_for_ever() {
    let world = World::new(2);
    let mut put = world.put(0..20);
    let recorder = Recorder::new("a");
    let env = Broken::new();
    let _worker = world.start_on(&recorder, world.store.clone(), world.stream.clone(), env.clone()).await.unwrap();
    until("all", || recorder.distinct() == put).await;
    env.kill(|_, name| name.starts_with("shardId"));
    put.extend(world.put(20..40));
    let second = world.start(&recorder.beside("b")).await;
    until("somebody reads on", || recorder.distinct() == put).await;
    second.shutdown().await.unwrap();
}
