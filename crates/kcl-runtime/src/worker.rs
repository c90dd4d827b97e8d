use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use kcl_core::{
    ConfigError, ErrorKind, FleetMode, LeaseTiming, MetricsPublisher, ReadError, Shard, ShardFilter, ShardRecordProcessorFactory,
    StoreError, Wall, WorkerConfig, WorkerId, check_listing, error_chain, fleet_mode,
};
use rand::RngExt;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::answers::{LATE, TABLE_POLL, answered};
use crate::coordinator::{self, Coordinator};
use crate::env::{Env, TaskClass, TaskEnd};
use crate::error::{ConsumerError, StartError};
use crate::parts::{Backends, Parts};
use crate::race::within;
use crate::status::{ConsumerState, ConsumerStatus, StatusBoard};

/// How many commands may wait for the coordinator. Whoever sends one more waits.
const MAILBOX: usize = 256;
/// How long a table may take to be made (KCL: 600 s).
const TABLE_LIMIT: Duration = Duration::from_secs(600);
const TABLE_PROGRESS: Duration = Duration::from_secs(10);

/// A running worker. Dropping it shuts the worker down without waiting for it.
#[derive(Debug)]
pub struct Worker {
    parts: Arc<Parts>,
    stop: CancellationToken,
    result: watch::Receiver<Option<Result<(), ConsumerError>>>,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").field("me", &self.me).finish_non_exhaustive()
    }
}

impl Worker {
    /// Checks the configuration, the lease store and the stream, and starts to work.
    ///
    /// # Errors
    /// [`StartError`]: at once for a configuration that is not valid and for anything the services refuse; after the
    /// configured start timeout if they cannot be reached. While the lease table is being made it waits, for up to
    /// ten minutes. Nothing keeps running after an error. A lease table whose workers run KCL 3.x natively is refused as
    /// [`StartError::Fleet`].
    pub async fn start(
        config: WorkerConfig,
        backends: Backends,
        factory: Arc<dyn ShardRecordProcessorFactory>,
    ) -> Result<Self, StartError> {
        config.validate()?;
        check_start(&config, backends.env.wall())?;
        let Backends { store, stream, metrics, publisher, env } = backends;
        let me = config.worker_id.clone().unwrap_or_else(|| made_up_id(&*env));
        let timing = LeaseTiming::from_failover(config.failover_time);
        let timing = config.scan_interval.map_or(timing, |interval| timing.with_scans_every(interval));
        let status = StatusBoard::default();
        let parts = Arc::new(Parts { env, store, stream, metrics, factory, config, timing, me, status });
        // The stream first: a wrong name must not leave a lease table behind.
        let mut listing = first_listing(&parts).await?;
        let listed = parts.env.now();
        let mode = prepare_on_coordination(&parts).await?;
        if parts.env.now().since(listed) > TABLE_POLL {
            listing = first_listing(&parts).await?;
        }
        tracing::info!(
            worker = %parts.me, application = parts.config.application, stream = parts.config.stream, shards = listing.len(),
            "worker started"
        );
        let (commands, mailbox) = mpsc::channel(MAILBOX);
        let stop = CancellationToken::new();
        let coordinator = Coordinator::new(Arc::clone(&parts), commands, mailbox, stop.clone(), listing, mode);
        let result = supervise(&parts, coordinator, publisher);
        Ok(Self { parts, stop, result })
    }

    /// The name under which it owns leases.
    pub fn worker_id(&self) -> &WorkerId {
        &self.parts.me
    }

    /// What it is doing. Takes a lock for a moment and makes no call.
    pub fn status(&self) -> ConsumerStatus {
        self.parts.status.status(self.parts.env.now(), self.parts.me.clone())
    }

    /// Lets processors finish what they are doing, calls `shutdown_requested`, stores what they checkpoint, releases
    /// every lease, and waits for all of it: for processors at most for the configured time, then for the releases at
    /// most for two thirds of the failover time. May be called again; dropping the future leaves the shutdown going.
    ///
    /// # Errors
    /// As for [`wait`](Self::wait).
    pub async fn shutdown(&self) -> Result<(), ConsumerError> {
        self.stop.cancel();
        self.wait().await
    }

