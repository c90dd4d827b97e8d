//! `Scheduler`: one process from its start to its end.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Either, select};

use super::peer::{Order, Peer};
use crate::trace::Event;

impl Peer {
    /// Runs until it is asked to stop. A start that fails is tried again.
    pub(in crate::world) async fn live(self: Arc<Self>, stop: impl Future<Output = ()> + Send) {
        let start = async {
            while self.initialize().await.is_err() {
                self.sleep(Duration::from_secs(1)).await;
            }
        };
        let mut stop = Box::pin(stop);
        if let Either::Right(_) = select(stop.as_mut(), Box::pin(start)).await {
            self.trace.add(Event::Running(self.node));
            let tasks = self.start_tasks();
            stop.await;
            self.shut_down().await;
            tasks.into_iter().for_each(|task| self.sim.abort(task));
        }
        self.trace.add(Event::Stopped(self.node, Ok(())));
    }

    fn start_tasks(self: &Arc<Self>) -> Vec<u64> {
        let me = || Arc::clone(self);
        let tasks: [(&str, BoxFuture<'static, ()>); 5] = [
            ("java renewer", me().renew_for_ever().boxed()),
            ("java taker", me().take_for_ever().boxed()),
            ("java scheduler", me().dispatch_for_ever().boxed()),
            ("java audit", me().audit_for_ever().boxed()),
            ("java cleanup", me().clean_up_for_ever().boxed()),
        ];
        tasks.into_iter().map(|(name, task)| self.sim.spawn(self.node, name, task).0).collect()
    }

    /// `startGracefulShutdown`, then `shutdown`: the application checkpoints, leases are forgotten, and no row is written.
    async fn shut_down(&self) {
        let deadline = self.now() + self.settings.failover;
        {
            let mut state = self.state();
            state.stopping = true;
            state.consumers.values().for_each(|consumer| consumer.tell(Order::Stop));
        }
        let working = || self.state().consumers.values().any(|consumer| !consumer.is_done());
        while working() && self.now() < deadline {
            self.sleep(Duration::from_millis(100)).await;
        }
        let left: Vec<u64> = {
            let mut state = self.state();
            state.owned.clear();
            std::mem::take(&mut state.consumers).into_values().filter_map(|consumer| consumer.task).collect()
        };
        left.into_iter().for_each(|task| self.sim.abort(task));
    }
}
