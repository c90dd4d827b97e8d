//! Workers over in-memory backends, processors that record what happens to them, and an environment that can be killed.
#![allow(dead_code, unreachable_pub, missing_docs, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "test support")]

pub mod broken;
pub mod holder;
pub mod script;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{AbortHandle, Abortable, BoxFuture};
use kcl_core::*;
use kcl_runtime::*;
use kcl_testing::{MemoryLeaseStore, MemoryStream};

/// What a processor saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Initialize(Checkpoint),
    Record(String, ExtendedSequenceNumber),
    CheckpointFailed(String),
    LeaseLost,
    ShardEnded,
    ShutdownRequested,
}

type Hook = Arc<dyn Fn(&str, &str) -> BoxFuture<'static, ()> + Send + Sync>;

/// Records every callback of every processor of one worker.
#[derive(Clone)]
pub struct Recorder {
    pub worker: String,
    pub events: Arc<Mutex<Vec<(String, String, Event)>>>,
    /// Runs with shard and payload before a record is recorded; may panic or wait.
    pub before_record: Hook,
    pub checkpoint: bool,
    pub acknowledge_end: bool,
}

impl Recorder {
    pub fn new(worker: &str) -> Self {
        let before_record: Hook = Arc::new(|_, _| futures_util::future::ready(()).boxed());
        Self { worker: worker.to_owned(), events: Arc::default(), before_record, checkpoint: true, acknowledge_end: true }
    }

    /// Another worker's recorder that writes into the same log.
    pub fn beside(&self, worker: &str) -> Self {
        Self { worker: worker.to_owned(), ..self.clone() }
    }

    pub fn before_record(mut self, hook: impl Fn(&str, &str) -> BoxFuture<'static, ()> + Send + Sync + 'static) -> Self {
        self.before_record = Arc::new(hook);
        self
    }

    pub fn log(&self) -> Vec<(String, String, Event)> {
        self.events.lock().unwrap().clone()
    }

    fn push(&self, shard: &str, event: Event) {
        self.events.lock().unwrap().push((self.worker.clone(), shard.to_owned(), event));
    }

    /// The payloads in the order they were seen, with repetitions.
    pub fn payloads(&self) -> Vec<String> {
        let record = |(_, _, event)| if let Event::Record(payload, _) = event { Some(payload) } else { None };
        self.log().into_iter().filter_map(record).collect()
    }

    pub fn distinct(&self) -> BTreeSet<String> {
        self.payloads().into_iter().collect()
    }

    pub fn events_of(&self, shard: &str) -> Vec<Event> {
        self.log().into_iter().filter(|(_, of, _)| of == shard).map(|(_, _, event)| event).collect()
    }

    pub fn count(&self, wanted: &Event) -> usize {
        self.log().iter().filter(|(_, _, event)| event == wanted).count()
    }
}

struct Processor {
    recorder: Recorder,
    checkpointer: Checkpointer,
    shard: String,
}

#[async_trait::async_trait]
impl ShardRecordProcessorFactory for Recorder {
    async fn initialize(&self, checkpointer: Checkpointer) -> Box<dyn ShardRecordProcessor> {
        let shard = checkpointer.lease().shard_id.to_string();
        self.push(&shard, Event::Initialize(checkpointer.lease().start_position.clone()));
        Box::new(Processor { recorder: self.clone(), checkpointer, shard })
    }
}

impl Processor {
    async fn checkpoint(&self) {
        if self.recorder.checkpoint
            && let Err(error) = self.checkpointer.checkpoint_latest().await
        {
            self.recorder.push(&self.shard, Event::CheckpointFailed(error.to_string()));
        }
    }
}

#[async_trait::async_trait]
impl ShardRecordProcessor for Processor {
    async fn process_records(&self, records: Vec<KinesisClientRecord>, _millis_behind_latest: i64) {
        for record in &records {
            let payload = String::from_utf8_lossy(&record.record.data).into_owned();
            (self.recorder.before_record)(&self.shard, &payload).await;
            self.recorder.push(&self.shard, Event::Record(payload, record.extended_sequence_number()));
        }
        self.checkpoint().await;
    }

    async fn lease_lost(&self) {
        self.recorder.push(&self.shard, Event::LeaseLost);
    }

    async fn shard_ended(&self) {
        self.recorder.push(&self.shard, Event::ShardEnded);
        if self.recorder.acknowledge_end
            && let Err(error) = self.checkpointer.end().await
        {
            self.recorder.push(&self.shard, Event::CheckpointFailed(error.to_string()));
        }
    }

    async fn shutdown_requested(&self) {
        self.recorder.push(&self.shard, Event::ShutdownRequested);
        self.checkpoint().await;
    }
}

/// An environment whose tasks can all be ended at once, as when a process is killed.
#[derive(Clone)]
pub struct Killable {
    inner: TokioEnv,
    tasks: Arc<Mutex<Vec<AbortHandle>>>,
}

