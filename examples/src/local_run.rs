//! What the local mode does around the consumer: watch it, give up on it, and sum up.

use std::time::{Duration, Instant};

use aws_config::SdkConfig;
use kcl::backend::{DynamoLeaseStore, KinesisStreamReader, LeaseStore as _};
use kcl::{Consumer, LeaseConfig, LeaseState};
use kcl_testing::FaultyStream;
use tracing::warn;

use crate::ledger::{Ledger, Report};

/// How many shards the stream of the local mode begins with.
pub const SHARDS: u32 = 4;

const LOOK_EVERY: Duration = Duration::from_millis(100);
const SAY_EVERY: Duration = Duration::from_secs(1);
/// How long nothing may happen before the local mode gives up.
const PATIENCE: Duration = Duration::from_secs(60);
/// The same for the self-test, once everything is put: every other record has long arrived.
const PATIENCE_FOR_THE_DROPPED: Duration = Duration::from_secs(10);

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A stream from which one record is missing, for the self-test.
///
/// # Errors
/// If the stream cannot be read with this configuration.
pub fn without_one_record(aws: &SdkConfig, stream: &str, lease: &LeaseConfig) -> Result<FaultyStream, BoxError> {
    let LeaseConfig::PollingConfig { limit } = lease else { return Err("the self-test only knows polling".into()) };
    let stream = FaultyStream::new(KinesisStreamReader::from_config(aws, stream, *limit)?);
    stream.lose_record(10);
    Ok(stream)
}

/// Waits until everything is `produced` and every acknowledged record was seen, or until nothing has happened for too long.
/// Says each second how far it is.
#[allow(clippy::print_stdout, reason = "progress is for whoever tries the library out")]
pub async fn everything_seen(consumers: &[Consumer], ledger: &Ledger, self_test: bool, produced: impl Fn() -> bool) {
    let (mut before, mut changed, mut said) = (ledger.report(), Instant::now(), Instant::now());
    loop {
        // In this order: what is acknowledged afterwards is part of the report.
        let produced = produced();
        let now = ledger.report();
        if said.elapsed() >= SAY_EVERY {
            said = Instant::now();
            println!("{}", progress(&now, consumers));
        }
        if produced && now.lost == 0 {
            return;
        }
        if now != before {
            (before, changed) = (now, Instant::now());
        }
        let patience = if self_test && produced { PATIENCE_FOR_THE_DROPPED } else { PATIENCE };
        if changed.elapsed() >= patience {
            warn!(seconds = patience.as_secs(), missing = ?ledger.missing(10), "nothing has happened for too long");
            return;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn progress(report: &Report, consumers: &[Consumer]) -> String {
    let leases: Vec<_> = consumers.iter().flat_map(|consumer| consumer.status().leases).collect();
    let read = leases.iter().filter(|lease| lease.state == LeaseState::Processing);
    let lag = read.filter_map(|lease| lease.millis_behind_latest).max().unwrap_or(0);
    let Report { acknowledged, consumed, .. } = report;
    format!("acknowledged {acknowledged}, consumed {consumed}, leases held {}, lag {lag} ms", leases.len())
}

/// Says what the consumers left behind.
///
/// # Errors
/// If the lease table or the list of shards cannot be read.
#[allow(clippy::print_stdout, reason = "the summary is for whoever tries the library out")]
pub async fn summarize(report: &Report, aws: &SdkConfig, stream: &str, table: &str) -> Result<(), BoxError> {
    // The traffic splits a shard on its way, unless it was stopped before.
    let listed = aws_sdk_kinesis::Client::new(aws).list_shards().stream_name(stream).send().await?;
    let split =
        if listed.shards().iter().any(|shard| shard.parent_shard_id().is_some()) { " and one was split in two" } else { "" };
    let leases = DynamoLeaseStore::from_config(aws, table).scan().await?.leases;
    let finished = leases.iter().filter(|lease| lease.checkpoint.is_shard_end()).count();
    let held = leases.iter().filter(|lease| lease.owner.is_some()).count();
    let Report { acknowledged, duplicates, deliveries, aggregated, shards, .. } = report;
    println!("shards:     {shards} delivered records; the stream began with {SHARDS}{split}");
    println!("leases:     {} in the table, {finished} of finished shards, {held} still held", leases.len());
    println!("records:    {acknowledged} acknowledged, {deliveries} deliveries, {aggregated} of them out of aggregates");
    println!("duplicates: {duplicates} records delivered more than once");
    Ok(())
}
