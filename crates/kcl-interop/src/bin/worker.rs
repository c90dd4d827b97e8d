//! A worker of this library over the AWS SDK, with the same options, journal and ends as the Java one.
//!
//! The line "stop" on standard input ends it gracefully, the end of standard input at once.

#![allow(clippy::print_stderr, reason = "a program that talks to its user")]
#![allow(clippy::disallowed_methods, clippy::disallowed_macros, reason = "a program uses threads and tokio directly")]

use std::io::BufRead as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use aws_config::BehaviorVersion;
use clap::Parser;
use kcl::{
    CheckpointError, Checkpointer, Consumer, KinesisClientRecord, ManagementConfig, ShardRecordProcessor,
    ShardRecordProcessorFactory, StartStrategy, error_chain,
};
use kcl_interop::journal::{Event, Journal, line, plain_line};
use tokio::sync::oneshot;
use tracing::{error, info};
use tracing_subscriber::EnvFilter;

/// A worker that writes each record into a journal, then checkpoints.
#[derive(Parser)]
struct Args {
    #[arg(long)]
    stream: String,
    #[arg(long)]
    table: String,
    #[arg(long)]
    worker: String,
    #[arg(long)]
    file: PathBuf,
    #[arg(long)]
    failover_millis: u64,
    /// How long the row of a finished shard is kept at least.
    #[arg(long, default_value_t = 300)]
    cleanup_seconds: u64,
    /// How often leases and shards are compared.
    #[arg(long, default_value_t = 5)]
    sync_seconds: u64,
    /// How long to wait at least between two scans of the lease table.
    #[arg(long)]
    scan_millis: Option<u64>,
    /// The last user record of the first aggregate to process; no record after it is.
    #[arg(long)]
    inside: Option<u64>,
}

struct Factory {
    journal: Arc<Journal>,
    inside: Option<u64>,
}

#[async_trait]
impl ShardRecordProcessorFactory for Factory {
    async fn initialize(&self, checkpointer: Checkpointer) -> Box<dyn ShardRecordProcessor> {
        let processor =
            Processor { journal: Arc::clone(&self.journal), inside: self.inside, done: AtomicBool::new(false), checkpointer };
        let start = &processor.checkpointer.lease().start_position;
        processor.write(&[line(Event::Start, processor.shard(), start.as_text(), start.sub_sequence_number(), "-")]);
        Box::new(processor)
    }
}

struct Processor {
    journal: Arc<Journal>,
    inside: Option<u64>,
    done: AtomicBool,
    checkpointer: Checkpointer,
}

#[async_trait]
impl ShardRecordProcessor for Processor {
    async fn process_records(&self, records: Vec<KinesisClientRecord>, _millis_behind_latest: i64) {
        let mut lines = Vec::new();
        let mut last = None;
        for record in &records {
            if self.done.load(Ordering::Relaxed) {
                break;
            }
            let id = String::from_utf8_lossy(&record.record.data);
            lines.push(line(
                Event::Record,
                self.shard(),
                record.record.sequence_number.as_str(),
                record.sub_sequence_number,
                &id,
            ));
            let inside = record.is_aggregated() && self.inside.is_some_and(|inside| record.sub_sequence_number >= inside);
            self.done.store(inside, Ordering::Relaxed);
            last = Some(record.extended_sequence_number());
        }
        let Some(last) = last else { return };
        self.write(&lines);
        let (sequence, sub) = (last.sequence_number.clone(), last.sub_sequence_number);
        match self.checkpointer.checkpoint(last).await {
            Ok(()) => self.write(&[line(Event::Checkpoint, self.shard(), sequence.as_str(), sub, "-")]),
            Err(error) => self.not_checkpointed(&error),
        }
    }

    async fn lease_lost(&self) {
        self.write(&[plain_line(Event::Lost, self.shard())]);
    }

    async fn shard_ended(&self) {
        self.write(&[plain_line(Event::Ending, self.shard())]);
        if let Err(error) = self.checkpointer.end().await {
            self.not_checkpointed(&error);
        }
    }

    async fn shutdown_requested(&self) {
        // Every call of process_records has checkpointed what it processed.
        self.write(&[plain_line(Event::Shutdown, self.shard())]);
    }
}

impl Processor {
    fn shard(&self) -> &str {
        &self.checkpointer.lease().shard_id
    }

    fn write(&self, lines: &[String]) {
        if let Err(error) = self.journal.append(lines) {
            // A panic is how a processor says that it cannot go on.
            panic!("the journal cannot be written: {error}");
        }
    }

    fn not_checkpointed(&self, error: &CheckpointError) {
        match error {
            CheckpointError::LeaseLost => info!(shard = self.shard(), "not checkpointed: the lease is lost"),
            error => error!(shard = self.shard(), error = %error_chain(error), "not checkpointed"),
        }
    }
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    let filter = EnvFilter::new("info");
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).init();
    match consume(&Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", error_chain(&*error));
            ExitCode::FAILURE
        }
    }
}

async fn consume(args: &Args) -> Result<(), BoxError> {
    let aws = aws_config::load_defaults(BehaviorVersion::latest()).await;
    let journal = Arc::new(Journal::open(&args.file)?);
    let builder = Consumer::builder(&args.table, &args.stream)
        .aws_config(&aws)
        .management(ManagementConfig { start_strategy: StartStrategy::Oldest, ..ManagementConfig::default() })
        .worker_id(args.worker.as_str())
        .failover_time(Duration::from_millis(args.failover_millis))
        .poll_interval(Duration::from_millis(500))
        .shard_sync_interval(Duration::from_secs(args.sync_seconds))
        .lease_cleanup_interval(Duration::from_secs(args.cleanup_seconds));
    let builder = match args.scan_millis {
        Some(interval) => builder.scan_interval(Duration::from_millis(interval)),
        None => builder,
    };
    let consumer = builder.start(Factory { journal, inside: args.inside }).await?;
    tokio::select! {
        ended = consumer.wait() => Ok(ended?),
        _ = stop_requested() => Ok(consumer.shutdown().await?),
    }
}

/// Ready when a line came in. At the end of standard input nobody is left to work for.
fn stop_requested() -> oneshot::Receiver<()> {
    let (sender, receiver) = oneshot::channel();
    std::thread::spawn(move || {
        let mut lines = std::io::stdin().lock().lines();
        if let Some(Ok(_)) = lines.next() {
            let _ = sender.send(());
        }
        while let Some(Ok(_)) = lines.next() {}
        std::process::exit(1);
    });
    receiver
}
