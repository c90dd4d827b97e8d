//! One stream, one lease table, and the workers on them.

mod verdict;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kcl::backend::{DynamoLeaseStore, Lease, LeaseStore as _};

use crate::check::Worker;
use crate::failure::Failure;
use crate::journal;
use crate::kind::Kind;
use crate::leases::{self, ShardRow};
use crate::process::{Process, last_lines};
use crate::producer::{self, Acknowledged, Producer};
use crate::servers::Servers;
use crate::tools::{self, Tools};

pub(crate) use verdict::Outcome;

/// Between two looks at what cannot say that it has changed.
const LOOK_EVERY: Duration = Duration::from_millis(150);
/// How long anything may take before it counts as never: far above what it needs. It only ever fails a run.
const PATIENCE: Duration = Duration::from_secs(150);
/// After how long a lease expires, for every worker: short, so that a kill is noticed soon.
const FAILOVER_MILLIS: u64 = 4_000;

/// What all scenes share.
#[derive(Debug)]
pub(crate) struct Stage {
    /// Programs and class paths.
    pub(crate) tools: Tools,
    /// Kinesis, DynamoDB, CloudWatch.
    pub(crate) servers: Servers,
    /// Where journals and logs go.
    pub(crate) folder: PathBuf,
}

/// A worker process, running or ended.
#[derive(Debug)]
struct Member {
    name: String,
    kind: Kind,
    /// `None` once it has ended as it should.
    process: Option<Process>,
    journal: PathBuf,
    log: PathBuf,
}

/// A stream with shards, its lease table, and workers.
#[derive(Debug)]
pub(crate) struct Scene {
    stage: Arc<Stage>,
    name: String,
    folder: PathBuf,
    stream: String,
    table: String,
    kinesis: aws_sdk_kinesis::Client,
    store: DynamoLeaseStore,
    members: Vec<Member>,
    acknowledged: Acknowledged,
    producer: Option<Producer>,
}

impl Scene {
    /// A stream with so many shards, and no lease table yet.
    ///
    /// # Errors
    /// If the stream cannot be made.
    pub(crate) async fn set(stage: Arc<Stage>, name: &str, shards: i32) -> Result<Self, Failure> {
        let plain: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let folder = stage.folder.join(&plain);
        // What an earlier run left.
        let _ = std::fs::remove_dir_all(&folder);
        tools::make(&folder)?;
        let (stream, table) = (format!("stream-{plain}"), format!("leases-{plain}"));
        let kinesis = stage.servers.kinesis_client();
        let made = kinesis.create_stream().stream_name(&stream).shard_count(shards).send().await;
        made.map_err(|error| Failure::of("the stream cannot be made", &error))?;
        let store = DynamoLeaseStore::from_config(&stage.servers.dynamodb_config(), &table);
        let (members, acknowledged) = (Vec::new(), Acknowledged::default());
        let scene =
            Self { stage, name: name.to_owned(), folder, stream, table, kinesis, store, members, acknowledged, producer: None };
        scene.stream_is_active().await?;
        Ok(scene)
    }

    /// The stream's client.
    pub(crate) const fn kinesis(&self) -> &aws_sdk_kinesis::Client {
        &self.kinesis
    }

    /// The stream's name.
    pub(crate) fn stream(&self) -> &str {
        &self.stream
    }

    /// Every shard of the stream.
    ///
    /// # Errors
    /// If they cannot be listed.
    pub(crate) async fn shards(&self) -> Result<Vec<ShardRow>, Failure> {
        leases::shards(&self.kinesis, &self.stream).await
    }

    /// The rows of the lease table.
    pub(crate) async fn rows(&self) -> Vec<Lease> {
        leases::rows(&self.store).await
    }

    /// Makes the lease table and puts the rows of a first start into it.
    ///
    /// # Errors
    /// If the table cannot be made.
    pub(crate) async fn seed(&mut self) -> Result<(), Failure> {
        let store = self.store.clone();
        self.until("the lease table can be used", async |_| store.prepare().await.is_ok()).await?;
        leases::seed(&self.stage.servers.dynamodb_config(), &self.table, &self.shards().await?).await
    }

