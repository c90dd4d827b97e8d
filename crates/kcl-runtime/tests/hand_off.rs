//! Leases that move between workers of this library.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kcl_core::{Lease, LeaseKey, LeaseWrite, TenureToken, Verb};
use kcl_runtime::{LeaseState, TokioEnv};
use kcl_testing::{Fault, FaultyStore, StoreCall};
use support::{Event, Killable, Recorder, World, now, pass, until};

/// Which worker processed which payloads, in order.
fn processed_by(recorder: &Recorder) -> BTreeMap<String, Vec<String>> {
    let mut by: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (worker, _, event) in recorder.log() {
        if let Event::Record(payload, _) = event {
            by.entry(worker).or_default().push(payload);
        }
    }
    by
}

fn even(world: &World, workers: &[(&str, usize)]) -> bool {
    let taken = world.store.leases().iter().all(|lease| lease.can_be_asked_for() && lease.requested_by.is_none());
    taken && workers.iter().all(|(worker, leases)| world.owners().get(*worker) == Some(leases))
}

#[tokio::test(start_paused = true)]
async fn a_move_repeats_no_record_and_the_shard_hardly_rests() {
    let mut world = World::new(8);
    // Each batch takes a while, and more arrive all the time.
    let recorder = Recorder::new("a").before_record(|_, _| Box::pin(pass(Duration::from_millis(30))));
    world.config.hand_off_timeout = Duration::from_secs(20);
    let a = world.start(&recorder).await;
    let mut put = world.put(0..400);
    until("a works", || world.owners().get("a") == Some(&8) && recorder.distinct().len() > 50).await;
    let began = now();
    let b = world.start(&recorder.beside("b")).await;
    let mut next = 400;
    while !even(&world, &[("a", 4), ("b", 4)]) {
        put.extend(world.put(next..next + 10));
        next += 10;
        pass(Duration::from_millis(100)).await;
        assert!(now().since(began) < Duration::from_secs(15), "it takes too long");
    }
    until("all", || recorder.distinct() == put).await;
    assert_eq!(recorder.payloads().len(), put.len(), "nothing comes twice");
    assert_eq!(recorder.count(&Event::LeaseLost), 0, "nobody was robbed");
    assert_eq!(recorder.count(&Event::ShutdownRequested), 4, "whoever gave a lease up was told to finish");
    assert_eq!(world.store.writes_of(Verb::Transfer).applied, 4);
    assert!(processed_by(&recorder)["b"].len() > 10);
    a.shutdown().await.unwrap();
    b.shutdown().await.unwrap();
    assert_eq!(world.owners(), BTreeMap::from([("-".to_owned(), 8)]));
}

#[tokio::test(start_paused = true)]
async fn workers_that_join_together_move_each_lease_once() {
    let world = World::new(16);
    let first = Recorder::new("a");
    let _a = world.start_alone(&first).await;
    let _b = world.start(&first.beside("b")).await;
    let _c = world.start(&first.beside("c")).await;
    let took = until("even", || {
        let counts: BTreeSet<usize> = world.owners().into_values().collect();
        counts == BTreeSet::from([5, 6]) && even(&world, &[])
    })
    .await;
    assert!(took < Duration::from_secs(20), "{took:?}");
    pass(Duration::from_secs(120)).await;
    let moved = world.store.writes_of(Verb::Transfer).applied;
    assert!((10..=11).contains(&moved), "no lease moved twice: {moved}");
}

