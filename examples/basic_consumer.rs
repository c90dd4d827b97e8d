//! A consumer of a Kinesis stream, as small as is useful.
//!
//! Without AWS, on embedded servers:
//!
//! ```text
//! cargo run --example basic_consumer -- --local
//! ```
//!
//! That creates a stream of four shards, puts numbered records on it (half of them aggregated as the Kinesis Producer
//! Library does it), splits a shard under way, and consumes everything. The last line on standard output is
//! `consumed C of N records from S shards: L lost, D duplicates`: N records were acknowledged by the stream, C of them were
//! seen by a processor, L were not, D were seen more than once, and S shards delivered records. The exit code is 0 only
//! if nothing was lost. Try `--workers 3`: three consumers share the shards.
//!
//! With AWS, or with the servers that `cargo xtask local` keeps running:
//!
//! ```text
//! cargo run --example basic_consumer -- --stream-name orders --table-name orders-app --start-strategy OLDEST
//! ```
//!
//! It needs `kinesis:ListShards`, `kinesis:GetShardIterator` and `kinesis:GetRecords` on the stream and, on the lease
//! table, `dynamodb:CreateTable`, `DescribeTable`, `Scan`, `GetItem`, `PutItem`, `UpdateItem` and `DeleteItem`. Start it
//! twice with the same table, and the two share the shards; kill one, and the other has them all after the failover
//! time. Ctrl-C and SIGTERM end it gracefully: checkpoints are stored and leases released.
//!
//! Logs go to standard error (`RUST_LOG`, `--log-json`), results to standard output.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that talks to its user")]
#![allow(clippy::disallowed_methods, clippy::disallowed_macros, reason = "a program uses tokio directly")]

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use aws_config::{BehaviorVersion, SdkConfig};
use clap::Parser;
use kcl::{
    CheckpointError, Checkpointer, Consumer, EnvironmentConfig, ExtendedSequenceNumber, KinesisClientRecord,
    ShardRecordProcessor, ShardRecordProcessorFactory, StartStrategy, error_chain,
};
use kcl_examples::cli::SettingsArgs;
use kcl_examples::ledger::{Ledger, record_name};
use kcl_examples::local::LocalAws;
use kcl_examples::record_file::RecordFile;
use kcl_examples::{local_run, logging, signals, traffic};
use kcl_testing::FaultyStream;
use tracing::{debug, error, info, warn};

/// Consumes a Kinesis stream and counts its records.
#[derive(Parser)]
#[command(name = "basic_consumer")]
struct Args {
    /// The stream to consume: its name or its ARN [default with --local: local-stream].
    #[arg(long, value_name = "NAME", required_unless_present = "local")]
    stream_name: Option<String>,
    /// The lease table. Consumers with the same table share the stream [default with --local: local-leases].
    #[arg(long, value_name = "NAME", required_unless_present = "local")]
    table_name: Option<String>,
    /// Consume a stream of embedded servers, with traffic, from the oldest record on.
    #[arg(long)]
    local: bool,
    /// With --local: how many records to put [default: 1000]. Otherwise: stop after this many [default: never].
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// How many consumers compete in this process.
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    workers: u32,
    /// The name under which leases are held; unique among live processes [default: made up].
    #[arg(long, value_name = "NAME")]
    worker_id: Option<String>,
    /// After how long without a renewal other workers take a lease.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    failover_time_seconds: u64,
    /// Append a line for each processed record to this file: its number or place, a tab, its shard.
    #[arg(long, value_name = "PATH")]
    record_file: Option<PathBuf>,
    /// A self-test, with --local: hide one record of the stream from the consumer, which must then report a loss.
    #[arg(long, hide = true, requires = "local")]
    drop_one: bool,
    #[command(flatten)]
    settings: SettingsArgs,
}

/// Makes a processor for each shard that this consumer gets.
#[derive(Clone)]
struct Factory {
    ledger: Arc<Ledger>,
    record_file: Option<Arc<RecordFile>>,
}

#[async_trait]
impl ShardRecordProcessorFactory for Factory {
    async fn initialize(&self, checkpointer: Checkpointer) -> Box<dyn ShardRecordProcessor> {
        let lease = checkpointer.lease();
        info!(shard = %lease.shard_id, from = %lease.start_position, "got a shard");
        Box::new(Processor { output: self.clone(), checkpointer })
    }
}