    /// Waits until the stream is not being created or resharded any more.
    ///
    /// # Errors
    /// If that takes far too long.
    pub(crate) async fn stream_is_active(&self) -> Result<(), Failure> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.kinesis.describe_stream_summary().stream_name(&self.stream).send().await;
            let status = answer.map(|answer| answer.stream_description_summary.map(|summary| summary.stream_status));
            if matches!(status, Ok(Some(aws_sdk_kinesis::types::StreamStatus::Active))) {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(Failure::new(format!("the stream never becomes active: {status:?}")));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Starts a worker and yields its name.
    ///
    /// # Errors
    /// If its program is missing.
    pub(crate) fn start(&mut self, kind: Kind) -> Result<String, Failure> {
        self.start_with(kind, &[])
    }

    /// Starts a worker with more options.
    ///
    /// # Errors
    /// If its program is missing.
    pub(crate) fn start_with(&mut self, kind: Kind, options: &[&str]) -> Result<String, Failure> {
        let name = format!("{kind}-{}", self.members.len());
        let (journal, log) = (self.folder.join(format!("{name}.journal")), self.folder.join(format!("{name}.log")));
        let tools = &self.stage.tools;
        let mut command = match kind {
            Kind::Rust => Command::new(&tools.rust_worker),
            Kind::Java(generation) => {
                let class_path = tools.java.get(&generation).cloned().unwrap_or_else(|| Err(Failure::new("not prepared")))?;
                java(&class_path, "InteropWorker")
            }
        };
        command.args(["--stream", &self.stream, "--table", &self.table, "--worker", &name]);
        command.args(["--failover-millis", &FAILOVER_MILLIS.to_string()]).arg("--file").arg(&journal).args(options);
        command.envs(self.stage.servers.environment());
        let process = Some(Process::start(&mut command, &log)?);
        self.members.push(Member { name: name.clone(), kind, process, journal, log });
        Ok(name)
    }

    /// Ends a worker with SIGKILL.
    ///
    /// # Errors
    /// If there is no such worker.
    pub(crate) fn kill(&mut self, name: &str) -> Result<(), Failure> {
        let member = self.member(name)?;
        if let Some(mut process) = member.process.take() {
            process.kill();
        }
        Ok(())
    }

    /// Asks a worker to stop, and waits until it has.
    ///
    /// # Errors
    /// If it does not, or fails.
    pub(crate) async fn stop(&mut self, name: &str) -> Result<(), Failure> {
        let member = self.member(name)?;
        let Some(mut process) = member.process.take() else { return Ok(()) };
        process.ask_to_stop()?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            match process.ended() {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(Failure::new(format!("{name} did not end well: {status}"))),
                None if Instant::now() > deadline => return Err(Failure::new(format!("{name} does not stop"))),
                None => tokio::time::sleep(LOOK_EVERY).await,
            }
        }
    }

    fn member(&mut self, name: &str) -> Result<&mut Member, Failure> {
        let missing = || Failure::new(format!("there is no worker {name}"));
        self.members.iter_mut().find(|member| member.name == name).ok_or_else(missing)
    }

    /// Begins to put records on every shard.
    pub(crate) fn produce(&mut self) {
        let first = self.acknowledged.numbers().last().map_or(0, |last| last + 1_000_000);
        let (client, stream) = (self.kinesis.clone(), self.stream.clone());
        self.producer = Some(Producer::start(client, stream, first, self.acknowledged.clone()));
    }

    /// Puts an aggregate of these numbers on the shard of this hash key.
    ///
    /// # Errors
    /// If the stream refuses it.
    pub(crate) async fn put_aggregate(&self, hash_key: u128, numbers: std::ops::Range<u64>) -> Result<(), Failure> {
        let entries = vec![producer::aggregate(&format!("key-{}", numbers.start), Some(hash_key), numbers)?];
        producer::put(&self.kinesis, &self.stream, entries, &self.acknowledged).await
    }

