use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt;
use kcl_core::{
    Checkpointer, KinesisClientRecord, NoMetrics, ShardRecordProcessor, ShardRecordProcessorFactory, WorkerConfig, WorkerId,
};
use kcl_runtime::{Backends, Worker};
use kcl_testing::MemoryStream;

use super::reader::{Reader, Readings};
use super::table::Table;
use crate::exec::{ClockSpec, NodeEnv, NodeId, Sim};
use crate::keyed::{Stream, time_between};

/// The workers of a run.
pub(in crate::scenario) struct Fleet {
    pub(in crate::scenario) sim: Sim,
    pub(in crate::scenario) table: Table,
    pub(in crate::scenario) memory: MemoryStream,
    pub(in crate::scenario) config: WorkerConfig,
    pub(in crate::scenario) alive: BTreeMap<NodeId, WorkerId>,
    pub(in crate::scenario) readings: Readings,
}

impl Fleet {
    /// Starts so many workers, within this time.
    pub(in crate::scenario) fn start(&mut self, workers: usize, spread: Duration) {
        for _ in 0..workers {
            let node = self.sim.node(ClockSpec::default());
            let id = WorkerId::new(format!("worker-{:04}", node.number()));
            let mut config = self.config.clone();
            config.worker_id = Some(id.clone());
            let readings = self.readings.clone();
            let reader = Reader { sim: self.sim.clone(), memory: self.memory.clone(), node, calls: Arc::default(), readings };
            let backends = Backends {
                store: Arc::new(self.table.client(node)),
                stream: Arc::new(reader),
                metrics: Arc::new(NoMetrics),
                publisher: None,
                env: Arc::new(NodeEnv::new(self.sim.clone(), node)),
            };
            let delay = time_between(self.sim.seed(), Stream::Workload, (node.number(), 0, 0), Duration::ZERO, spread);
            let delay = self.sim.sleep(delay);
            let main = async move {
                delay.await;
                // Nothing fails here: a worker that does not start, or stops, is missing when the balance is judged.
                if let Ok(worker) = Worker::start(config, backends, Arc::new(Application)).await {
                    drop(worker.wait().await);
                }
            };
            drop(self.sim.spawn(node, "main", main.boxed()));
            self.alive.insert(node, id);
        }
    }

    /// Kills every so manieth worker, `count` in all.
    pub(in crate::scenario) fn kill(&mut self, count: usize) {
        let all: Vec<NodeId> = self.alive.keys().copied().collect();
        for nth in 0..count.min(all.len()) {
            let node = all[nth * all.len() / count.max(1)];
            self.sim.kill(node);
            self.alive.remove(&node);
        }
    }
}

/// An application that only finishes its shards.
struct Application;

#[async_trait]
impl ShardRecordProcessorFactory for Application {
    async fn initialize(&self, checkpointer: Checkpointer) -> Box<dyn ShardRecordProcessor> {
        Box::new(Processor(checkpointer))
    }
}

struct Processor(Checkpointer);

#[async_trait]
impl ShardRecordProcessor for Processor {
    async fn process_records(&self, _records: Vec<KinesisClientRecord>, _millis_behind_latest: i64) {}

    async fn lease_lost(&self) {}

    async fn shard_ended(&self) {
        // If it fails, this is called again.
        drop(self.0.end().await);
    }

    async fn shutdown_requested(&self) {}
}