/// Works on one shard for as long as its lease is ours.
struct Processor {
    output: Factory,
    checkpointer: Checkpointer,
}

#[async_trait]
impl ShardRecordProcessor for Processor {
    async fn process_records(&self, records: Vec<KinesisClientRecord>, millis_behind_latest: i64) {
        // The application's work goes here. `record.record.data` is the payload.
        debug!(shard = %self.shard(), records = records.len(), millis_behind_latest, "processing");
        if let Some(file) = &self.output.record_file
            && let Err(error) = file.append(self.shard(), &records.iter().map(record_name).collect::<Vec<_>>())
        {
            // A panic is how a processor says that it cannot go on: nothing is checkpointed, and the records come again.
            panic!("{}", error_chain(&error));
        }
        self.output.ledger.see(self.shard(), &records);

        // The checkpoint comes after the work: whoever has the shard next begins behind it.
        if let Some(last) = records.last() {
            self.checkpoint(last.extended_sequence_number()).await;
        }
    }

    async fn lease_lost(&self) {
        warn!(shard = %self.shard(), "another worker has the shard");
    }

    async fn shard_ended(&self) {
        // Without this the shard's children never start. If it fails, shard_ended is called again.
        match self.checkpointer.end().await {
            Ok(()) => info!(shard = %self.shard(), "the shard is finished"),
            Err(error) => report(self.shard(), &error),
        }
    }

    async fn shutdown_requested(&self) {
        // Every call of process_records has checkpointed what it got: nothing is left to store.
        info!(shard = %self.shard(), "letting go of the shard");
    }
}

impl Processor {
    fn shard(&self) -> &str {
        &self.checkpointer.lease().shard_id
    }

    async fn checkpoint(&self, position: ExtendedSequenceNumber) {
        if let Err(error) = self.checkpointer.checkpoint(position).await {
            report(self.shard(), &error);
        }
    }
}

/// What a failed checkpoint means. In no case is it up to the processor to try again.
fn report(shard: &str, error: &CheckpointError) {
    match error {
        CheckpointError::LeaseLost => warn!(shard, "not checkpointed: another worker has the shard and gets the records again"),
        CheckpointError::ShuttingDown => warn!(shard, "not checkpointed: the worker has shut down; the records come again"),
        CheckpointError::OutOfRange { .. } | CheckpointError::NotEnded => {
            error!(shard, %error, "not checkpointed: a mistake here")
        }
        error => error!(shard, error = %error_chain(error), "not checkpointed: the lease table refuses"),
    }
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let mut settings = args.settings.read().unwrap_or_else(|error| error.exit());
    logging::init(args.settings.log_json);
    let outcome = if args.local {
        settings.management.start_strategy = StartStrategy::Oldest;
        consume_local(&args, &settings).await
    } else {
        consume(&args, &settings).await
    };
    outcome.unwrap_or_else(|error| {
        // Not through the log: whoever has turned that off needs to know all the same.
        eprintln!("error: {}", error_chain(&*error));
        ExitCode::FAILURE
    })
}

/// Starts one consumer, or several that compete. `stream` takes the place of the stream in `aws`.
async fn start(
    args: &Args,
    settings: &EnvironmentConfig,
    aws: &SdkConfig,
    ledger: &Arc<Ledger>,
    stream: Option<FaultyStream>,
) -> Result<Vec<Consumer>, BoxError> {
    let record_file = args.record_file.as_deref().map(RecordFile::open).transpose()?.map(Arc::new);
    let factory = Factory { ledger: Arc::clone(ledger), record_file };
    let mut consumers = Vec::new();
    for number in 1..=args.workers {
        let mut builder = Consumer::builder(args.table_name(), args.stream_name())
            .aws_config(aws)
            .management(settings.management)
            .lease(settings.lease.clone())
            .failover_time(Duration::from_secs(args.failover_time_seconds));
        if let Some(name) = &args.worker_id {
            builder = builder.worker_id(if args.workers == 1 { name.clone() } else { format!("{name}-{number}") });
        }
        if args.local {
            builder = builder.poll_interval(Duration::from_millis(200));
        }
        if let Some(stream) = &stream {
            builder = builder.stream_reader(stream.clone());
        }
        consumers.push(builder.start(factory.clone()).await?);
    }
    Ok(consumers)
}

