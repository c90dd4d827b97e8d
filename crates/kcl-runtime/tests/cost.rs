//! What the lease table costs: writes for each lease, scans and reads for each worker, held against what a Java worker of KCL 2.x
//! asks for with the same settings. `docs/benchmarks.md` has both, measured; these are the bounds.
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kcl_core::{FleetRows, Lease, LeaseKey, LeaseScan, LeaseStore, LeaseWrite, StoreError, Verb, WriteOutcome};
use kcl_runtime::{TokioEnv, Worker};
use kcl_testing::MemoryLeaseStore;
use support::{Recorder, World, pass, until};

const SHARDS: u32 = 12;
const MINUTES: u64 = 5;
/// Java renews every lease this often, checkpoints or not: failover time / 3 - epsilon (`DynamoDBLeaseCoordinator.java`).
const JAVA_RENEWS: Duration = Duration::from_millis(10_000 / 3 - 25);
/// Java scans this often: (failover time + epsilon) * 2.
const JAVA_SCANS: Duration = Duration::from_millis((10_000 + 25) * 2);

/// How often something happens in this time at most, if it happens once per `interval`.
fn times(interval: Duration, time: Duration) -> u64 {
    u64::try_from(time.as_millis().div_ceil(interval.as_millis())).unwrap()
}

/// A store that counts what it is asked.
#[derive(Clone)]
struct Counted {
    inner: MemoryLeaseStore,
    scans: Arc<AtomicU64>,
    gets: Arc<AtomicU64>,
    fleets: Arc<AtomicU64>,
    writes: Arc<Mutex<Vec<(Verb, bool)>>>,
}

#[async_trait::async_trait]
impl LeaseStore for Counted {
    async fn prepare(&self) -> Result<(), StoreError> {
        self.inner.prepare().await
    }

    async fn scan(&self) -> Result<LeaseScan, StoreError> {
        self.scans.fetch_add(1, Ordering::SeqCst);
        self.inner.scan().await
    }

    async fn get(&self, key: &LeaseKey) -> Result<Option<Lease>, StoreError> {
        self.gets.fetch_add(1, Ordering::SeqCst);
        self.inner.get(key).await
    }

    async fn write(&self, write: &LeaseWrite) -> Result<WriteOutcome, StoreError> {
        let outcome = self.inner.write(write).await?;
        self.writes.lock().unwrap().push((write.verb(), matches!(outcome, WriteOutcome::Applied(_))));
        Ok(outcome)
    }

    async fn fleet(&self) -> Result<FleetRows, StoreError> {
        self.fleets.fetch_add(1, Ordering::SeqCst);
        self.inner.fleet().await
    }
}

impl Counted {
    fn over(world: &World) -> Self {
        let (scans, gets, fleets) = Default::default();
        Self { inner: world.store.clone(), scans, gets, fleets, writes: Arc::default() }
    }

    async fn start(&self, world: &World, recorder: &Recorder) -> Worker {
        world.start_on(recorder, self.clone(), world.stream.clone(), TokioEnv::on_current_runtime()).await.unwrap()
    }

    /// Forgets what was counted.
    fn reset(&self) {
        for count in [&self.scans, &self.gets, &self.fleets] {
            count.store(0, Ordering::SeqCst);
        }
        self.writes.lock().unwrap().clear();
    }

    fn writes_of(&self, verb: Verb) -> u64 {
        u64::try_from(self.writes.lock().unwrap().iter().filter(|(of, _)| *of == verb).count()).unwrap()
    }

    fn writes(&self) -> u64 {
        u64::try_from(self.writes.lock().unwrap().len()).unwrap()
    }

    fn rejected(&self) -> usize {
        self.writes.lock().unwrap().iter().filter(|(_, applied)| !applied).count()
    }
}

/// So many workers that share the leases evenly, and have nothing more to say about that.
async fn balanced(world: &World, workers: u32) -> (Counted, Recorder, Vec<Worker>) {
    let store = Counted::over(world);
    let recorder = Recorder::new("0");
    let mut running = Vec::new();
    for worker in 0..workers {
        running.push(store.start(world, &recorder.beside(&worker.to_string())).await);
    }
    shared(world, workers).await;
    pass(Duration::from_secs(60)).await;
    store.reset();
    (store, recorder, running)
}

