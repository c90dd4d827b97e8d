//! Several workers in one process share a stream: who has which shard, and how shards move between them.
//!
//! Each worker is a consumer of its own, as it would be in a process of its own; they know of each other only through the
//! lease table. They start one after the other, so that the later ones take shards from the earlier ones until all have
//! about the same. Every move is printed, and at the end who processed how much and how much was processed twice.
//!
//! A record may come again when a lease moves. The new worker begins behind the last checkpoint that was stored, and the old
//! one may have processed more than that: a worker that another takes a lease from learns of it only at its next renewal or
//! checkpoint, which is then refused. The totals call such records `again`. No record is left out: `records` less `again` is
//! how many different ones there were. An application makes its work safe to repeat.
//!
//! Without AWS, in two terminals (the first one prints the variables to `export` in the second):
//!
//! ```text
//! cargo xtask local --stream demo --shards 4
//! cargo run --example simple_producer -- --stream-name demo --count 1000 --interval-ms 50 &
//! cargo run --example multi_worker -- --stream-name demo --table-name demo-team --workers 2 --start-strategy OLDEST
//! ```
//!
//! On AWS: `AWS_PROFILE=me AWS_REGION=eu-west-1 cargo run --example multi_worker -- --stream-name my-stream --table-name
//! my-app`. Start it twice with the same table: the workers of both processes share the shards. Ctrl-C, SIGTERM or
//! `--run-duration-seconds` stops all workers.
//!
//! Results go to standard output and logs to standard error (`RUST_LOG`, `--log-json`). `--help` lists the settings, which
//! may also come from `KINESIS_LEASES_TO_ACQUIRE`, `KINESIS_MAX_LEASES`, `KINESIS_START_STRATEGY` and `KINESIS_BATCH_LIMIT`
//! and hold for each worker.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that talks to its user")]
#![allow(clippy::disallowed_methods, clippy::disallowed_macros, reason = "the ban is for the library; a program uses tokio")]

use std::error::Error;
use std::hash::{BuildHasher, RandomState};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use aws_config::BehaviorVersion;
use clap::Parser;
use kcl::{
    CheckpointError, Checkpointer, Consumer, ConsumerState, ConsumerStatus, KinesisClientRecord, LeaseState, LeaseStatus,
    ShardRecordProcessor, ShardRecordProcessorFactory, WorkerId, error_chain,
};
use kcl_examples::cli::ConsumerArgs;
use kcl_examples::deliveries::Deliveries;
use kcl_examples::moves::{Change, Owners, Snapshot};
use kcl_examples::{logging, signals};
use tokio::time::{interval, sleep};
use tracing::error;

/// How often workers are asked what they hold.
const LOOK_PERIOD: Duration = Duration::from_secs(1);
/// After how many looks the state of everything is printed.
const LOOKS_PER_REPORT: u32 = 10;

/// Runs several workers that share a stream.
#[derive(Debug, Parser)]
struct Args {
    #[command(flatten)]
    consumer: ConsumerArgs,
    /// How many workers.
    #[arg(long, value_name = "NUMBER", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=64))]
    workers: u32,
    /// Stop after this time. Without it: at Ctrl-C.
    #[arg(long, value_name = "SECONDS")]
    run_duration_seconds: Option<u64>,
}

/// One worker's. The deliveries are those of all workers.
struct Factory {
    worker: WorkerId,
    deliveries: Arc<Mutex<Deliveries>>,
}

#[async_trait]
impl ShardRecordProcessorFactory for Factory {
    async fn initialize(&self, checkpointer: Checkpointer) -> Box<dyn ShardRecordProcessor> {
        Box::new(Processor { worker: self.worker.clone(), deliveries: Arc::clone(&self.deliveries), checkpointer })
    }
}

struct Processor {
    worker: WorkerId,
    deliveries: Arc<Mutex<Deliveries>>,
    checkpointer: Checkpointer,
}

#[async_trait]
impl ShardRecordProcessor for Processor {
    async fn process_records(&self, records: Vec<KinesisClientRecord>, _millis_behind_latest: i64) {
        let shard = &self.checkpointer.lease().shard_id;
        for record in &records {
            lock(&self.deliveries).add(&self.worker, shard, record.extended_sequence_number());
        }
        self.log(self.checkpointer.checkpoint_latest().await);
    }

    async fn lease_lost(&self) {}

    async fn shard_ended(&self) {
        self.log(self.checkpointer.end().await);
    }

    // Every batch was checkpointed when it was done.
    async fn shutdown_requested(&self) {}
}

impl Processor {
    fn log(&self, checkpoint: Result<(), CheckpointError>) {
        match checkpoint {
            // The shard moved: what is not checkpointed is delivered to its next worker.
            Ok(()) | Err(CheckpointError::LeaseLost | CheckpointError::ShuttingDown) => {}
            Err(error) => {
                error!(worker = %self.worker, shard = %self.checkpointer.lease().shard_id, error = %error_chain(&error), "checkpoint failed");
            }
        }
    }
}

