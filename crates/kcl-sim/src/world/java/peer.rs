use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kcl_core::{LeaseKey, Mono, StartStrategy, WorkerConfig, WorkerId};
use kcl_runtime::Env;
use tokio::sync::watch;

use super::JavaVersion;
use super::choose::Observer;
use super::dice::Dice;
use super::owned::OwnedLeases;
use super::sync::Hole;
use super::table::Table;
use crate::exec::{NodeEnv, NodeId, Sim};
use crate::trace::Trace;
use crate::world::{Behaviour, StoreServer, StreamClient, StreamServer};

/// `epsilonMillis`.
const EPSILON: Duration = Duration::from_millis(25);

/// The settings of a Java worker that matter here.
#[derive(Clone, Debug)]
pub(in crate::world) struct Settings {
    pub(super) failover: Duration,
    pub(super) poll: Duration,
    /// Between two audits, and after a shard sync: `leasesRecoveryAuditorExecutionFrequencyMillis`, `shardSyncIntervalMillis`.
    pub(super) sync: Duration,
    /// `completedLeaseCleanupIntervalMillis`.
    pub(super) cleanup: Duration,
    pub(super) start: StartStrategy,
}

impl From<&WorkerConfig> for Settings {
    fn from(config: &WorkerConfig) -> Self {
        Self {
            failover: config.failover_time,
            poll: config.poll_interval,
            sync: config.shard_sync_interval,
            cleanup: config.lease_cleanup_interval,
            start: config.management.start_strategy,
        }
    }
}

impl Settings {
    pub(super) fn take_every(&self) -> Duration {
        (self.failover + EPSILON) * 2
    }

    pub(super) fn renew_every(&self) -> Duration {
        self.failover / 3 - EPSILON
    }
}

/// What a consumer is told by the main loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Run,
    Lost,
    Stop,
}

/// A consumer of one lease in one tenure.
#[derive(Debug)]
pub(super) struct Consumer {
    pub(super) order: watch::Sender<Order>,
    /// Its task, until the shard is finished.
    pub(super) task: Option<u64>,
}

impl Consumer {
    /// One that has finished its shard.
    pub(super) fn done() -> Self {
        Self { order: watch::channel(Order::Run).0, task: None }
    }

    pub(super) const fn is_done(&self) -> bool {
        self.task.is_none()
    }

    /// What it is told first holds.
    pub(super) fn tell(&self, order: Order) {
        self.order.send_if_modified(|told| {
            let first = *told == Order::Run;
            if first {
                *told = order;
            }
            first
        });
    }
}

/// What changes in a worker.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) owned: OwnedLeases,
    pub(super) observer: Observer,
    pub(super) consumers: BTreeMap<(LeaseKey, u64), Consumer>,
    /// The taker is stopped: nothing is gained any more.
    pub(super) stopping: bool,
    /// Finished leases that wait to be cleaned up.
    pub(super) finished: Vec<LeaseKey>,
    /// When the clean-up deleted something, or began to count.
    pub(super) cleaned: Mono,
    /// Who leads, as far as was elected, and when that was.
    pub(super) leader: Option<(Option<WorkerId>, Mono)>,
    /// The hole that the last audits saw, and how often.
    pub(super) hole: Option<(Hole, u32)>,
}

/// One process of the Java library.
#[derive(Debug)]
pub(in crate::world) struct Peer {
    pub(super) sim: Sim,
    pub(super) trace: Trace,
    pub(super) node: NodeId,
    pub(super) env: NodeEnv,
    pub(super) me: WorkerId,
    pub(super) settings: Settings,
    pub(super) table: Table,
    pub(super) stream: StreamClient,
    pub(super) behaviour: Behaviour,
    pub(super) tenures: Arc<AtomicU64>,
    pub(super) dice: Dice,
    state: Mutex<State>,
}

impl Peer {
    /// A process that has not started yet.
    pub(in crate::world) fn new(
        (sim, trace): (Sim, Trace),
        (node, me, version): (NodeId, WorkerId, JavaVersion),
        settings: Settings,
        (store, stream): (&StoreServer, &StreamServer),
        (behaviour, tenures): (Behaviour, Arc<AtomicU64>),
    ) -> Arc<Self> {
        let env = NodeEnv::new(sim.clone(), node);
        let table = Table { client: store.client(node), env: env.clone(), version };
        let (dice, stream) = (Dice::new(sim.seed(), node), stream.client(node).complete());
        Arc::new(Self { sim, trace, node, env, me, settings, table, stream, behaviour, tenures, dice, state: Mutex::default() })
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now(&self) -> Mono {
        self.env.now()
    }

    pub(super) async fn sleep(&self, time: Duration) {
        self.env.sleep_until(self.env.now() + time).await;
    }
}
