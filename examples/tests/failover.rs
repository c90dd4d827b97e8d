//! One of two consumer processes is killed: the other takes its shards over, and no record is lost.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "watches processes and a table, which cannot tell when something changes")]

mod process;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aws_credential_types::Credentials;
use kcl::backend::{DynamoLeaseStore, Lease, LeaseStore as _};
use kcl_examples::producer::{Packing, Producer, UserRecord};
use process::{Folder, LOOK_EVERY, Process, example};

const STREAM: &str = "failover";
const TABLE: &str = "failover-leases";
const SHARDS: usize = 8;

type Environment = BTreeMap<String, String>;

/// The embedded servers, and the variables that lead to them.
fn start_servers(folder: &Path) -> (Process, Environment) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kcl-local"));
    command.args(["--kinesis-port", "0", "--dynamodb-port", "0", "--stream", STREAM, "--shards", &SHARDS.to_string()]);
    let servers = Process::start(&mut command, folder, "kcl-local");
    servers.until_it_printed("where the servers are", |out| out.lines().count() >= 5);
    let output = servers.stdout();
    let variables = output.lines().map(|line| line.strip_prefix("export ").unwrap().split_once('=').unwrap());
    let environment = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    (servers, environment)
}

/// A consumer process and the file in which it lists what it processed.
fn start_consumer(folder: &Path, environment: &Environment, name: &str) -> (Process, PathBuf) {
    let file = folder.join(format!("{name}.records"));
    let mut command = Command::new(example("basic_consumer"));
    command.args(["--stream-name", STREAM, "--table-name", TABLE, "--start-strategy", "OLDEST"]);
    command.args(["--worker-id", name, "--failover-time-seconds", "3", "--record-file"]).arg(&file);
    (Process::start(command.envs(environment), folder, name), file)
}

/// The numbers of the records in a file; a line that was cut off by a kill does not count.
fn processed(file: &Path) -> BTreeMap<u64, u64> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let mut times = BTreeMap::new();
    for line in whole.lines() {
        *times.entry(line.split_once('\t').unwrap().0.parse().unwrap()).or_default() += 1;
    }
    times
}

fn clients(environment: &Environment) -> (aws_sdk_kinesis::Client, DynamoLeaseStore) {
    let credentials = || Credentials::new("test", "test", None, None, "test");
    let kinesis = aws_sdk_kinesis::Config::builder()
        .behavior_version(aws_config::BehaviorVersion::latest())
        .region(aws_config::Region::from_static("us-east-1"))
        .credentials_provider(credentials())
        .endpoint_url(&environment["AWS_ENDPOINT_URL_KINESIS"]);
    let dynamodb = aws_config::SdkConfig::builder()
        .behavior_version(aws_config::BehaviorVersion::latest())
        .region(aws_config::Region::from_static("us-east-1"))
        .credentials_provider(aws_credential_types::provider::SharedCredentialsProvider::new(credentials()))
        .endpoint_url(&environment["AWS_ENDPOINT_URL_DYNAMODB"]);
    (aws_sdk_kinesis::Client::from_conf(kinesis.build()), DynamoLeaseStore::from_config(&dynamodb.build(), TABLE))
}

/// Puts numbered records until it is told to stop, and notes which ones the stream acknowledged.
async fn keep_putting(client: aws_sdk_kinesis::Client, acknowledged: Arc<Mutex<BTreeSet<u64>>>, stop: Arc<AtomicBool>) {
    let mut producer = Producer::new(client, STREAM, 400);
    for batch in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let ids = batch * 40..(batch + 1) * 40;
        let records = ids.map(|id| UserRecord::numbered(id, format!("key-{}", id / 4 % 101))).collect();
        let packing = if batch % 2 == 0 { Packing::Plain } else { Packing::Aggregated };
        let ids = producer.put(records, packing).await.unwrap();
        acknowledged.lock().unwrap().extend(ids);
    }
}