#[tokio::test(start_paused = true)]
async fn a_slow_processor_is_waited_for() {
    let world = World::new(2);
    let recorder = Recorder::new("a").before_record(|_, _| Box::pin(pass(Duration::from_secs(20))));
    let _a = world.start_alone(&recorder).await;
    let put = world.put(0..2);
    let _b = world.start(&recorder.beside("b")).await;
    until("even", || even(&world, &[("a", 1), ("b", 1)])).await;
    until("all", || recorder.distinct() == put).await;
    pass(Duration::from_secs(120)).await;
    assert_eq!(recorder.payloads().len(), 2, "nothing comes twice");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_never_returns_is_not_waited_for_longer_than_the_limit() {
    let world = World::new(2);
    let recorder = Recorder::new("a").before_record(|_, _| Box::pin(std::future::pending()));
    let a = world.start_alone(&recorder).await;
    let put = world.put(0..20);
    until("it hangs", || a.status().leases.iter().all(|lease| lease.state == LeaseState::Processing)).await;
    let began = now();
    let other = Recorder::new("b");
    let _b = world.start(&other).await;
    until("b has one", || even(&world, &[("a", 1), ("b", 1)])).await;
    let took = now().since(began);
    assert!(took > Duration::from_secs(30) && took < Duration::from_secs(42), "{took:?}");
    until("b processes it", || !other.payloads().is_empty()).await;
    assert!(other.distinct().is_subset(&put));
    assert_eq!(world.store.writes_of(Verb::Transfer).applied, 0, "it was released instead");
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_neither_asks_nor_is_asked() {
    for off in ["a", "b"] {
        let mut world = World::new(4);
        let recorder = Recorder::new("a");
        let mut other = world.clone();
        let off_world = if off == "a" { &mut world } else { &mut other };
        off_world.config.hand_off_timeout = Duration::ZERO;
        let _a = world.start_alone(&recorder).await;
        let _b = other.start(&recorder.beside("b")).await;
        until("even", || world.owners().get("b") == Some(&2)).await;
        assert_eq!(world.store.writes_of(Verb::Request).applied, 0);
        assert_eq!(world.store.writes_of(Verb::Take).applied, 6, "{off}: taken as ever");
    }
}

#[tokio::test(start_paused = true)]
async fn an_owner_that_dies_when_it_was_asked_is_replaced_like_any_other() {
    let world = World::new(2);
    let recorder = Recorder::new("a");
    let env = Killable::new();
    let _a = world.start_on(&recorder, world.store.clone(), world.stream.clone(), env.clone()).await.unwrap();
    until("a has both", || world.owners().get("a") == Some(&2)).await;
    let _b = world.start(&recorder.beside("b")).await;
    until("asked", || world.store.writes_of(Verb::Request).applied == 1).await;
    env.kill();
    let took = until("b has both", || even(&world, &[("b", 2)])).await;
    assert!(took < Duration::from_secs(17), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn who_stops_while_it_asks_leaves_nothing_behind() {
    let world = World::new(2);
    let recorder = Recorder::new("a").before_record(|_, _| Box::pin(pass(Duration::from_secs(8))));
    let _a = world.start_alone(&recorder).await;
    world.put(0..2);
    let b = world.start(&recorder.beside("b")).await;
    until("asked", || world.store.writes_of(Verb::Request).applied == 1).await;
    pass(Duration::from_secs(5)).await;
    assert!(world.store.leases().iter().any(|lease| lease.requested_by.is_some()), "a finishes its call");
    b.shutdown().await.unwrap();
    assert!(world.store.leases().iter().all(|lease| lease.requested_by.is_none()));
    until("a has both again", || even(&world, &[("a", 2)])).await;
    assert_eq!(world.owners().get("b"), None);
}

#[tokio::test(start_paused = true)]
async fn a_request_whose_answer_is_lost_or_that_arrives_late_still_moves_the_lease() {
    for fault in [Fault::LoseReply, Fault::ApplyLate] {
        let world = World::new(2);
        let recorder = Recorder::new("a");
        let _a = world.start_alone(&recorder).await;
        let store = FaultyStore::new(world.store.clone());
        let lost = store.faults().next(StoreCall::Write(Verb::Request), fault);
        let env = TokioEnv::on_current_runtime();
        let _b = world.start_on(&recorder.beside("b"), store.clone(), world.stream.clone(), env).await.unwrap();
        until("asked", || lost.hits() == 1).await;
        store.apply_late().await;
        assert!(world.store.leases().iter().any(|lease| lease.requested_by == Some("b".into())), "{fault:?}");
        let took = until("even", || even(&world, &[("a", 1), ("b", 1)])).await;
        assert!(took < Duration::from_secs(10), "{fault:?}: {took:?}");
        assert_eq!(recorder.count(&Event::LeaseLost), 0, "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_to_a_former_owner_moves_nothing() {
    let world = World::new(2);
    let recorder = Recorder::new("a");
    let _a = world.start_alone(&recorder).await;
    // A Java worker takes a lease that somebody has asked for: what this library wrote stays in the row.
    let seen = world.store.leases().remove(0);
    let asked = Lease { requested_by: Some("b".into()), ..seen.clone() };
    let take = LeaseWrite::take(&asked, &"java".into(), TenureToken::new(0));
    let taken = take.apply(Some(&asked)).unwrap().unwrap();
    let Lease { tenure, hands_off, requested_by, .. } = asked;
    world.store.put(Lease { tenure, hands_off, requested_by, ..taken });
    let key: LeaseKey = seen.key.clone();
    pass(Duration::from_secs(5)).await;
    assert_eq!(world.lease(&key).owner, Some("java".into()));
    until("a takes it back once it has expired", || even(&world, &[("a", 2)])).await;
    assert_eq!(world.store.writes_of(Verb::Transfer).applied, 0);
}
