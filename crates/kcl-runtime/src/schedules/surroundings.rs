use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use kcl_core::{
    Checkpoint, Checkpointer, ExtendedSequenceNumber, HeldAction, HeldLease, HoldId, KinesisClientRecord, Lease, LeaseCounter,
    LeaseTiming, LeaseWrite, Mono, NoMetrics, ShardRecordProcessor, ShardRecordProcessorFactory, StartStrategy, Wall,
    WorkerConfig,
};
use kcl_testing::{MemoryLeaseStore, MemoryStream};
use rand::SeedableRng;
use tokio::sync::watch;

use crate::env::{Env, SeededRng, TaskClass, TaskEnd, TaskHandle};
use crate::parts::{Backends, Parts};
use crate::status::StatusBoard;

pub(super) const FAILOVER: Duration = Duration::from_secs(10);

pub(super) fn position(sequence: u64) -> ExtendedSequenceNumber {
    ExtendedSequenceNumber::new(sequence.into(), 0)
}

pub(super) fn at(sequence: u64) -> Checkpoint {
    Checkpoint::At(position(sequence))
}

/// A row that `me` owns.
pub(super) fn my_row() -> Lease {
    let mut row = Lease::new("shard".into(), Checkpoint::TrimHorizon);
    row.owner = Some("me".into());
    row.counter = LeaseCounter::new(1);
    row
}

/// The row after another worker has taken it.
pub(super) fn taken(row: &Lease) -> Lease {
    LeaseWrite::take(row, &"other".into(), kcl_core::TenureToken::new(1)).apply(Some(row)).unwrap().unwrap()
}

/// A tenure that begins at 0 s: the next renewal is due after 3.3 s, the deadline is at 9 s.
pub(super) fn held() -> HeldLease {
    HeldLease::new(HoldId(1), "me".into(), LeaseTiming::from_failover(FAILOVER), my_row(), Mono::ZERO)
}

/// The one write among what a machine wants done.
pub(super) fn only_write(actions: Vec<HeldAction>) -> (u64, LeaseWrite) {
    let mut writes = actions.into_iter().filter_map(|action| match action {
        HeldAction::Write(number, write) => Some((number, write)),
        _ => None,
    });
    let write = writes.next().unwrap();
    assert!(writes.next().is_none(), "two writes in flight");
    write
}

/// Tasks are the explorer's; the clock stands still, so that nothing happens by time alone.
#[derive(Default)]
pub(super) struct Explored {
    running: Arc<watch::Sender<usize>>,
}

impl Explored {
    /// How many of its tasks have not ended.
    pub(super) fn tasks(&self) -> watch::Receiver<usize> {
        self.running.subscribe()
    }
}

/// One task that has not ended.
struct Running(Arc<watch::Sender<usize>>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.send_modify(|running| *running -= 1);
    }
}

impl Env for Explored {
    fn now(&self) -> Mono {
        Mono::from_millis(1_000)
    }

    fn wall(&self) -> Wall {
        Wall::from_unix_millis(1)
    }

    fn sleep_until(&self, at: Mono) -> BoxFuture<'static, ()> {
        if at <= self.now() { std::future::ready(()).boxed() } else { std::future::pending().boxed() }
    }

    fn spawn(&self, _: TaskClass, _: &str, task: BoxFuture<'static, ()>) -> TaskHandle {
        self.running.send_modify(|running| *running += 1);
        let running = Running(Arc::clone(&self.running));
        let task = shuttle::future::spawn(async move {
            task.await;
            drop(running);
        });
        let abort = task.abort_handle();
        let end = task.map(|end| if end.is_ok() { TaskEnd::Done } else { TaskEnd::Aborted });
        TaskHandle::new(end.boxed(), move || abort.abort())
    }

    fn rng(&self) -> SeededRng {
        SeededRng::seed_from_u64(1)
    }
}

/// Processors that do nothing.
pub(super) struct Idle;

#[async_trait]
impl ShardRecordProcessorFactory for Idle {
    async fn initialize(&self, _: Checkpointer) -> Box<dyn ShardRecordProcessor> {
        Box::new(Self)
    }
}

#[async_trait]
impl ShardRecordProcessor for Idle {
    async fn process_records(&self, _: Vec<KinesisClientRecord>, _: i64) {}

    async fn lease_lost(&self) {}

    async fn shard_ended(&self) {}

    async fn shutdown_requested(&self) {}
}

pub(super) fn config() -> WorkerConfig {
    let mut config = WorkerConfig::new("application", "stream");
    config.management.start_strategy = StartStrategy::Oldest;
    config.worker_id = Some("me".into());
    config
}

/// Backends over a stream of one shard without records.
pub(super) fn backends(env: Explored, store: &MemoryLeaseStore) -> Backends {
    Backends {
        store: Arc::new(store.clone()),
        stream: Arc::new(MemoryStream::new("stream", 1)),
        metrics: Arc::new(NoMetrics),
        publisher: None,
        env: Arc::new(env),
    }
}

pub(super) fn parts() -> Arc<Parts> {
    let Backends { store, stream, metrics, env, .. } = backends(Explored::default(), &MemoryLeaseStore::new());
    let timing = LeaseTiming::from_failover(FAILOVER);
    let (factory, status) = (Arc::new(Idle), StatusBoard::default());
    Arc::new(Parts { env, store, stream, metrics, factory, config: config(), timing, me: "me".into(), status })
}
