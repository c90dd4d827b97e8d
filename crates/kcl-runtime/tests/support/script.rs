use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use kcl_core::*;
use kcl_runtime::*;

use super::World;

/// A processor made of closures.
#[derive(Clone)]
pub struct Script {
    pub on_records: Arc<dyn Fn(Checkpointer, Vec<KinesisClientRecord>) -> BoxFuture<'static, ()> + Send + Sync>,
    pub on_end: Arc<dyn Fn(Checkpointer) -> BoxFuture<'static, ()> + Send + Sync>,
}

impl Script {
    pub fn new(
        on_records: impl Fn(Checkpointer, Vec<KinesisClientRecord>) -> BoxFuture<'static, ()> + Send + Sync + 'static,
    ) -> Self {
        Self { on_records: Arc::new(on_records), on_end: Arc::new(|_| futures_util::future::ready(()).boxed()) }
    }

    pub async fn start(&self, world: &World, store: impl LeaseStore, env: impl Env) -> Worker {
        let mut config = world.config.clone();
        config.worker_id = Some("a".into());
        let backends = Backends {
            store: Arc::new(store),
            stream: Arc::new(world.stream.clone()),
            metrics: Arc::new(NoMetrics),
            publisher: None,
            env: Arc::new(env),
        };
        Worker::start(config, backends, Arc::new(self.clone())).await.unwrap()
    }
}

pub struct Scripted(Script, Checkpointer);

#[async_trait::async_trait]
impl ShardRecordProcessorFactory for Script {
    async fn initialize(&self, checkpointer: Checkpointer) -> Box<dyn ShardRecordProcessor> {
        Box::new(Scripted(self.clone(), checkpointer))
    }
}

#[async_trait::async_trait]
impl ShardRecordProcessor for Scripted {
    async fn process_records(&self, records: Vec<KinesisClientRecord>, _: i64) {
        (self.0.on_records)(self.1.clone(), records).await;
    }

    async fn lease_lost(&self) {}

    async fn shard_ended(&self) {
        (self.0.on_end)(self.1.clone()).await;
    }

    async fn shutdown_requested(&self) {}
}
