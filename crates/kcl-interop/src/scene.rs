//! One stream, one lease table, and the workers on them.

mod members;
mod verdict;
mod waits;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kcl::backend::{DynamoLeaseStore, KinesisStreamReader, Lease, LeaseStore as _, Shard, ShardFilter, StreamReader as _};

use crate::check::Worker;
use crate::failure::Failure;
use crate::journal;
use crate::kind::Kind;
use crate::leases;
use crate::process::Process;
use crate::producer::{self, Acknowledged, Producer};
use crate::servers::Servers;
use crate::tools::{self, Tools};

pub(crate) use members::java;
pub(crate) use verdict::Outcome;

/// Between two looks at what cannot say that it has changed.
const LOOK_EVERY: Duration = Duration::from_millis(150);
/// How long anything may take before it counts as never: far above what it needs. It only ever fails a run.
const PATIENCE: Duration = Duration::from_secs(180);
/// After how long a lease expires, for every worker of a scenario: short, so that a kill is noticed soon.
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
    failover_millis: u64,
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
        let scene = Self {
            stage,
            name: name.to_owned(),
            folder,
            stream,
            table,
            kinesis,
            store,
            members,
            acknowledged,
            producer: None,
            failover_millis: FAILOVER_MILLIS,
        };
        scene.stream_is_active().await?;
        Ok(scene)
    }

    /// The same with another time after which leases expire.
    pub(crate) const fn with_failover(mut self, millis: u64) -> Self {
        self.failover_millis = millis;
        self
    }

    /// The lease table's name.
    pub(crate) fn table(&self) -> &str {
        &self.table
    }

    /// How many checkpoints have been durable, of all workers.
    pub(crate) fn checkpoints(&self) -> usize {
        let journals = self.journals().unwrap_or_default();
        journals.iter().flat_map(|worker| &worker.entries).filter(|entry| entry.event == journal::Event::Checkpoint).count()
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
    pub(crate) async fn shards(&self) -> Result<Vec<Shard>, Failure> {
        let failed = |error: &_| Failure::of("shards cannot be listed", error);
        let reader = KinesisStreamReader::new(self.kinesis.clone(), &self.stream, 1).map_err(|error| failed(&error))?;
        reader.list_shards(ShardFilter::All).await.map_err(|error| failed(&error))
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

    /// Begins to put records on every shard.
    pub(crate) fn produce(&mut self) {
        let first = self.acknowledged.numbers().last().map_or(0, |last| last + 1_000_000);
        let (client, stream) = (self.kinesis.clone(), self.stream.clone());
        self.producer = Some(Producer::start(client, stream, first, self.acknowledged.clone()));
    }

    /// Begins to put a record on each of so many shards, which divide all hashes evenly, every so often.
    pub(crate) fn produce_evenly(&mut self, shards: u32, every: Duration) {
        let first = self.acknowledged.numbers().last().map_or(0, |last| last + 1_000_000);
        let (client, stream) = (self.kinesis.clone(), self.stream.clone());
        self.producer = Some(Producer::start_evenly(client, stream, first, shards, every, self.acknowledged.clone()));
    }

    /// Puts no more records.
    pub(crate) async fn produce_no_more(&mut self) {
        if let Some(producer) = self.producer.take() {
            producer.stop().await;
        }
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
        self.produce_no_more().await;
        let acknowledged = self.acknowledged.numbers();
        self.until("every acknowledged record is processed", async |scene| {
            let seen: BTreeSet<u64> =
                scene.journals().iter().flatten().flat_map(|worker| &worker.entries).filter_map(|entry| entry.id).collect();
            acknowledged.is_subset(&seen)
        })
        .await
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
        let named = |shard: Shard| (shard.id.to_string(), shard.parents.iter().map(ToString::to_string).collect());
        Ok(shards.into_iter().filter(|shard| !shard.parents.is_empty()).map(named).collect())
    }
}
