use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::{Either, select};
use kcl_core::{ErrorKind, NoMetrics, ShardRecordProcessorFactory, WorkerConfig, WorkerId, error_chain};
use kcl_runtime::{Backends, TokioEnv, Worker};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

use super::clock::{FleetEnv, ProcessClock, sleep};
use super::draws::Draws;
use super::latency::{Distant, Latency};
use crate::{Fault, FaultyStore, FaultyStream, StoreCall};

type Outcome = Arc<Mutex<Option<Result<(), String>>>>;

/// One process of the application: a runtime of its own on a paused clock, and one worker on it. Everything that the
/// application spawns lives there, and ends with it.
pub(super) struct Process {
    pub(super) name: Arc<str>,
    pub(super) store: FaultyStore,
    pub(super) stream: FaultyStream,
    runtime: Option<Runtime>,
    clock: ProcessClock,
    stop: watch::Sender<bool>,
    outcome: Outcome,
    /// Until when it stands still.
    pub(super) frozen_until: Option<Duration>,
    /// Until when it cannot reach the store.
    pub(super) cut_until: Option<Duration>,
}

/// What a process begins with.
pub(super) struct ProcessStart {
    pub(super) name: Arc<str>,
    pub(super) at: Duration,
    pub(super) config: WorkerConfig,
    pub(super) store: FaultyStore,
    pub(super) stream: FaultyStream,
    pub(super) latency: Duration,
    pub(super) draws: Draws,
}

impl Process {
    /// Starts a process. `factory` is called in it.
    pub(super) fn start(start: ProcessStart, factory: impl FnOnce() -> Arc<dyn ShardRecordProcessorFactory>) -> io::Result<Self> {
        let ProcessStart { name, at, mut config, store, stream, latency, mut draws } = start;
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build()?;
        let entered = runtime.enter();
        let clock = ProcessClock::new(at);
        let latency = Latency::new(Draws::from(draws.split()), latency);
        let env = FleetEnv { inner: TokioEnv::on_current_runtime(), clock, draws: Mutex::new(draws) };
        let backends = Backends {
            store: Arc::new(Distant { inner: store.clone(), latency: latency.clone() }),
            stream: Arc::new(Distant { inner: stream.clone(), latency }),
            metrics: Arc::new(NoMetrics),
            publisher: None,
            env: Arc::new(env),
        };
        config.worker_id = Some(WorkerId::new(Arc::clone(&name)));
        let (stop, stopping) = watch::channel(false);
        let outcome = Outcome::default();
        drop(runtime.spawn(main(config, backends, factory(), stopping, Arc::clone(&outcome))));
        drop(entered);
        let runtime = Some(runtime);
        Ok(Self { name, store, stream, runtime, clock, stop, outcome, frozen_until: None, cut_until: None })
    }

    /// Lets it live until this moment, unless it stands still. How its worker ended, if it has.
    pub(super) fn live_until(&mut self, now: Duration) -> Option<Result<(), String>> {
        let runtime = self.runtime.as_ref()?;
        match self.frozen_until {
            Some(until) if until > now => return None,
            Some(_) => {
                self.frozen_until = None;
                runtime.block_on(self.clock.jump_to(now));
            }
            None => {}
        }
        runtime.block_on(self.clock.live_until(now));
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Asks it to shut down.
    pub(super) fn stop(&self) {
        self.stop.send_replace(true);
    }

    pub(super) fn is_stopping(&self) -> bool {
        *self.stop.borrow()
    }

    /// Cuts it off from the store.
    pub(super) fn cut(&mut self, until: Duration) {
        self.cut_until = Some(until);
        for call in [StoreCall::AnyWrite, StoreCall::Get, StoreCall::Scan] {
            self.store.faults().every(call, Fault::FailBefore(ErrorKind::Unavailable));
        }
    }

    /// Ends the cut if it is over by now.
    pub(super) fn join(&mut self, now: Duration) {
        if self.cut_until.take_if(|until| *until <= now).is_some() {
            self.store.faults().clear();
        }
    }
}

/// Its tasks are dropped where they wait, those that the application spawned too.
impl Drop for Process {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn main(
    config: WorkerConfig,
    backends: Backends,
    factory: Arc<dyn ShardRecordProcessorFactory>,
    mut stopping: watch::Receiver<bool>,
    outcome: Outcome,
) {
    let Backends { store, stream, metrics, publisher, env } = backends;
    let backends = || Backends {
        store: Arc::clone(&store),
        stream: Arc::clone(&stream),
        metrics: Arc::clone(&metrics),
        publisher: publisher.clone(),
        env: Arc::clone(&env),
    };
    let worker = loop {
        match Worker::start(config.clone(), backends(), Arc::clone(&factory)).await {
            Ok(worker) => break worker,
            // As whatever supervises a process would.
            Err(_) if !*stopping.borrow() => sleep(Duration::from_secs(1)).await,
            Err(error) => {
                let reason = format!("it did not start: {}", error_chain(&error));
                *outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(Err(reason));
                return;
            }
        }
    };
    let asked = Box::pin(async {
        // The sender lives as long as the process.
        let _ = stopping.wait_for(|stop| *stop).await;
    });
    let result = match select(Box::pin(worker.wait()), asked).await {
        Either::Left((result, _)) => result,
        Either::Right(_) => worker.shutdown().await,
    };
    let result = result.map_err(|error| error_chain(&error));
    *outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
}
