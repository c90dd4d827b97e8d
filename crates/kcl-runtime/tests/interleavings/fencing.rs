//! Fencing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kcl_core::*;
use kcl_runtime::*;
use kcl_testing::{Fault, FaultyStore, StoreCall};

use crate::support::broken::StaleScans;
use crate::support::holder::{Holder, my_row};
use crate::support::{Event, Recorder, World, pass};

#[test]
fn the_renewal_of_a_process_with_the_same_name_is_not_mistaken_for_ones_own() {
    let mut row = my_row();
    let mut zombie = Holder::new(&row, Mono::ZERO);
    row = LeaseWrite::take(&row, &"me".into(), TenureToken::new(1)).apply(Some(&row)).unwrap().unwrap();
    let mut successor = Holder::new(&row, Mono::from_millis(11_000));
    for round in 0..4 {
        let now = 15_000 + round * 4_000;
        for holder in [&mut zombie, &mut successor] {
            let mut writes = holder.input(now, HeldInput::Tick);
            writes.extend(holder.input(now + 500, HeldInput::Tick));
            while let Some(write) = writes.pop() {
                writes.extend(holder.served(now + 500, &mut row, &write));
                writes.extend(holder.input(now + 1000, HeldInput::Tick));
            }
        }
    }
    let now = Mono::from_millis(29_000);
    let live = [&zombie, &successor].into_iter().filter(|holder| holder.held.may_begin_callback(now)).count();
    assert_eq!(live, 1, "one tenure survives the counter (R14, S7)");
}

#[test]
fn describing_a_row_credits_nothing_to_an_unknown_renewal() {
    let mut row = my_row();
    let mut holder = Holder::new(&row, Mono::ZERO);
    let renewal = holder.input(3400, HeldInput::Tick).remove(0);
    holder.input(3500, HeldInput::WriteAnswered(renewal.0, WriteAnswer::Indeterminate));
    // A slow read begins; it will show the row as it is now.
    holder.input(3600, HeldInput::Tick);
    holder.input(3600, HeldInput::ChangeRequested(RowChange::Describe(vec!["child".into()]), None));
    let seen = row.clone();
    // The renewal arrives at last: others start their timers.
    row = renewal.1.apply(Some(&row)).unwrap().unwrap();
    let describe = holder.input(6000, HeldInput::RowRead(Some(Some(seen)))).remove(0);
    assert_eq!(describe.1.verb(), Verb::Describe);
    holder.served(6100, &mut row, &describe);
    let earliest = Mono::from_millis(3400) + Duration::from_secs(9);
    assert!(!holder.held.may_begin_callback(earliest), "the deadline counts from the renewal that was sent at 3.4 s (P5)");
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_held_is_never_taken_from_oneself() {
    let world = World::new(8);
    let recorder = Recorder::new("a");
    let a = world.start_alone(&recorder).await;
    let store = FaultyStore::new(StaleScans { inner: world.store.clone(), frozen: Arc::default() });
    let stale = StaleScans { inner: store.clone(), frozen: Arc::new(Mutex::new(Some(world.store.leases()))) };
    let plan = store.faults();
    let takes: Vec<_> = (0..4).map(|_| plan.next(StoreCall::Write(Verb::Take), Fault::DelayReply)).collect();
    let reads = plan.every(StoreCall::Get, Fault::Delay);
    let scan = plan.nth(StoreCall::Scan, 2, Fault::Delay);
    let mut eager = world.clone();
    eager.config.management.leases_to_acquire = 8;
    eager.config.hand_off_timeout = Duration::ZERO;
    let b = eager.start_on(&recorder.beside("b"), stale.clone(), world.stream.clone(), TokioEnv::on_current_runtime()).await;
    let b = b.unwrap();
    for take in &takes {
        take.reached().await;
    }
    let again = plan.every(StoreCall::Write(Verb::Take), Fault::Delay);
    // The takes are applied, their answers lost; the rows are being read; an old scan arrives, and b plans anew.
    reads.reached().await;
    scan.release();
    again.reached().await;
    reads.release();
    pass(Duration::from_millis(100)).await;
    again.release();
    *stale.frozen.lock().unwrap() = None;
    pass(Duration::from_secs(5)).await;
    // Leases may move back and forth in such a muddle; but one tenure ends before the next begins.
    let mut drivers: BTreeMap<String, usize> = BTreeMap::new();
    for (_, shard, event) in recorder.log().into_iter().filter(|(worker, ..)| worker == "b") {
        let running = drivers.entry(shard.clone()).or_default();
        match event {
            Event::Initialize(_) => *running += 1,
            Event::LeaseLost => *running -= 1,
            _ => {}
        }
        assert!(*running <= 1, "two drivers for {shard} at the same time");
    }
    a.shutdown().await.unwrap();
    b.shutdown().await.unwrap();
}
