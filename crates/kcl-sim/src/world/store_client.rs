use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt;
use kcl_core::{
    ErrorKind, FleetRows, Lease, LeaseKey, LeaseScan, LeaseStore, LeaseWrite, StoreError, Verb, WriteOutcome, fleet_mode,
};
use tokio::sync::oneshot;

use super::{Api, Fate, StoreServer};
use crate::exec::NodeId;
use crate::keyed::{Stream, decide, time_between};
use crate::trace::{Event, Told};

/// The lease table as one node sees it: requests and answers take their time, and some are lost.
#[derive(Clone, Debug)]
pub struct StoreClient {
    server: StoreServer,
    node: NodeId,
}

impl StoreClient {
    pub(super) const fn new(server: StoreServer, node: NodeId) -> Self {
        Self { server, node }
    }

    /// Whose view it is.
    pub(super) const fn node(&self) -> NodeId {
        self.node
    }

    /// When a call is sent that is made now.
    pub(super) fn sent_now(&self) -> Duration {
        self.server.sim.now()
    }

    fn latency(&self, api: Api, nth: u64, leg: u64) -> Duration {
        let key = (self.node.number(), api.number() << 8 | leg, nth);
        time_between(self.server.sim.seed(), Stream::Latency, key, Duration::from_micros(500), Duration::from_millis(20))
    }

    /// One call: sent, carried out by the server in its own time, answered. Dropping the future takes nothing back.
    pub(super) async fn call<T: Send + 'static>(
        &self,
        api: Api,
        work: impl Fn(&StoreServer, u64, Fate) -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        let (nth, fate) = self.server.next_call(self.node, api);
        let (server, node) = (&self.server, self.node);
        let (there, back) = (self.latency(api, nth, 1), self.latency(api, nth, 2));
        if server.is_cut(node) {
            // Half of them find out soon; the others hang until they are given up.
            if decide(server.sim.seed(), Stream::Fault, (node.number(), 77, nth)).is_multiple_of(2) {
                std::future::pending::<()>().await;
            }
            server.sim.sleep(there).await;
            return Err(error(ErrorKind::Unavailable, api));
        }
        let busy = server.state().busy_until > server.sim.now();
        let refused = if let Fate::Fail(kind) = fate { Some(kind) } else { busy.then_some(ErrorKind::Throttled) };
        if let Some(kind) = refused {
            server.sim.sleep(there + back).await;
            return Err(error(kind, api));
        }
        let answer = self.send(nth, fate, there, back, work);
        if matches!(fate, Fate::LoseReply | Fate::DelayApply(_)) {
            server.sim.sleep(there + back).await;
            return Err(error(ErrorKind::Indeterminate, api));
        }
        answer.await.map_err(|_| error(ErrorKind::Indeterminate, api))
    }

    fn send<T: Send + 'static>(
        &self,
        nth: u64,
        fate: Fate,
        there: Duration,
        back: Duration,
        work: impl Fn(&StoreServer, u64, Fate) -> T + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (reply, answer) = oneshot::channel();
        let (remote, node) = (self.server.clone(), self.node);
        let carried_out = async move {
            remote.sim.sleep(there + if let Fate::DelayApply(time) = fate { time } else { Duration::ZERO }).await;
            let mut result = work(&remote, nth, fate);
            if let Fate::ApplyTwice(apart) = fate {
                remote.sim.sleep(apart).await;
                result = work(&remote, nth, fate);
            }
            remote.sim.sleep(back + if let Fate::SlowReply(time) = fate { time } else { Duration::ZERO }).await;
            if remote.is_cut(node) {
                std::future::pending::<()>().await;
            }
            // The caller may have given up.
            let _ = reply.send(result);
        };
        drop(self.server.sim.spawn(NodeId::WORLD, "store", carried_out.boxed()));
        answer
    }

    fn told(&self, verb: Verb, key: &LeaseKey, told: Told) {
        self.server.trace.add(Event::Told(self.node, verb, key.clone(), told));
    }
}

fn error(kind: ErrorKind, api: Api) -> StoreError {
    let operation = match api {
        Api::Prepare => "prepare",
        Api::Scan => "scan",
        Api::Get => "get",
        Api::Fleet => "fleet",
        _ => "write",
    };
    StoreError::new(kind, operation, "leases")
}

#[async_trait]
impl LeaseStore for StoreClient {
    async fn prepare(&self) -> Result<(), StoreError> {
        self.call(Api::Prepare, |_, _, _| ()).await
    }

    async fn scan(&self) -> Result<LeaseScan, StoreError> {
        self.call(Api::Scan, StoreServer::scan).await
    }

    async fn get(&self, key: &LeaseKey) -> Result<Option<Lease>, StoreError> {
        let key = key.clone();
        self.call(Api::Get, move |server, _, _| server.state().rows.get(&key).cloned()).await
    }

    async fn write(&self, write: &LeaseWrite) -> Result<WriteOutcome, StoreError> {
        let (verb, key) = (write.verb(), write.key().clone());
        let (sent, node, write) = (self.server.sim.now(), self.node, write.clone());
        let result = self.call(Api::Write(verb), move |server, _, _| server.decide_write(node, sent, &write)).await;
        let told = match &result {
            Ok(WriteOutcome::Applied(_)) => Told::Applied,
            Ok(WriteOutcome::Rejected { .. }) => Told::Rejected,
            Err(error) => Told::Failed(error.kind()),
        };
        self.told(verb, &key, told);
        result
    }

    async fn fleet(&self) -> Result<FleetRows, StoreError> {
        let rows = self.call(Api::Fleet, |server, _, _| server.state().fleet()).await?;
        self.server.trace.add(Event::FleetSeen(self.node, fleet_mode(&rows).is_err()));
        Ok(rows)
    }
}