impl Killable {
    pub fn new() -> Self {
        Self { inner: TokioEnv::on_current_runtime(), tasks: Arc::default() }
    }

    pub fn kill(&self) {
        self.tasks.lock().unwrap().drain(..).for_each(|task| task.abort());
    }
}

impl Env for Killable {
    fn now(&self) -> Mono {
        self.inner.now()
    }

    fn wall(&self) -> Wall {
        self.inner.wall()
    }

    fn sleep_until(&self, at: Mono) -> BoxFuture<'static, ()> {
        self.inner.sleep_until(at)
    }

    fn spawn(&self, class: TaskClass, name: &str, task: BoxFuture<'static, ()>) -> TaskHandle {
        let (abort, registration) = AbortHandle::new_pair();
        self.tasks.lock().unwrap().push(abort);
        self.inner.spawn(class, name, Abortable::new(task, registration).map(|_| ()).boxed())
    }

    fn rng(&self) -> SeededRng {
        self.inner.rng()
    }
}

/// A stream, a lease table, and the settings of the workers that share them.
#[derive(Clone)]
pub struct World {
    pub stream: MemoryStream,
    pub store: MemoryLeaseStore,
    pub config: WorkerConfig,
}

impl World {
    pub fn new(shards: u32) -> Self {
        let mut config = WorkerConfig::new("application", "stream");
        config.management.start_strategy = StartStrategy::Oldest;
        config.poll_interval = Duration::from_millis(200);
        let _ = tracing_subscriber::fmt().with_env_filter("off,kcl_runtime=debug").with_test_writer().try_init();
        Self { stream: MemoryStream::new("stream", shards), store: MemoryLeaseStore::new(), config }
    }

    pub async fn start(&self, recorder: &Recorder) -> Worker {
        self.start_with(recorder, self.backends()).await.unwrap()
    }

    pub async fn start_on(
        &self,
        recorder: &Recorder,
        store: impl LeaseStore,
        stream: impl StreamReader,
        env: impl Env,
    ) -> Result<Worker, StartError> {
        self.start_with(recorder, over(store, stream, env)).await
    }

    pub fn backends(&self) -> Backends {
        over(self.store.clone(), self.stream.clone(), TokioEnv::on_current_runtime())
    }

    pub async fn start_with(&self, recorder: &Recorder, backends: Backends) -> Result<Worker, StartError> {
        let mut config = self.config.clone();
        config.worker_id = Some(recorder.worker.as_str().into());
        Worker::start(config, backends, Arc::new(recorder.clone())).await
    }

    /// A worker that is the first one, once it owns every shard.
    pub async fn start_alone(&self, recorder: &Recorder) -> Worker {
        let worker = self.start(recorder).await;
        let shards = self.stream.shards().len();
        until("it has all", || self.owners().get(&recorder.worker) == Some(&shards)).await;
        worker
    }

    pub fn put(&self, payloads: impl IntoIterator<Item = u32>) -> BTreeSet<String> {
        let put = |number: u32| {
            let payload = format!("{number:05}");
            self.stream.put(&payload, payload.as_bytes());
            payload
        };
        payloads.into_iter().map(put).collect()
    }

    pub fn owners(&self) -> BTreeMap<String, usize> {
        let mut owners = BTreeMap::new();
        for lease in self.store.leases() {
            *owners.entry(lease.owner.map_or_else(|| "-".to_owned(), |owner| owner.to_string())).or_default() += 1;
        }
        owners
    }

    pub fn lease(&self, shard: &str) -> Lease {
        self.store.lease(shard).unwrap()
    }
}

fn over(store: impl LeaseStore, stream: impl StreamReader, env: impl Env) -> Backends {
    let (store, stream, env) = (Arc::new(store), Arc::new(stream), Arc::new(env));
    Backends { store, stream, metrics: Arc::new(NoMetrics), publisher: None, env }
}

/// The tests' virtual clock, the same for all callers.
#[allow(clippy::disallowed_methods, reason = "tests live on tokio's paused clock")]
pub fn now() -> Mono {
    thread_local!(static BASE: std::cell::Cell<Option<tokio::time::Instant>> = const { std::cell::Cell::new(None) });
    let instant = tokio::time::Instant::now();
    let base = BASE.get().unwrap_or(instant);
    BASE.set(Some(base));
    Mono::ZERO + instant.saturating_duration_since(base)
}

/// Waits, in virtual time, until the condition holds; how long that took. Panics after ten virtual minutes.
pub async fn until(what: &str, mut condition: impl FnMut() -> bool) -> Duration {
    let begun = now();
    while !condition() {
        assert!(now().since(begun) < Duration::from_secs(600), "never happened: {what}");
        pass(Duration::from_millis(10)).await;
    }
    now().since(begun)
}

/// Lets virtual time pass.
pub async fn pass(time: Duration) {
    let env = TokioEnv::on_current_runtime();
    env.sleep_until(env.now() + time).await;
}