    /// Waits until it has stopped, for whatever reason. May be called again and from several tasks.
    ///
    /// # Errors
    /// Why it stopped by itself, or what its shutdown left unfinished.
    pub async fn wait(&self) -> Result<(), ConsumerError> {
        let mut result = self.result.clone();
        let stopped = result.wait_for(Option::is_some).await;
        stopped.ok().and_then(|result| result.clone()).unwrap_or(Err(ConsumerError::CoordinationDied))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Kinesis refuses to read from a moment in the future; a minute is left for clocks that differ.
fn check_start(config: &WorkerConfig, now: Wall) -> Result<(), ConfigError> {
    const TOLERANCE_MILLIS: i64 = 60_000;
    match config.management.start_strategy.timestamp() {
        Some(moment) if moment.unix_millis() > now.unix_millis().saturating_add(TOLERANCE_MILLIS) => Err(ConfigError {
            setting: "start_strategy",
            accepted: "a timestamp in Unix milliseconds that is not in the future",
            value: moment.to_string(),
        }),
        _ => Ok(()),
    }
}

/// Runs the coordinator and the metrics publisher; their result arrives in the returned channel.
fn supervise(
    parts: &Arc<Parts>,
    coordinator: Coordinator,
    publisher: Option<Arc<dyn MetricsPublisher>>,
) -> watch::Receiver<Option<Result<(), ConsumerError>>> {
    let (stopped, result) = watch::channel(None);
    let env = Arc::clone(&parts.env);
    let (report, outcome) = tokio::sync::oneshot::channel();
    let run = async move {
        // Nobody may be listening any more.
        let _ = report.send(coordinator.run().await);
    };
    let coordination = env.spawn(TaskClass::Coordination, "coordinator", run.boxed());
    let publishing = CancellationToken::new();
    let publish = publisher.map(|publisher| {
        let task = publish_until(Arc::clone(&env), publisher, publishing.clone());
        env.spawn(TaskClass::Work, "metrics", task.boxed())
    });
    let parts = Arc::clone(parts);
    let supervisor = async move {
        let end = coordination.await;
        let result = match (end, outcome.await) {
            (TaskEnd::Done, Ok(result)) => result,
            _ => Err(ConsumerError::CoordinationDied),
        };
        publishing.cancel();
        if let Some(publish) = publish {
            publish.await;
        }
        // Also if the coordinator died and could not say so itself.
        parts.status.enter(ConsumerState::Stopped);
        stopped.send_replace(Some(result));
    };
    drop(env.spawn(TaskClass::Work, "supervisor", supervisor.boxed()));
    result
}

async fn publish_until(env: Arc<dyn Env>, publisher: Arc<dyn MetricsPublisher>, stop: CancellationToken) {
    const LAST: Duration = Duration::from_secs(5);
    const SHORTEST: Duration = Duration::from_secs(1);
    while !stop.is_cancelled() {
        // Only the wait is interrupted, never a publication.
        let _ = within(&*env, publisher.period().max(SHORTEST), stop.cancelled()).await;
        if within(&*env, LAST.max(publisher.period()), publisher.publish()).await.is_none() {
            tracing::warn!("publishing metrics took too long and was given up");
        }
    }
}

/// Prepares the lease store from a coordination task, so that its connections belong to the coordination thread.
async fn prepare_on_coordination(parts: &Arc<Parts>) -> Result<FleetMode, StartError> {
    let (report, outcome) = tokio::sync::oneshot::channel();
    let task_parts = Arc::clone(parts);
    let prepare = async move {
        // The starter may have given up.
        let _ = report.send(prepare_and_join(&task_parts).await);
    };
    let task = parts.env.spawn(TaskClass::Coordination, "prepare", prepare.boxed());
    let guard = AbortOnDrop(Some(task));
    let gone = || StoreError::new(ErrorKind::Bug, "preparing the lease store", parts.config.application.as_str());
    let result = outcome.await.unwrap_or_else(|_| Err(gone().into()));
    drop(guard);
    result
}

async fn prepare_and_join(parts: &Parts) -> Result<FleetMode, StartError> {
    prepare(parts).await?;
    let late = || StoreError::new(ErrorKind::Unavailable, "reading the fleet's mode", &*parts.config.application).with_hint(LATE);
    let rows = answered(parts, || parts.store.fleet(), StoreError::is_retryable, late).await?;
    let mode = fleet_mode(&rows)?;
    coordinator::report(&mode);
    Ok(mode)
}

/// A start that is given up leaves nothing running.
struct AbortOnDrop(Option<crate::env::TaskHandle>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        if let Some(task) = self.0.take() {
            task.abort();
        }
    }
}

async fn prepare(parts: &Parts) -> Result<(), StoreError> {
    let (env, config) = (&*parts.env, &parts.config);
    let begun = env.now();
    let mut answered = begun;
    let mut reported = begun;
    let mut last_error = None;
    loop {
        let left = config.start_timeout.saturating_sub(env.now().since(answered));
        let late = || {
            let error = StoreError::new(ErrorKind::Unavailable, "preparing the lease store", config.application.as_str());
            error.with_hint(LATE)
        };
        let error = match within(env, left, parts.store.prepare()).await {
            Some(Ok(())) => return Ok(()),
            Some(Err(error)) => error,
            // An earlier try may know why it cannot be reached.
            None => last_error.take().filter(|error: &StoreError| error.kind() != ErrorKind::NotReady).unwrap_or_else(late),
        };
        let now = env.now();
        let not_ready = error.kind() == ErrorKind::NotReady;
        if not_ready {
            answered = now;
        }
        let given_up = if not_ready { now.since(begun) > TABLE_LIMIT } else { now.since(answered) >= config.start_timeout };
        if !error.is_retryable() || given_up {
            return Err(error);
        }
        if now.since(reported) >= TABLE_PROGRESS {
            reported = now;
            tracing::info!(table = config.application, waited = ?now.since(begun), "waiting for the lease table");
        }
        tracing::debug!(error = %error_chain(&error), "the lease store is not ready");
        last_error = Some(error);
        env.sleep_until(now + TABLE_POLL).await;
    }
}

async fn first_listing(parts: &Parts) -> Result<Vec<Shard>, StartError> {
    let list = || async {
        let shards = parts.stream.list_shards(ShardFilter::All).await?;
        check_listing(&shards)?;
        Ok(shards)
    };
    let late = || -> StartError {
        ReadError::new(ErrorKind::Unavailable, "listing the shards", parts.config.stream.as_str()).with_hint(LATE).into()
    };
    answered(parts, list, |error| !matches!(error, StartError::Stream(error) if !error.is_retryable()), late).await
}

/// A name that no other process has: where the operating system tells one, the host's name, then random digits.
fn made_up_id(env: &dyn Env) -> WorkerId {
    let random: u128 = env.rng().random();
    let host = std::env::var("HOSTNAME").unwrap_or_default();
    let host = if host.is_empty() { "worker" } else { &host };
    WorkerId::new(format!("{host}:{random:032x}"))
}
