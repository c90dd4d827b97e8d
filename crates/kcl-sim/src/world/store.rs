use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt;
use kcl_core::{ErrorKind, Lease, LeaseKey, LeaseScan, LeaseStore, LeaseWrite, StoreError, WriteOutcome};
use tokio::sync::oneshot;

use super::{Api, Fate, FaultMix, Mutant};
use crate::exec::{NodeId, Sim};
use crate::keyed::{Stream, decide, time_between};
use crate::trace::{Applied, Event, Trace};

/// The lease table: a server outside of every node. A handle: clones share it.
#[derive(Clone, Debug)]
pub struct StoreServer {
    sim: Sim,
    trace: Trace,
    mutant: Mutant,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    rows: BTreeMap<LeaseKey, Lease>,
    /// Every row as it was, by the time since when.
    history: BTreeMap<LeaseKey, Vec<(Duration, Option<Lease>)>>,
    calls: BTreeMap<(NodeId, Api), u64>,
    cut: BTreeSet<NodeId>,
    faults: FaultMix,
}

impl StoreServer {
    /// An empty table.
    pub fn new(sim: Sim, trace: Trace, faults: FaultMix, mutant: Mutant) -> Self {
        let (rows, history, calls, cut) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        Self { sim, trace, mutant, state: Arc::new(Mutex::new(State { rows, history, calls, cut, faults })) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The table as one node sees it.
    pub fn client(&self, node: NodeId) -> StoreClient {
        StoreClient { server: self.clone(), node }
    }

    /// Cuts a node off: what it sends does not arrive, and answers on their way are lost.
    pub fn cut(&self, node: NodeId) {
        self.trace.add(Event::Cut(node));
        self.state().cut.insert(node);
    }

    /// Ends a cut.
    pub fn join(&self, node: NodeId) {
        if self.state().cut.remove(&node) {
            self.trace.add(Event::Joined(node));
        }
    }

    /// From now on no call meets a fault. What was delayed before still comes.
    pub fn heal(&self) {
        self.state().faults = FaultMix::default();
    }

    fn is_cut(&self, node: NodeId) -> bool {
        self.state().cut.contains(&node)
    }

    fn decide_write(&self, node: NodeId, sent: Duration, write: &LeaseWrite) -> WriteOutcome {
        let now = self.sim.now();
        let mut state = self.state();
        let before = state.rows.get(write.key()).cloned();
        if let (true, Ok(Some(after))) = (self.mutant.swallows(write), write.apply(before.as_ref())) {
            return WriteOutcome::Applied(after);
        }
        let twisted = self.mutant.twisted(write, before.as_ref());
        let result = twisted.as_ref().unwrap_or(write).apply(before.as_ref());
        let applied = result.is_ok();
        let after = result.ok().flatten();
        if applied {
            match &after {
                Some(row) => state.rows.insert(write.key().clone(), row.clone()),
                None => state.rows.remove(write.key()),
            };
            state.history.entry(write.key().clone()).or_default().push((now, after.clone()));
        }
        drop(state);
        let outcome = match (applied, after.clone(), before.clone()) {
            (true, Some(row), _) | (true, None, Some(row)) => WriteOutcome::Applied(row),
            (_, _, current) => WriteOutcome::Rejected { current },
        };
        self.trace.add(Event::Write(Applied { node, sent, write: write.clone(), before, after, applied }));
        outcome
    }

    fn scan(&self, stale: Option<(Duration, u64)>) -> LeaseScan {
        let state = self.state();
        let Some((most, nth)) = stale else {
            return LeaseScan { leases: state.rows.values().cloned().collect(), unreadable: Vec::new() };
        };
        let now = self.sim.now();
        let as_it_was = |(index, history): (u64, &Vec<(Duration, Option<Lease>)>)| {
            let age = time_between(self.sim.seed(), Stream::Fault, (nth, index, u64::MAX), Duration::ZERO, most);
            let moment = now.saturating_sub(age);
            history.iter().rev().find(|(since, _)| *since <= moment).and_then(|(_, row)| row.clone())
        };
        let leases = (0..).zip(state.history.values()).filter_map(as_it_was).collect();
        LeaseScan { leases, unreadable: Vec::new() }
    }
}

/// The lease table as one node sees it: requests and answers take their time, and some are lost.
#[derive(Clone, Debug)]
pub struct StoreClient {
    server: StoreServer,
    node: NodeId,
}

impl StoreClient {
    fn next_call(&self, api: Api) -> (u64, Fate) {
        let mut state = self.server.state();
        let calls = state.calls.entry((self.node, api)).or_default();
        *calls += 1;
        let nth = *calls;
        let fate = state.faults.fate(self.server.sim.seed(), self.node, api, nth);
        drop(state);
        if fate != Fate::Ok {
            self.server.trace.add(Event::Fault(self.node, api, nth, fate));
        }
        (nth, fate)
    }

    fn latency(&self, api: Api, nth: u64, leg: u64) -> Duration {
        let key = (self.node.number(), (api as u64) << 8 | leg, nth);
        time_between(self.server.sim.seed(), Stream::Latency, key, Duration::from_micros(500), Duration::from_millis(20))
    }

    fn error(kind: ErrorKind, api: Api) -> StoreError {
        let operation = match api {
            Api::Prepare => "prepare",
            Api::Scan => "scan",
            Api::Get => "get",
            _ => "write",
        };
        StoreError::new(kind, operation, "leases")
    }

    /// One call: sent, carried out by the server in its own time, answered. Dropping the future takes nothing back.
    async fn call<T: Send + 'static>(
        &self,
        api: Api,
        work: impl FnOnce(&StoreServer, u64, Fate) -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        let (nth, fate) = self.next_call(api);
        let (server, node) = (self.server.clone(), self.node);
        let (there, back) = (self.latency(api, nth, 1), self.latency(api, nth, 2));
        if server.is_cut(node) {
            // Half of them find out soon; the others hang until they are given up.
            if decide(server.sim.seed(), Stream::Fault, (node.number(), 77, nth)).is_multiple_of(2) {
                std::future::pending::<()>().await;
            }
            server.sim.sleep(there).await;
            return Err(Self::error(ErrorKind::Unavailable, api));
        }
        match fate {
            Fate::FailBefore | Fate::Throttle => {
                server.sim.sleep(there + back).await;
                let kind = if fate == Fate::Throttle { ErrorKind::Throttled } else { ErrorKind::Unavailable };
                return Err(Self::error(kind, api));
            }
            _ => {}
        }
        let late = if let Fate::DelayApply(time) = fate { time } else { Duration::ZERO };
        let slow = if let Fate::SlowReply(time) = fate { time } else { Duration::ZERO };
        let (reply, answer) = oneshot::channel();
        let remote = server.clone();
        let carried_out = async move {
            remote.sim.sleep(there + late).await;
            let result = work(&remote, nth, fate);
            remote.sim.sleep(back + slow).await;
            if !remote.is_cut(node) {
                // The caller may have given up.
                let _ = reply.send(result);
            } else {
                std::future::pending::<()>().await;
            }
        };
        drop(server.sim.spawn(NodeId::WORLD, "store", carried_out.boxed()));
        if matches!(fate, Fate::LoseReply | Fate::DelayApply(_)) {
            server.sim.sleep(there + back).await;
            return Err(Self::error(ErrorKind::Indeterminate, api));
        }
        answer.await.map_err(|_| Self::error(ErrorKind::Indeterminate, api))
    }
}

#[async_trait]
impl LeaseStore for StoreClient {
    async fn prepare(&self) -> Result<(), StoreError> {
        self.call(Api::Prepare, |_, _, _| ()).await
    }

    async fn scan(&self) -> Result<LeaseScan, StoreError> {
        let scan = |server: &StoreServer, nth, fate| {
            let stale = if let Fate::Stale(most) = fate { Some((most, nth)) } else { None };
            server.scan(stale)
        };
        self.call(Api::Scan, scan).await
    }

    async fn get(&self, key: &LeaseKey) -> Result<Option<Lease>, StoreError> {
        let key = key.clone();
        self.call(Api::Get, move |server, _, _| server.state().rows.get(&key).cloned()).await
    }

    async fn write(&self, write: &LeaseWrite) -> Result<WriteOutcome, StoreError> {
        let (sent, node, write) = (self.server.sim.now(), self.node, write.clone());
        self.call(Api::Write, move |server, _, _| server.decide_write(node, sent, &write)).await
    }
}
