//! A consumer as applications write it: JSON messages routed by their type, retries, periodic checkpoints, counters.
//!
//! - Messages with the `event_type` `user_action`, `system_event` or `error_event` go to a handler each, and everything
//!   else (text, unknown types, broken messages) to a fallback, so that no payload can stop a shard.
//! - A handler that fails is tried again with back-off, four times in all. Then the message is counted, logged by its
//!   position, never with its payload, and skipped. An application would put it somewhere else (a dead-letter queue).
//! - A checkpoint is stored after `--batch-size` messages of a shard, after `--checkpoint-interval-seconds` if fewer came,
//!   at shutdown and at the end of the shard. It never passes a message that was not handled or given up.
//!
//! Without AWS, in two terminals (the first one prints the variables to `export` in the second):
//!
//! ```text
//! cargo xtask local --stream demo --shards 4
//! cargo run --example simple_producer -- --stream-name demo --count 200 --json-format
//! cargo run --example advanced_consumer -- --stream-name demo --table-name demo-app --start-strategy OLDEST
//! ```
//!
//! On AWS: `AWS_PROFILE=me AWS_REGION=eu-west-1 cargo run --example advanced_consumer -- --stream-name my-stream
//! --table-name my-app`. The lease table is made if it is missing. Ctrl-C and SIGTERM stop it in good order.
//!
//! Results go to standard output and logs to standard error (`RUST_LOG`, `--log-json`). `--help` lists the settings, which
//! may also come from `KINESIS_LEASES_TO_ACQUIRE`, `KINESIS_MAX_LEASES`, `KINESIS_START_STRATEGY` and `KINESIS_BATCH_LIMIT`.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that talks to its user")]
#![allow(clippy::disallowed_methods, clippy::disallowed_macros, reason = "the ban is for the library; a program uses tokio")]

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_config::BehaviorVersion;
use clap::Parser;
use kcl::{
    CheckpointError, Checkpointer, Consumer, KinesisClientRecord, ShardRecordProcessor, ShardRecordProcessorFactory,
    StartStrategy, error_chain,
};
use kcl_examples::checkpoints::Checkpoints;
use kcl_examples::cli::ConsumerArgs;
use kcl_examples::counters::Counters;
use kcl_examples::handlers::call_service;
use kcl_examples::messages::{Route, route};
use kcl_examples::progress::{CheckpointPolicy, Pending};
use kcl_examples::retry::RetryPolicy;
use kcl_examples::{logging, signals};
use tokio::task::AbortHandle;
use tokio::time::{interval, sleep};
use tracing::{debug, error, warn};

/// How a failing message is tried again. A shard waits for it, because its records are handled in order.
const RETRY: RetryPolicy = RetryPolicy { tries: 4, first: Duration::from_millis(100), longest: Duration::from_secs(2) };
/// How often the counters are printed.
const REPORT_PERIOD: Duration = Duration::from_secs(10);

/// Consumes JSON messages in batches, with retries and periodic checkpoints.
#[derive(Debug, Parser)]
struct Args {
    #[command(flatten)]
    consumer: ConsumerArgs,
    /// The most messages in one batch. A shard is checkpointed at the end of a batch once this many came.
    #[arg(long, value_name = "NUMBER", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    batch_size: u32,
    /// After how long to checkpoint if fewer messages came.
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3600))]
    checkpoint_interval_seconds: u64,
    /// Shards without a checkpoint begin at this moment, in Unix milliseconds; the same as
    /// `--start-strategy TIMESTAMP:<MILLIS>`.
    #[arg(long, value_name = "MILLIS", conflicts_with = "start_strategy", value_parser = clap::value_parser!(i64).range(0..))]
    start_from_timestamp: Option<i64>,
}

/// Makes a processor for each shard. All of them share the counters.
struct Factory {
    policy: CheckpointPolicy,
    counters: Arc<Counters>,
}

#[async_trait]
impl ShardRecordProcessorFactory for Factory {
    async fn initialize(&self, checkpointer: Checkpointer) -> Box<dyn ShardRecordProcessor> {
        let lease = checkpointer.lease();
        println!("shard {}: begins, last checkpoint {}", lease.shard_id, lease.start_position.as_text());
        let shard =
            Arc::new(Shard { checkpoints: Checkpoints::new(checkpointer, self.policy), counters: Arc::clone(&self.counters) });
        // Messages that came before a quiet time are checkpointed by the clock.
        let timer = tokio::spawn(Arc::clone(&shard).store_by_time()).abort_handle();
        Box::new(Processor { shard, timer })
    }
}

/// One tenure of one shard.
struct Processor {
    shard: Arc<Shard>,
    timer: AbortHandle,
}

struct Shard {
    checkpoints: Checkpoints,
    counters: Arc<Counters>,
}

