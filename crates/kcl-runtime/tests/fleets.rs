//! Tables that workers of KCL 3.x use: joined while all of them follow the 2.x protocol, left alone as soon as they do not.
#![allow(clippy::unwrap_used, reason = "test support")]

mod support;

use std::error::Error;
use std::time::Duration;

use kcl_core::{CoordinatorTable, ErrorKind, FleetRefusal, FleetRows, StoredState, Verb};
use kcl_runtime::{ConsumerError, ConsumerState, StartError, TokioEnv};
use kcl_testing::{Fault, FaultyStore, StoreCall};
use support::{Event, Recorder, World, now, pass, until};

/// The longest time between two looks at the row, and what one look takes.
const SEEN_AFTER: Duration = Duration::from_secs(91);

fn version(client_version: &str) -> FleetRows {
    let client_version = StoredState::Is(format!("CLIENT_VERSION_{client_version}"));
    let table_migration = StoredState::Absent;
    FleetRows { coordinator_table: CoordinatorTable::Present { table_migration, client_version }, ..FleetRows::default() }
}

async fn refused(world: &World) -> FleetRefusal {
    let (recorder, env) = (Recorder::new("a"), TokioEnv::on_current_runtime());
    match world.start_on(&recorder, world.store.clone(), world.stream.clone(), env).await {
        Err(StartError::Fleet(refusal)) => refusal,
        other => panic!("{:?}", other.map(|worker| worker.status())),
    }
}

#[tokio::test(start_paused = true)]
async fn a_native_fleet_is_not_joined() {
    let world = World::new(2);
    for native in ["3X", "3X_WITH_ROLLBACK"] {
        world.store.set_fleet(version(native));
        let refusal = refused(&world).await;
        assert_eq!(refusal, FleetRefusal::Native { client_version: format!("CLIENT_VERSION_{native}") });
    }
    world.store.set_fleet(version("4X"));
    assert!(matches!(refused(&world).await, FleetRefusal::NotUnderstood { .. }));
    world.store.set_fleet(FleetRows { owner_index: true, ..FleetRows::default() });
    assert_eq!(refused(&world).await, FleetRefusal::Unexplained);
    assert!(world.store.writes().is_empty() && world.store.leases().is_empty(), "nothing was written");
}

#[tokio::test(start_paused = true)]
async fn a_fleet_in_compatible_mode_is_joined_and_may_change_within_it() {
    let world = World::new(2);
    world.store.set_fleet(version("UPGRADE_FROM_2X"));
    let worker = world.start(&Recorder::new("a")).await;
    until("it takes", || world.owners().get("a") == Some(&2)).await;
    for next in [version("2X"), version("UPGRADE_FROM_2X"), FleetRows::default()] {
        world.store.set_fleet(next);
        pass(SEEN_AFTER).await;
        assert_eq!((worker.status().state, world.owners().get("a")), (ConsumerState::Running, Some(&2)));
    }
    worker.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_fleet_that_goes_native_is_left() {
    let world = World::new(4);
    let recorder = Recorder::new("a");
    let worker = world.start(&recorder).await;
    until("it takes", || world.owners().get("a") == Some(&4)).await;
    let put = world.put(0..50);
    until("it reads", || recorder.distinct() == put).await;
    world.store.set_fleet(version("3X_WITH_ROLLBACK"));
    let since = now();
    let error = worker.wait().await.unwrap_err();
    assert!(now().since(since) <= SEEN_AFTER, "{:?}", now().since(since));
    assert!(matches!(error, ConsumerError::Fleet(FleetRefusal::Native { .. })), "{error:?}");
    assert!(error.source().unwrap().to_string().contains("roll them back"), "it says what to do");
    assert_eq!(recorder.count(&Event::ShutdownRequested), 4, "as in any shutdown");
    for lease in world.store.leases() {
        assert!(lease.owner.is_none() && lease.checkpoint.position().is_some(), "{lease:?}");
    }
    let taken = world.store.writes_of(Verb::Take);
    pass(SEEN_AFTER).await;
    assert_eq!(world.store.writes_of(Verb::Take), taken);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_that_was_asked_for_stays_clean() {
    let world = World::new(1);
    let store = FaultyStore::new(world.store.clone());
    let env = TokioEnv::on_current_runtime();
    let worker = world.start_on(&Recorder::new("a"), store.clone(), world.stream.clone(), env).await.unwrap();
    until("it takes", || world.owners().get("a") == Some(&1)).await;
    let late = store.faults().next(StoreCall::Fleet, Fault::DelayReply);
    world.store.set_fleet(version("3X"));
    late.reached().await;
    let release = async { late.release() };
    let (stopped, ()) = futures_util::future::join(worker.shutdown(), release).await;
    stopped.unwrap();
}

#[tokio::test(start_paused = true)]
async fn nothing_is_taken_while_a_native_fleet_is_left() {
    let mut world = World::new(2);
    world.config.shutdown_timeout = Duration::from_secs(100);
    let recorder = Recorder::new("a").before_record(|_, _| Box::pin(std::future::pending()));
    let worker = world.start(&recorder).await;
    until("it takes", || world.owners().get("a") == Some(&2)).await;
    world.put(0..1);
    world.store.set_fleet(version("3X"));
    until("it leaves", || worker.status().state == ConsumerState::ShuttingDown).await;
    let taken = world.store.writes_of(Verb::Take).applied;
    // A lease without an owner, which the leader of the fleet is about to assign.
    let free = kcl_core::Lease::new("shardId-000000000009".into(), kcl_core::Checkpoint::TrimHorizon);
    world.store.put(free);
    assert!(matches!(worker.wait().await, Err(ConsumerError::Fleet(_))));
    assert_eq!(world.store.writes_of(Verb::Take).applied, taken);
}

#[tokio::test(start_paused = true)]
async fn a_mode_that_cannot_be_read_for_a_while_is_asked_for_again() {
    let world = World::new(1);
    let store = FaultyStore::new(world.store.clone());
    store.faults().next(StoreCall::Fleet, Fault::Throttle);
    let env = TokioEnv::on_current_runtime();
    let worker = world.start_on(&Recorder::new("a"), store.clone(), world.stream.clone(), env).await.unwrap();
    let failing = store.faults().every(StoreCall::Fleet, Fault::FailBefore(ErrorKind::Unavailable));
    world.store.set_fleet(version("3X"));
    pass(SEEN_AFTER * 2).await;
    assert!(failing.hits() > 10, "asked for more often while it fails: {}", failing.hits());
    assert_eq!(worker.status().state, ConsumerState::Running);
    store.faults().clear();
    assert!(matches!(worker.wait().await, Err(ConsumerError::Fleet(_))));
}

#[tokio::test(start_paused = true)]
async fn a_mode_that_may_not_be_read_stops_the_consumer() {
    let world = World::new(1);
    let store = FaultyStore::new(world.store.clone());
    let env = TokioEnv::on_current_runtime();
    let worker = world.start_on(&Recorder::new("a"), store.clone(), world.stream.clone(), env.clone()).await.unwrap();
    store.faults().every(StoreCall::Fleet, Fault::FailBefore(ErrorKind::Denied));
    assert!(matches!(worker.wait().await, Err(ConsumerError::Store(error)) if error.kind() == ErrorKind::Denied));
    let again = world.start_on(&Recorder::new("a"), store.clone(), world.stream.clone(), env).await;
    assert!(matches!(again, Err(StartError::Store(error)) if error.kind() == ErrorKind::Denied));
}
