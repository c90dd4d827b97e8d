use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use kcl_core::{Mono, Wall};
use kcl_runtime::{Env, SeededRng, TaskClass, TaskEnd, TaskHandle};
use kcl_testing::MemoryStream;

use super::{NodeId, Sim};

/// The surroundings of a worker on one node.
#[derive(Clone, Debug)]
pub struct NodeEnv {
    sim: Sim,
    node: NodeId,
}

impl NodeEnv {
    /// The surroundings of this node.
    pub const fn new(sim: Sim, node: NodeId) -> Self {
        Self { sim, node }
    }
}

impl Env for NodeEnv {
    fn now(&self) -> Mono {
        self.sim.mono(self.node)
    }

    fn wall(&self) -> Wall {
        let passed = i64::try_from(self.sim.now().as_millis()).unwrap_or(i64::MAX).saturating_add(self.sim.wall_ahead(self.node));
        Wall::from_unix_millis(MemoryStream::START.unix_millis().saturating_add(passed))
    }

    fn sleep_until(&self, at: Mono) -> BoxFuture<'static, ()> {
        let (sim, node) = (self.sim.clone(), self.node);
        let sleep = async move {
            // Again after a suspend in which the node's clock stood still.
            while sim.mono(node) < at {
                sim.sleep_until(sim.moment_of(node, at)).await;
            }
        };
        sleep.boxed()
    }

    fn spawn(&self, _class: TaskClass, name: &str, task: BoxFuture<'static, ()>) -> TaskHandle {
        let (id, end) = self.sim.spawn(self.node, name, task);
        let sim = self.sim.clone();
        let end = end.map(|end| end.unwrap_or(TaskEnd::Aborted));
        TaskHandle::new(end.boxed(), move || sim.abort(id))
    }

    fn rng(&self) -> SeededRng {
        self.sim.rng(self.node)
    }
}