/// The workers, and what is known about them together.
struct Team {
    workers: Vec<Arc<Consumer>>,
    owners: Owners,
    deliveries: Arc<Mutex<Deliveries>>,
}

impl Team {
    /// Starts the workers one by one.
    async fn start(&mut self, args: &Args) -> Result<(), Box<dyn Error>> {
        let settings = args.consumer.settings.read().unwrap_or_else(|error| error.exit());
        let aws = aws_config::load_defaults(BehaviorVersion::latest()).await;
        // The names must differ from those of every other process that uses the same table.
        let run = RandomState::new().hash_one(std::process::id()) >> 40;
        for number in 1..=args.workers {
            let worker = WorkerId::new(format!("worker-{number}-{run:06x}"));
            let factory = Factory { worker: worker.clone(), deliveries: Arc::clone(&self.deliveries) };
            let consumer = Consumer::builder(args.consumer.table_name.as_str(), args.consumer.stream_name.as_str())
                .aws_config(&aws)
                .management(settings.management)
                .lease(settings.lease.clone())
                .worker_id(worker.clone())
                .start(factory)
                .await?;
            println!("{worker}: started");
            self.workers.push(Arc::new(consumer));
        }
        Ok(())
    }

    /// Prints what changed since the last look. Yields the worker that stopped by itself, if one did.
    fn look(&mut self) -> Option<Arc<Consumer>> {
        let mut snapshot = Snapshot::new();
        let mut stopped = None;
        for consumer in &self.workers {
            let status = consumer.status();
            if status.state == ConsumerState::Stopped {
                stopped = Some(Arc::clone(consumer));
            }
            let held = working(&status).map(|lease| lease.shard_id.clone()).collect();
            snapshot.insert(status.worker_id, held);
        }
        for change in self.owners.observe(&snapshot) {
            println!("{change}");
            if matches!(change, Change::Moved { .. }) {
                lock(&self.deliveries).moved();
            }
        }
        stopped
    }

    /// Prints who has what and what was done.
    fn report(&self) {
        for consumer in &self.workers {
            let status = consumer.status();
            let shards: Vec<&str> = working(&status).map(|lease| lease.shard_id.as_str()).collect();
            let lag = working(&status).filter_map(|lease| lease.millis_behind_latest).max();
            let lag = lag.map_or_else(|| "unknown".to_owned(), |millis| format!("{millis} ms"));
            println!("{}: {} shards [{}], lag at most {lag}", status.worker_id, shards.len(), shards.join(", "));
        }
        println!("all: {}", lock(&self.deliveries));
    }

    /// Watches until a worker stops by itself.
    async fn watch(&mut self) -> Result<(), Box<dyn Error>> {
        let mut looks = interval(LOOK_PERIOD);
        loop {
            for _ in 0..LOOKS_PER_REPORT {
                looks.tick().await;
                if let Some(stopped) = self.look() {
                    println!("{}: stopped by itself", stopped.worker_id());
                    return Ok(stopped.wait().await?);
                }
            }
            self.report();
        }
    }

    /// Stops all workers at the same time, so that none takes what another releases. Yields whether all went well.
    async fn shut_down(&mut self) -> bool {
        let ends: Vec<_> =
            self.workers.iter().cloned().map(|worker| tokio::spawn(async move { worker.shutdown().await })).collect();
        let mut clean = true;
        for (worker, end) in self.workers.iter().zip(ends) {
            let problem = match end.await {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(error_chain(&error)),
                Err(error) => Some(error.to_string()),
            };
            clean &= problem.is_none();
            println!("{}: {}", worker.worker_id(), problem.as_deref().unwrap_or("stopped"));
        }
        self.look();
        clean
    }
}

/// The leases that a worker works on. A finished shard's lease is kept until its children have begun.
fn working(status: &ConsumerStatus) -> impl Iterator<Item = &LeaseStatus> {
    status.leases.iter().filter(|lease| lease.state != LeaseState::Ended)
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    logging::init(args.consumer.settings.log_json);
    let mut team = Team { workers: Vec::new(), owners: Owners::default(), deliveries: Arc::default() };
    let outcome = run(&mut team, &args).await;
    if let Err(error) = &outcome {
        eprintln!("error: {}", error_chain(&**error));
    }
    // Also after a failure: whatever runs is stopped in good order.
    let clean = team.shut_down().await;
    if !team.workers.is_empty() {
        println!("total: {}", lock(&team.deliveries));
    }
    if outcome.is_ok() && clean { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn run(team: &mut Team, args: &Args) -> Result<(), Box<dyn Error>> {
    let time_is_up = async {
        match args.run_duration_seconds {
            Some(seconds) => sleep(Duration::from_secs(seconds)).await,
            None => std::future::pending().await,
        }
    };
    let work = async {
        team.start(args).await?;
        team.watch().await
    };
    tokio::select! {
        stopped = work => stopped,
        asked = signals::stop_requested() => Ok(asked?),
        () = time_is_up => Ok(()),
    }
}

fn lock(deliveries: &Mutex<Deliveries>) -> MutexGuard<'_, Deliveries> {
    deliveries.lock().unwrap_or_else(PoisonError::into_inner)
}
