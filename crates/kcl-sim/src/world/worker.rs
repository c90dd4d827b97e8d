use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{Either, select};
use kcl_core::{WorkerConfig, WorkerId};
use kcl_runtime::{Backends, ConsumerError, Worker};
use tokio::sync::watch;

use super::java::{Peer, Settings};
use super::measure::Alarms;
use super::{Behaviour, JavaVersion, Processors, StoreServer, StreamServer};
use crate::exec::{ClockSpec, NodeEnv, NodeId, Sim};
use crate::trace::{Event, Trace};

/// Starts workers, each on a node of its own.
#[derive(Debug)]
pub struct Host {
    /// The simulation.
    pub sim: Sim,
    /// Where it is written down.
    pub trace: Trace,
    /// The lease table.
    pub store: StoreServer,
    /// The stream.
    pub stream: StreamServer,
    /// Every worker's processors.
    pub behaviour: Behaviour,
    /// How many tenures began.
    pub tenures: Arc<AtomicU64>,
    /// What asks each worker to shut down.
    stops: Mutex<BTreeMap<NodeId, watch::Sender<bool>>>,
}

impl Host {
    /// A host of workers that have not started yet.
    pub fn new(sim: Sim, trace: Trace, store: StoreServer, stream: StreamServer, behaviour: Behaviour) -> Self {
        Self { sim, trace, store, stream, behaviour, tenures: Arc::default(), stops: Mutex::default() }
    }

    fn stops(&self) -> MutexGuard<'_, BTreeMap<NodeId, watch::Sender<bool>>> {
        self.stops.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks a worker to shut down.
    pub fn stop(&self, node: NodeId) {
        if let Some(stop) = self.stops().get(&node)
            && !stop.send_replace(true)
        {
            self.trace.add(Event::AskedToStop(node));
        }
    }

    /// Starts a worker under this name, or a new one, after so long. It tries again until it has started.
    pub fn start(&self, mut config: WorkerConfig, clock: ClockSpec, id: Option<WorkerId>, after: Duration) -> (NodeId, WorkerId) {
        let (node, id, asked) = self.admit(clock, id);
        config.worker_id = Some(id.clone());
        let (sim, life) = (self.sim.clone(), self.life(node, config, asked));
        let main = async move {
            if !after.is_zero() {
                sim.sleep(after).await;
            }
            life.await;
        };
        drop(self.sim.spawn(node, "main", main.boxed()));
        (node, id)
    }

    /// Starts a worker of the Java library in the same way.
    pub fn start_java(
        &self,
        config: &WorkerConfig,
        clock: ClockSpec,
        id: Option<WorkerId>,
        version: JavaVersion,
    ) -> (NodeId, WorkerId) {
        let (node, id, mut stop) = self.admit(clock, id);
        self.trace.add(Event::Java(node, version));
        let world = (self.sim.clone(), self.trace.clone());
        let work = (self.behaviour, Arc::clone(&self.tenures));
        let peer = Peer::new(world, (node, id.clone(), version), Settings::from(config), (&self.store, &self.stream), work);
        let main = async move { peer.live(async move { asked(&mut stop).await }).await };
        drop(self.sim.spawn(node, "main", main.boxed()));
        (node, id)
    }

    /// A process starts: its number, its name, and what asks it to stop.
    fn admit(&self, clock: ClockSpec, id: Option<WorkerId>) -> (NodeId, WorkerId, watch::Receiver<bool>) {
        let node = self.sim.node(clock);
        let id = id.unwrap_or_else(|| WorkerId::new(format!("w{}", node.0)));
        self.trace.add(Event::Started(node, id.clone()));
        let (stop, asked) = watch::channel(false);
        self.stops().insert(node, stop);
        (node, id, asked)
    }

    /// One process from its start to its end.
    fn life(&self, node: NodeId, config: WorkerConfig, mut stop: watch::Receiver<bool>) -> impl Future<Output = ()> + use<> {
        let processors = Processors {
            sim: self.sim.clone(),
            trace: self.trace.clone(),
            node,
            behaviour: self.behaviour,
            tenures: Arc::clone(&self.tenures),
        };
        let (store, stream) = (self.store.client(node), self.stream.client(node));
        let (sim, trace) = (self.sim.clone(), self.trace.clone());
        let (env, sink) = (NodeEnv::new(sim.clone(), node), trace.clone());
        let backends = move || Backends {
            store: Arc::new(store.clone()),
            stream: Arc::new(stream.clone()),
            metrics: Arc::new(Alarms { trace: sink.clone(), node }),
            publisher: None,
            env: Arc::new(env.clone()),
        };
        async move {
            let result = loop {
                let start = async {
                    loop {
                        match Worker::start(config.clone(), backends(), Arc::new(processors.clone())).await {
                            Ok(worker) => break worker,
                            Err(_) => sim.sleep(Duration::from_secs(1)).await,
                        }
                    }
                };
                let worker = match select(Box::pin(asked(&mut stop.clone())), Box::pin(start)).await {
                    Either::Left(_) => break Ok(()),
                    Either::Right((worker, _)) => worker,
                };
                trace.add(Event::Running(node));
                match select(Box::pin(worker.wait()), Box::pin(asked(&mut stop))).await {
                    Either::Left((Err(ConsumerError::Fleet(_)), _)) => trace.add(Event::Left(node)),
                    Either::Left((result, _)) => break result.and(Err(ConsumerError::CoordinationDied)),
                    Either::Right(_) => break worker.shutdown().await,
                }
                // What it sent last has arrived by then, or never will.
                sim.sleep(config.failover_time).await;
            };
            trace.add(Event::Stopped(node, result.map_err(|error| error.to_string())));
        }
    }
}

async fn asked(stop: &mut watch::Receiver<bool>) {
    // The sender lives as long as the run.
    let _ = stop.wait_for(|stop| *stop).await;
}