    /// Waits for so many more acknowledged records than there are now.
    ///
    /// # Errors
    /// If they do not come.
    pub(crate) async fn more_records(&mut self, more: usize) -> Result<(), Failure> {
        let goal = self.acknowledged.count() + more;
        let acknowledged = self.acknowledged.clone();
        self.until("more records are acknowledged", async |_| acknowledged.count() >= goal).await
    }

    /// Puts no more records, and waits until every one that was acknowledged has been processed.
    ///
    /// # Errors
    /// If some never are.
    pub(crate) async fn drain(&mut self) -> Result<(), Failure> {
        if let Some(producer) = self.producer.take() {
            producer.stop().await;
        }
        let acknowledged = self.acknowledged.numbers();
        self.until("every acknowledged record is processed", async |scene| {
            let seen: BTreeSet<u64> =
                scene.journals().iter().flatten().flat_map(|worker| &worker.entries).filter_map(|entry| entry.id).collect();
            acknowledged.is_subset(&seen)
        })
        .await
    }

    /// Waits until these workers hold every lease, evenly.
    ///
    /// # Errors
    /// If that never comes.
    pub(crate) async fn balanced(&mut self, workers: &[&String]) -> Result<(), Failure> {
        let names: Vec<String> = workers.iter().map(|name| (*name).clone()).collect();
        let what = format!("balanced: {}", names.join(", "));
        self.until(&what, async |scene| leases::balanced(&scene.rows().await, &names)).await
    }

    /// Waits until this worker has processed a record since it was last asked.
    ///
    /// # Errors
    /// If it never does.
    pub(crate) async fn works(&mut self, name: &str) -> Result<(), Failure> {
        let count = |scene: &Self| {
            let journals = scene.journals().unwrap_or_default();
            journals.iter().filter(|worker| worker.name == name).flat_map(|w| &w.entries).filter(|e| e.id.is_some()).count()
        };
        let before = count(self);
        self.until(&format!("{name} processes records"), async |scene| count(scene) > before).await
    }

    /// Waits until `done` says so.
    ///
    /// # Errors
    /// If it never does, or if a worker ends meanwhile that should not.
    pub(crate) async fn until(&mut self, what: &str, done: impl AsyncFn(&Self) -> bool) -> Result<(), Failure> {
        let began = Instant::now();
        while !done(self).await {
            for member in &mut self.members {
                if let Some(status) = member.process.as_mut().and_then(Process::ended) {
                    return Err(Failure::new(format!("{} ended by itself: {status}", member.name)));
                }
            }
            if began.elapsed() > PATIENCE {
                return Err(Failure::new(format!("never happened: {what}\n{}", self.state().await)));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        println!("  {:>6.1} s  {}: {what}", began.elapsed().as_secs_f64(), self.name);
        Ok(())
    }

    async fn state(&self) -> String {
        let mut lines = Vec::new();
        for lease in self.rows().await {
            lines.push(leases::as_java_lists(&self.table, &lease));
        }
        for member in &self.members {
            let log = std::fs::read_to_string(&member.log).unwrap_or_default();
            lines.push(format!("{}: {}", member.name, last_lines(&log, 8)));
        }
        lines.push(format!("kinesis: {}", last_lines(&self.stage.servers.kinesis_log(), 4)));
        lines.join("\n")
    }

    fn journals(&self) -> Result<Vec<Worker>, Failure> {
        let read = |member: &Member| {
            let text = std::fs::read_to_string(&member.journal).unwrap_or_default();
            Ok(Worker { name: member.name.clone(), entries: journal::parse(&text)? })
        };
        self.members.iter().map(read).collect()
    }

    async fn parents(&self) -> Result<BTreeMap<String, Vec<String>>, Failure> {
        let shards = self.shards().await?;
        Ok(shards.into_iter().filter(|shard| !shard.parents.is_empty()).map(|shard| (shard.id, shard.parents)).collect())
    }
}

/// A program of ours on a Java class path, with a machine that starts fast and stays small.
pub(crate) fn java(class_path: &str, class: &str) -> Command {
    let mut command = Command::new("java");
    command.args(["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-cp", class_path, class]);
    command
}