/// Ends all at the same time, so that none takes what another releases.
async fn shutdown(consumers: Vec<Consumer>) -> Result<(), BoxError> {
    let endings: Vec<_> = consumers.into_iter().map(|consumer| tokio::spawn(async move { consumer.shutdown().await })).collect();
    for ending in endings {
        ending.await??;
    }
    Ok(())
}

/// Consumes until a signal, a number of records, or a failure.
async fn consume(args: &Args, settings: &EnvironmentConfig) -> Result<ExitCode, BoxError> {
    let ledger = Arc::new(Ledger::of_numbers());
    let mut stopped = tokio::spawn(signals::stop_requested());
    let aws = aws_config::load_defaults(BehaviorVersion::latest()).await;
    let consumers = tokio::select! {
        started = start(args, settings, &aws, &ledger, None) => started?,
        // A table that is being made can take a while.
        _ = &mut stopped => return Err("stopped before it had started".into()),
    };
    info!(stream = args.stream_name(), table = args.table_name(), "consuming; Ctrl-C ends it");
    tokio::select! {
        stopped = stopped => stopped??,
        () = reached(&ledger, args.count) => info!("that many records are enough"),
        ended = first_to_end(&consumers) => ended?,
    }
    shutdown(consumers).await?;
    let report = ledger.report();
    println!("consumed {} records from {} shards; one that came again counts again", report.deliveries, report.shards);
    Ok(ExitCode::SUCCESS)
}

async fn reached(ledger: &Ledger, count: Option<u64>) {
    while count.is_none_or(|count| ledger.deliveries() < count) {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Waits until any consumer stops by itself. With its reason, if it failed.
async fn first_to_end(consumers: &[Consumer]) -> Result<(), BoxError> {
    loop {
        for consumer in consumers {
            if let Ok(ended) = tokio::time::timeout(LOOK_EVERY, consumer.wait()).await {
                return Ok(ended?);
            }
        }
    }
}

/// Between two looks at what cannot say that it has changed.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Puts records on an embedded stream and consumes them.
async fn consume_local(args: &Args, settings: &EnvironmentConfig) -> Result<ExitCode, BoxError> {
    let began = Instant::now();
    let stopped = tokio::spawn(signals::stop_requested());
    let servers = LocalAws::start(0, 0)?;
    servers.create_stream(args.stream_name(), local_run::SHARDS).await?;
    let aws = servers.sdk_config();
    println!("embedded servers: Kinesis at {}, DynamoDB at {}", servers.kinesis_url, servers.dynamodb_url);

    let ledger = Arc::new(Ledger::of_names());
    let stream =
        if args.drop_one { Some(local_run::without_one_record(&aws, args.stream_name(), &settings.lease)?) } else { None };
    let consumers = start(args, settings, &aws, &ledger, stream).await?;
    let producing = tokio::spawn({
        let (client, stream, ledger) = (aws_sdk_kinesis::Client::new(&aws), args.stream_name().to_owned(), Arc::clone(&ledger));
        let count = args.count.unwrap_or(1000);
        async move { traffic::put_and_split(client, &stream, count, &ledger).await }
    });

    let outcome = tokio::select! {
        stopped = stopped => stopped?.map_err(BoxError::from),
        () = local_run::everything_seen(&consumers, &ledger, args.drop_one, || producing.is_finished()) => Ok(()),
        ended = first_to_end(&consumers) => ended,
    };
    let produced = producing.is_finished();
    producing.abort();
    let outcome = outcome.and(shutdown(consumers).await);

    let report = ledger.report();
    local_run::summarize(&report, &aws, args.stream_name(), args.table_name()).await?;
    println!("time:       {:.1} s with {} consumers", began.elapsed().as_secs_f64(), args.workers);
    println!("{report}");
    outcome?;
    if produced {
        producing.await??;
    }
    Ok(if report.lost == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Args {
    fn stream_name(&self) -> &str {
        self.stream_name.as_deref().unwrap_or("local-stream")
    }

    fn table_name(&self) -> &str {
        self.table_name.as_deref().unwrap_or("local-leases")
    }
}