#[async_trait]
impl ShardRecordProcessor for Processor {
    async fn process_records(&self, records: Vec<KinesisClientRecord>, millis_behind_latest: i64) {
        debug!(shard = self.shard.name(), records = records.len(), millis_behind_latest, "batch");
        for record in &records {
            self.shard.handle(record).await;
            self.shard.checkpoints.handled(record.extended_sequence_number());
        }
        self.shard.counters.batch();
        self.shard.report(self.shard.checkpoints.store_if_due().await);
    }

    async fn lease_lost(&self) {
        println!("shard {}: lost to another worker", self.shard.name());
    }

    async fn shard_ended(&self) {
        // Every message was handled before this is called. If it fails this is called again.
        match self.shard.checkpoints.checkpointer().end().await {
            Ok(()) => println!("shard {}: finished", self.shard.name()),
            Err(error) => self.shard.failed(&error),
        }
    }

    async fn shutdown_requested(&self) {
        self.shard.report(self.shard.checkpoints.store_all().await);
    }
}

impl Drop for Processor {
    fn drop(&mut self) {
        self.timer.abort();
    }
}

impl Shard {
    fn name(&self) -> &str {
        &self.checkpoints.checkpointer().lease().shard_id
    }

    /// Handles a message, or gives it up. In both cases it is done with when this returns.
    async fn handle(&self, record: &KinesisClientRecord) {
        let message = match route(&record.record.data) {
            Route::Event(message) => message,
            Route::Fallback(reason) => {
                debug!(shard = self.name(), position = %record.extended_sequence_number(), ?reason, "no handler");
                return self.counters.fell_back(reason);
            }
        };
        let mut failures = 0;
        while let Err(error) = call_service(&message, failures).await {
            failures += 1;
            let Some(wait) = RETRY.wait_after(failures) else {
                let position = record.extended_sequence_number();
                warn!(shard = self.name(), %position, tries = failures, error = %error_chain(&error), "message given up");
                return self.counters.gave_up();
            };
            self.counters.retried();
            sleep(wait).await;
        }
        self.counters.handled(&message.event);
    }

    /// Checks every second whether a checkpoint is due by time, until the processor is dropped.
    async fn store_by_time(self: Arc<Self>) {
        let mut ticks = interval(Duration::from_secs(1));
        loop {
            ticks.tick().await;
            self.report(self.checkpoints.store_if_due().await);
        }
    }

    /// Prints a checkpoint, or logs why there is none. What is not stored stays pending, or comes again elsewhere.
    fn report(&self, stored: Result<Option<Pending>, CheckpointError>) {
        match stored {
            Ok(None) => {}
            Ok(Some(Pending { position, messages })) => {
                self.counters.checkpointed();
                println!("shard {}: checkpoint {position} after {messages} more messages", self.name());
            }
            Err(error) => self.failed(&error),
        }
    }

    fn failed(&self, error: &CheckpointError) {
        // In these two cases the tenure is at its end, in the ordinary way.
        if matches!(error, CheckpointError::LeaseLost | CheckpointError::ShuttingDown) {
            return debug!(shard = self.name(), %error, "no more checkpoints");
        }
        self.counters.checkpoint_failed();
        error!(shard = self.name(), error = %error_chain(error), "checkpoint failed");
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    logging::init(args.consumer.settings.log_json);
    match run(args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", error_chain(&*error));
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<(), Box<dyn Error>> {
    let mut settings = args.consumer.settings.read().unwrap_or_else(|error| error.exit());
    if let Some(millis) = args.start_from_timestamp {
        settings.management.start_strategy = StartStrategy::Timestamp(millis);
    }
    let batch_size = usize::try_from(args.batch_size)?;
    let interval = Duration::from_secs(args.checkpoint_interval_seconds);
    let counters = Arc::new(Counters::default());
    let factory = Factory { policy: CheckpointPolicy { messages: batch_size, interval }, counters: Arc::clone(&counters) };

    let aws = aws_config::load_defaults(BehaviorVersion::latest()).await;
    let consumer = Consumer::builder(args.consumer.table_name, args.consumer.stream_name)
        .aws_config(&aws)
        .management(settings.management)
        .lease(settings.lease)
        .max_records_per_call(batch_size)
        .start(factory)
        .await?;
    println!("started as {}; Ctrl-C stops", consumer.worker_id());

    let stopped = tokio::select! {
        () = report_periodically(&counters) => Ok(()),
        stopped = consumer.wait() => stopped,
        asked = signals::stop_requested() => {
            asked?;
            consumer.shutdown().await
        }
    };
    println!("total: {counters}");
    Ok(stopped?)
}

/// Prints the counters for ever, when there is something new.
async fn report_periodically(counters: &Counters) {
    let mut printed = 0;
    loop {
        sleep(REPORT_PERIOD).await;
        if counters.messages() != printed {
            printed = counters.messages();
            println!("so far: {counters}");
        }
    }
}
