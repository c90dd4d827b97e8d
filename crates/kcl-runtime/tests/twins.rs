//! Two processes under one worker id: what a lost answer hides is not mistaken for one's own doing.
#![allow(clippy::unwrap_used, reason = "test support")]

mod support;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kcl_core::*;
use kcl_runtime::{TokioEnv, Worker};
use kcl_testing::{Fault, FaultyStore, MemoryLeaseStore, StoreCall};
use support::{Event, Recorder, World, pass, until};

const FAILOVER: Duration = Duration::from_secs(10);

/// Which write the other process is first at.
type Which = fn(&LeaseWrite) -> bool;

/// A store that somebody else is always first at: the first write of a kind stays away until another process has changed the
/// row, never arrives, and is answered with "unknown".
#[derive(Clone)]
struct Beaten {
    inner: MemoryLeaseStore,
    which: Which,
    beaten: Arc<Mutex<Vec<LeaseWrite>>>,
}

impl Beaten {
    fn at(inner: &MemoryLeaseStore, which: Which) -> Self {
        Self { inner: inner.clone(), which, beaten: Arc::default() }
    }

    fn waits(&self) -> bool {
        !self.beaten.lock().unwrap().is_empty()
    }
}

#[async_trait::async_trait]
impl LeaseStore for Beaten {
    async fn prepare(&self) -> Result<(), StoreError> {
        self.inner.prepare().await
    }

    async fn scan(&self) -> Result<LeaseScan, StoreError> {
        self.inner.scan().await
    }

    async fn get(&self, key: &LeaseKey) -> Result<Option<Lease>, StoreError> {
        self.inner.get(key).await
    }

    async fn write(&self, write: &LeaseWrite) -> Result<WriteOutcome, StoreError> {
        if self.waits() || !(self.which)(write) {
            return self.inner.write(write).await;
        }
        self.beaten.lock().unwrap().push(write.clone());
        let stored = self.inner.lease(write.key()).map(|row| row.counter);
        while self.inner.lease(write.key()).map(|row| row.counter) == stored {
            pass(Duration::from_millis(1)).await;
        }
        Err(StoreError::new(ErrorKind::Indeterminate, write.verb().name(), write.key().as_str()))
    }

    async fn fleet(&self) -> Result<FleetRows, StoreError> {
        self.inner.fleet().await
    }
}

async fn start(world: &World, recorder: &Recorder, store: impl LeaseStore) -> Worker {
    world.start_on(recorder, store, world.stream.clone(), TokioEnv::on_current_runtime()).await.unwrap()
}

/// How often a processor of this worker was made.
fn tenures(recorder: &Recorder) -> usize {
    recorder.log().iter().filter(|(_, _, event)| matches!(event, Event::Initialize(_))).count()
}

#[tokio::test(start_paused = true)]
async fn a_twins_take_of_the_same_version_is_not_adopted_for_a_lost_one() {
    let world = World::new(1);
    let (old, new) = (Recorder::new("a"), Recorder::new("a"));
    let store = Beaten::at(&world.store, |write| write.verb() == Verb::Take);
    let worker = start(&world, &old, store.clone()).await;
    until("the old process has sent its take", || store.waits()).await;
    let twin = world.start(&new).await;
    until("the twin took the lease", || tenures(&new) == 1).await;
    let beaten = store.beaten.lock().unwrap().remove(0);
    let row = world.lease(beaten.key());
    assert_eq!(Some(row.counter), beaten.counter_after(), "the twin took the version that the lost take was for");
    let put = world.put(0..50);
    pass(FAILOVER * 5).await;
    assert_eq!((tenures(&old), worker.status().leases.len()), (0, 0), "one owner and counter, one tenure");
    assert_eq!(new.payloads().len(), put.len(), "every record once");
    twin.shutdown().await.unwrap();
    until("the old process takes what the twin gave up", || tenures(&old) == 1).await;
    worker.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_twins_take_is_not_adopted_for_a_lost_renewal() {
    let world = World::new(1);
    let recorder = Recorder::new("a");
    let store = Beaten::at(&world.store, |write| write.verb() == Verb::Renew);
    let worker = start(&world, &recorder, store.clone()).await;
    until("its renewal is on the way", || store.waits()).await;
    let put = world.put(0..10);
    until("its driver reads on", || recorder.distinct() == put).await;
    // The twin believes that the lease has expired: its clock runs ahead, or it has stopped the other one in its mind.
    let shard = world.stream.open_shards().remove(0);
    let row = world.lease(&shard);
    let take = LeaseWrite::take(&row, &"a".into(), TenureToken::new(1));
    world.store.put(take.apply(Some(&row)).unwrap().unwrap());
    let took = until("the tenure is over", || recorder.count(&Event::LeaseLost) == 1).await;
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert_eq!(world.lease(&shard).counter, row.counter.next(), "and writes nothing more");
    worker.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_take_of_ones_own_whose_answer_was_lost_is_found_by_its_token() {
    let world = World::new(4);
    let store = FaultyStore::new(world.store.clone());
    store.faults().every(StoreCall::Write(Verb::Take), Fault::LoseReply);
    let recorder = Recorder::new("a");
    let worker = start(&world, &recorder, store).await;
    let took = until("all are held", || worker.status().leases.len() == 4).await;
    assert!(took < Duration::from_secs(3), "nothing has to expire: {took:?}");
    assert_eq!(world.store.writes_of(Verb::Take).applied, 4, "and nothing is taken twice");
    let tokens: BTreeSet<_> = world.store.leases().into_iter().filter_map(|row| row.tenure).collect();
    assert_eq!(tokens.len(), 4, "every take has a token of its own");
    worker.shutdown().await.unwrap();
}
