//! Lost wake-ups.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use kcl_core::*;
use kcl_testing::{Fault, FaultyStore, StoreCall};

use crate::support::broken::Broken;
use crate::support::holder::{Holder, my_row};
use crate::support::{Recorder, World, until};

#[tokio::test(start_paused = true)]
async fn a_renewal_answered_just_after_the_deadline_does_not_leave_the_driver_asleep() {
    let mut world = World::new(1);
    world.config.max_records_per_call = 1;
    let store = FaultyStore::new(world.store.clone());
    let env = Broken::new();
    let (frozen, release) = (env.clone(), Arc::new(Mutex::new(None::<kcl_testing::FaultHandle>)));
    let answer = Arc::clone(&release);
    let mut recorder = Recorder::new("a").before_record(move |_, payload| {
        if payload == "00001" {
            // The process stood still here, past the deadline; the renewal's answer has arrived meanwhile.
            frozen.jump(Duration::from_millis(5_800));
            answer.lock().unwrap().take().unwrap().release();
        }
        futures_util::future::ready(()).boxed()
    });
    recorder.checkpoint = false;
    let worker = world.start_on(&recorder, store.clone(), world.stream.clone(), env).await.unwrap();
    world.put(0..1);
    until("running", || recorder.payloads().len() == 1).await;
    let renewal = store.faults().next(StoreCall::Write(Verb::Renew), Fault::DelayReply);
    *release.lock().unwrap() = Some(renewal.clone());
    renewal.reached().await;
    let put = world.put(1..3);
    until("both records", || put.is_subset(&recorder.distinct())).await;
    worker.shutdown().await.unwrap();
}

#[test]
fn past_the_deadline_a_tenure_is_paused_whatever_is_answered_then() {
    let mut row = my_row();
    let mut holder = Holder::new(&row, Mono::ZERO);
    let failed = holder.input(5000, HeldInput::Tick);
    holder.input(5100, HeldInput::WriteAnswered(failed[0].0, WriteAnswer::Failed));
    let renewal = holder.input(6000, HeldInput::Tick);
    assert!(!holder.held.may_begin_callback(Mono::from_millis(9000)), "a driver asks now, is refused, and waits for a phase");
    holder.served(9001, &mut row, &renewal[0]);
    assert!(matches!(holder.phases.first(), Some(Phase::Paused { .. })), "it is told of one: {:?}", holder.phases);
}
