//! Puts records on a stream, for the consumers to consume: text, JSON, or aggregated as the Kinesis Producer Library does.
//!
//! The records are of the three kinds that `advanced_consumer` knows (`user_action`, `system_event`, `error_event`), and a
//! few of the JSON ones make its handlers fail, so that its retries can be seen. They go out in PutRecords requests, at most
//! as fast as the stream's shards accept them; what the service refuses is sent again with back-off.
//!
//! Without AWS, in two terminals (the first one prints the variables to `export` in the second):
//!
//! ```text
//! cargo xtask local --stream demo --shards 4
//! cargo run --example simple_producer -- --stream-name demo --count 200 --json-format --aggregate
//! ```
//!
//! On AWS: `AWS_PROFILE=me AWS_REGION=eu-west-1 cargo run --example simple_producer -- --stream-name my-stream --count 200`.
//! It creates nothing: the stream must be there. Ctrl-C stops it after the request that is under way.
//!
//! Progress and the final count go to standard output, logs to standard error (`RUST_LOG`, `--log-json`).

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that talks to its user")]
#![allow(clippy::disallowed_methods, clippy::disallowed_macros, reason = "the ban is for the library; a program uses tokio")]

use std::error::Error;
use std::pin::pin;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::operation::describe_stream_summary::DescribeStreamSummaryError;
use aws_sdk_kinesis::types::StreamStatus;
use clap::Parser;
use kcl::error_chain;
use kcl_examples::messages::Message;
use kcl_examples::producer::{Packing, Producer, UserRecord};
use kcl_examples::{logging, signals};
use tokio::time::sleep_until;

/// What one shard accepts a second (AWS documentation, Quotas and limits).
const RECORDS_PER_SHARD_SECOND: u32 = 1000;
/// With an interval, records that are due are sent together this often, so that a short interval costs few requests.
const REQUEST_PERIOD_MILLIS: u64 = 200;
/// The most records handed over at once.
const BATCH: u64 = 500;
/// How often progress is printed.
const PROGRESS_PERIOD: Duration = Duration::from_secs(2);

/// Puts records on an existing stream.
#[derive(Debug, Parser)]
struct Args {
    /// The stream. It must exist.
    #[arg(long, value_name = "NAME", value_parser = stream_name)]
    stream_name: String,
    /// How many records to put.
    #[arg(long, value_name = "NUMBER")]
    count: u64,
    /// JSON messages instead of plain text.
    #[arg(long)]
    json_format: bool,
    /// The time between two records, on average. 0: as fast as the stream accepts them.
    #[arg(long, value_name = "MILLIS", default_value_t = 0)]
    interval_ms: u64,
    /// Pack records of one partition key into one record of the stream, in the format of the Kinesis Producer Library.
    #[arg(long)]
    aggregate: bool,
    /// Log one JSON object a line.
    #[arg(long)]
    log_json: bool,
}

/// An empty name is what a shell makes of a variable that is not set; the service's answer to it helps nobody.
fn stream_name(name: &str) -> Result<String, &'static str> {
    if name.trim().is_empty() {
        Err("the stream's name is empty; give the name of a stream that exists")
    } else {
        Ok(name.to_owned())
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    logging::init(args.log_json);
    match run(&args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", error_chain(&*error));
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let aws = aws_config::load_defaults(BehaviorVersion::latest()).await;
    let client = Client::new(&aws);
    let shards = open_shards(&client, &args.stream_name, &aws).await?;
    println!("stream {}: {shards} open shards", args.stream_name);
    let mut producer = Producer::new(client, args.stream_name.as_str(), shards.saturating_mul(RECORDS_PER_SHARD_SECOND));

    let packing = if args.aggregate { Packing::Aggregated } else { Packing::Plain };
    let mut stop = pin!(signals::stop_requested());
    let begun = Instant::now();
    let (mut sent, mut acknowledged, mut printed) = (0, 0, begun);
    while sent < args.count {
        let (batch, due) = next_batch(args, sent);
        tokio::select! {
            asked = &mut stop => {
                asked?;
                break;
            }
            () = sleep_until((begun + due).into()) => {}
        }
        let records = (sent..sent + batch).map(|number| record(number, args.json_format)).collect::<Result<_, _>>()?;
        sent += batch;
        match producer.put(records, packing).await {
            Ok(ids) => acknowledged += ids.len(),
            Err(error) => {
                println!("put {} of {} records", acknowledged + error.acknowledged.len(), args.count);
                return Err(error.into());
            }
        }
        if printed.elapsed() >= PROGRESS_PERIOD {
            printed = Instant::now();
            println!("put {acknowledged} of {} records so far", args.count);
        }
    }
    println!("put {acknowledged} of {} records in {:.1} s", args.count, begun.elapsed().as_secs_f64());
    Ok(())
}

/// How many records go out next, and when, counted from the beginning: when the last of them is due.
fn next_batch(args: &Args, sent: u64) -> (u64, Duration) {
    let interval = Duration::from_millis(args.interval_ms);
    let wanted = REQUEST_PERIOD_MILLIS.checked_div(args.interval_ms).unwrap_or(BATCH);
    let batch = wanted.clamp(1, BATCH).min(args.count - sent);
    (batch, interval.saturating_mul(u32::try_from(sent + batch - 1).unwrap_or(u32::MAX)))
}

fn record(number: u64, json: bool) -> Result<UserRecord, serde_json::Error> {
    let message = Message::sample(number);
    let data = if json { serde_json::to_vec(&message)? } else { message.event.to_string().into_bytes() };
    Ok(UserRecord { id: number, partition_key: message.subject().to_owned(), data: data.into() })
}

/// How many shards take records.
async fn open_shards(client: &Client, stream: &str, aws: &SdkConfig) -> Result<u32, Box<dyn Error>> {
    let place = format!("stream={stream} region={}", aws.region().map_or("none", |region| region.as_ref()));
    let answer = client.describe_stream_summary().stream_name(stream).send().await.map_err(|error| {
        let missing = error.as_service_error().is_some_and(DescribeStreamSummaryError::is_resource_not_found_exception);
        if missing {
            format!(
                "the stream does not exist, and this creates none: check name, region and account, or create it \
                 (`aws kinesis create-stream`; without AWS `cargo xtask local --stream {stream}`): {place}"
            )
        } else {
            format!(
                "the stream cannot be described: check endpoint, region, credentials and network: {place}: {}",
                error_chain(&error)
            )
        }
    })?;
    let summary = answer.stream_description_summary.ok_or("the service does not describe the stream")?;
    match summary.stream_status {
        StreamStatus::Active | StreamStatus::Updating => Ok(u32::try_from(summary.open_shard_count)?.max(1)),
        status => Err(format!("the stream does not take records now, try again later: {place} status={status}").into()),
    }
}