async fn leases(store: &DynamoLeaseStore) -> Vec<Lease> {
    // Until the consumers have made it there is no table.
    store.scan().await.map(|scan| scan.leases).unwrap_or_default()
}

/// How many leases each worker holds.
async fn held(store: &DynamoLeaseStore) -> BTreeMap<String, usize> {
    let mut held = BTreeMap::new();
    for owner in leases(store).await.iter().filter_map(|lease| lease.owner.as_ref()) {
        *held.entry(owner.to_string()).or_default() += 1;
    }
    held
}

/// Waits until `done` says so. Fails the test, with what `state` tells, after a time far above what it needs.
async fn until(what: &str, mut done: impl AsyncFnMut() -> bool, state: impl AsyncFn() -> String) -> Duration {
    let began = Instant::now();
    while !done().await {
        assert!(began.elapsed() < Duration::from_secs(90), "never happened: {what}\n{}", state().await);
        tokio::time::sleep(LOOK_EVERY).await;
    }
    began.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killing_one_of_two_consumers_loses_no_record() {
    let folder = Folder::of("failover");
    let (_servers, environment) = start_servers(&folder);
    let (kinesis, store) = clients(&environment);
    let (acknowledged, stop) = (Arc::default(), Arc::new(AtomicBool::new(false)));
    let putting = tokio::spawn(keep_putting(kinesis, Arc::clone(&acknowledged), Arc::clone(&stop)));

    let (mut victim, victims_file) = start_consumer(&folder, &environment, "victim");
    let (mut survivor, survivors_file) = start_consumer(&folder, &environment, "survivor");
    let logs = || {
        format!(
            "victim:\n{}\nsurvivor:\n{}",
            fs::read_to_string(folder.join("victim.log")).unwrap(),
            fs::read_to_string(folder.join("survivor.log")).unwrap()
        )
    };
    let state = async || format!("{:?}\n{}", held(&store).await, logs());

    let half = BTreeMap::from([("survivor".to_owned(), SHARDS / 2), ("victim".to_owned(), SHARDS / 2)]);
    let balanced = until("both have half of the shards", async || held(&store).await == half, &state).await;
    let both_work = async || !processed(&victims_file).is_empty() && !processed(&survivors_file).is_empty();
    until("both have processed records", both_work, &state).await;

    victim.kill();
    let all = BTreeMap::from([("survivor".to_owned(), SHARDS)]);
    let taken = until("the survivor has every shard", async || held(&store).await == all, &state).await;
    assert!(survivor.ended().is_none(), "the survivor stopped too: {}", logs());

    // Records that are put only now come from every shard as well.
    let so_far = acknowledged.lock().unwrap().len();
    until("records are put after the take-over", async || acknowledged.lock().unwrap().len() >= so_far + 400, &state).await;
    stop.store(true, Ordering::Relaxed);
    putting.await.unwrap();
    let acknowledged = acknowledged.lock().unwrap().clone();

    let missing = || {
        let (first, second) = (processed(&victims_file), processed(&survivors_file));
        acknowledged.iter().filter(|id| !first.contains_key(id) && !second.contains_key(id)).copied().collect::<Vec<_>>()
    };
    let lost = async || format!("missing: {:?}\n{}", missing(), state().await);
    let drained = until("every acknowledged record is processed", async || missing().is_empty(), lost).await;

    survivor.terminate();
    let status = survivor.wait();
    assert!(status.success(), "{status}\n{}", logs());
    let leases = leases(&store).await;
    assert_eq!(leases.len(), SHARDS);
    assert!(leases.iter().all(|lease| lease.owner.is_none()), "a stopped worker still owns leases: {leases:?}");

    let mut times = processed(&victims_file);
    for (id, count) in processed(&survivors_file) {
        *times.entry(id).or_default() += count;
    }
    let duplicates = times.values().filter(|times| **times > 1).count();
    println!(
        "{} records, 0 lost, {duplicates} duplicates; balanced after {balanced:?}, taken over after {taken:?}, drained after {drained:?}",
        acknowledged.len()
    );
}
