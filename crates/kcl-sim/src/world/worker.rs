use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{Either, select};
use kcl_core::{NoMetrics, WorkerConfig, WorkerId};
use kcl_runtime::{Backends, Worker};
use tokio::sync::watch;

use super::{Behaviour, Processors, StoreServer, StreamServer};
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
    /// Every worker's settings.
    pub config: WorkerConfig,
    /// Every worker's processors.
    pub behaviour: Behaviour,
    /// How many tenures began.
    pub tenures: Arc<AtomicU64>,
    /// Becomes true when every worker is to shut down.
    pub stop: watch::Sender<bool>,
}

impl Host {
    /// Starts a worker under a new name. It tries again until it has started.
    pub fn start(&self, clock: ClockSpec) -> NodeId {
        let node = self.sim.node(clock);
        let id = WorkerId::new(format!("w{}", node.0));
        self.trace.add(Event::Started(node, id.clone()));
        let processors = Processors {
            sim: self.sim.clone(),
            trace: self.trace.clone(),
            node,
            behaviour: self.behaviour,
            tenures: Arc::clone(&self.tenures),
        };
        let mut config = self.config.clone();
        config.worker_id = Some(id);
        let (store, stream) = (self.store.client(node), self.stream.client(node));
        let env = NodeEnv::new(self.sim.clone(), node);
        let backends = move || Backends {
            store: Arc::new(store.clone()),
            stream: Arc::new(stream.clone()),
            metrics: Arc::new(NoMetrics),
            publisher: None,
            env: Arc::new(env.clone()),
        };
        let (sim, trace, mut stop) = (self.sim.clone(), self.trace.clone(), self.stop.subscribe());
        let main = async move {
            let worker = loop {
                match Worker::start(config.clone(), backends(), Arc::new(processors.clone())).await {
                    Ok(worker) => break worker,
                    Err(_) => sim.sleep(Duration::from_secs(1)).await,
                }
            };
            let asked = Box::pin(async {
                // The sender lives as long as the run.
                let _ = stop.wait_for(|stop| *stop).await;
            });
            let result = match select(Box::pin(worker.wait()), asked).await {
                Either::Left((result, _)) => result.and_then(|()| Err(kcl_runtime::ConsumerError::CoordinationDied)),
                Either::Right(_) => worker.shutdown().await,
            };
            trace.add(Event::Stopped(node, result.map_err(|error| error.to_string())));
        };
        drop(self.sim.spawn(node, "main", main.boxed()));
        node
    }
}