async fn shared(world: &World, workers: u32) {
    let share = usize::try_from(SHARDS / workers).unwrap();
    let all = usize::try_from(workers).unwrap();
    until("even", || world.owners().values().filter(|leases| **leases == share).count() == all).await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_fleet_writes_each_lease_no_more_often_than_javas_and_reads_no_row_by_itself() {
    let world = World::new(SHARDS);
    let (store, _, _running) = balanced(&world, 3).await;
    let time = Duration::from_secs(60 * MINUTES);
    pass(time).await;
    let renewals = store.writes_of(Verb::Renew);
    assert_eq!((store.writes(), store.rejected()), (renewals, 0), "nothing but renewals");
    assert!(renewals <= u64::from(SHARDS) * times(JAVA_RENEWS, time), "{renewals}");
    assert_eq!(store.gets.load(Ordering::SeqCst), 0);
    let fleets = store.fleets.load(Ordering::SeqCst);
    assert!(fleets <= 3 * MINUTES, "a worker looks what the fleet does once a minute: {fleets}");
}

#[tokio::test(start_paused = true)]
async fn with_kcls_interval_the_table_is_scanned_no_more_often_than_by_javas_and_no_row_is_read_by_itself() {
    let mut world = World::new(SHARDS);
    world.config.scan_interval = Some(JAVA_SCANS);
    let (store, _, _running) = balanced(&world, 3).await;
    let time = Duration::from_secs(60 * MINUTES);
    pass(time).await;
    let scans = store.scans.load(Ordering::SeqCst);
    assert!(scans <= 3 * times(JAVA_SCANS, time), "{scans}");
    assert_eq!(store.gets.load(Ordering::SeqCst), 0, "a row that was not heard of for the failover time is no suspect");
    assert_eq!(store.rejected(), 0);
}

async fn put_every_second(world: &World, seconds: u32) {
    for second in 0..seconds {
        for (nth, shard) in (0..).zip(world.stream.open_shards()) {
            world.stream.put_to(&shard, "key", format!("{nth} {second}")).unwrap();
        }
        pass(Duration::from_secs(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_checkpoint_counts_as_a_renewal() {
    let world = World::new(SHARDS);
    let (store, _, _running) = balanced(&world, 3).await;
    put_every_second(&world, 10).await;
    // What was renewed before the first checkpoint does not count.
    store.reset();
    put_every_second(&world, 60 * u32::try_from(MINUTES).unwrap()).await;
    let checkpoints = store.writes_of(Verb::Checkpoint);
    assert!(
        checkpoints >= u64::from(SHARDS) * 20 * MINUTES,
        "each lease is checkpointed every three seconds at least: {checkpoints}"
    );
    assert_eq!((store.writes() - checkpoints, store.rejected()), (0, 0), "and not written besides");
}

#[tokio::test(start_paused = true)]
async fn between_rare_checkpoints_a_lease_is_renewed_no_more_often_than_by_javas() {
    let world = World::new(SHARDS);
    let (store, _, _running) = balanced(&world, 3).await;
    for round in 0..12 * MINUTES {
        for (nth, shard) in (0..).zip(world.stream.open_shards()) {
            world.stream.put_to(&shard, "key", format!("{nth} {round}")).unwrap();
        }
        pass(Duration::from_secs(5)).await;
    }
    let (checkpoints, renewals) = (store.writes_of(Verb::Checkpoint), store.writes_of(Verb::Renew));
    assert!(checkpoints >= u64::from(SHARDS) * 11 * MINUTES, "{checkpoints}");
    // One between two checkpoints that are 5 s apart, a second one never: Java's have 1.5.
    assert!(renewals <= checkpoints + u64::from(SHARDS), "renewals={renewals} checkpoints={checkpoints}");
    assert_eq!((store.writes(), store.rejected()), (checkpoints + renewals, 0));
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_joins_costs_three_writes_for_each_lease_that_moves() {
    let world = World::new(SHARDS);
    let (store, recorder, _running) = balanced(&world, 3).await;
    let time = Duration::from_secs(60);
    let _fourth = store.start(&world, &recorder.beside("3")).await;
    shared(&world, 4).await;
    pass(time).await;
    let moved = u64::from(SHARDS / 4);
    assert_eq!(store.writes_of(Verb::Take), moved, "every lease that moves moves once");
    let besides = store.writes() - store.writes_of(Verb::Renew);
    assert!(besides <= 3 * moved, "asked for, given, taken: {:?}", store.writes.lock().unwrap());
    assert_eq!(store.rejected(), 0);
}
