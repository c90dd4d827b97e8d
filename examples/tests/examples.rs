//! The examples other than the first one, as processes: what they print, and how they end.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "watches processes, which cannot tell when something changes")]

mod process;

use std::process::Command;

use kcl_examples::local::{CREDENTIAL, LocalAws, REGION};
use process::{Folder, Process, example};

const STREAM: &str = "demo";

/// An example that finds these servers where it would find AWS.
fn command(servers: &LocalAws, name: &str, arguments: &str) -> Command {
    let mut command = Command::new(example(name));
    command.args(arguments.split_whitespace());
    command.env("AWS_ENDPOINT_URL_KINESIS", &servers.kinesis_url).env("AWS_ENDPOINT_URL_DYNAMODB", &servers.dynamodb_url);
    command.env("AWS_ACCESS_KEY_ID", CREDENTIAL).env("AWS_SECRET_ACCESS_KEY", CREDENTIAL).env("AWS_REGION", REGION);
    command
}

/// How a program ended.
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// Runs it to its end.
fn run(command: &mut Command, test: &str) -> Ended {
    let folder = Folder::of(test);
    let mut process = Process::start(command, &folder, test);
    let code = process.wait().code();
    Ended { code, stdout: process.stdout(), stderr: process.stderr() }
}

/// Servers with a stream of four shards on which the producer has put `count` records.
async fn servers_with_records(count: u64, options: &str, test: &str) -> LocalAws {
    let servers = LocalAws::start(0, 0).unwrap();
    servers.create_stream(STREAM, 4).await.unwrap();
    let arguments = format!("--stream-name {STREAM} --count {count} {options}");
    let put = run(&mut command(&servers, "simple_producer", &arguments), test);
    assert_eq!(put.code, Some(0), "{}\n{}", put.stdout, put.stderr);
    assert!(put.stdout.contains(&format!("put {count} of {count} records in ")), "{}", put.stdout);
    servers
}

#[test]
fn every_configuration_is_valid_except_the_mistaken_one() {
    let ended = run(&mut Command::new(example("config_examples")), "config");
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.stdout, ended.stderr);
    assert_eq!(ended.stdout.lines().filter(|line| *line == "  valid").count(), 6, "{}", ended.stdout);
    let mistakes: Vec<&str> = ended.stdout.lines().filter(|line| line.contains("not valid")).collect();
    assert!(matches!(mistakes[..], [only] if only.contains("limit") && only.contains("20000")), "{mistakes:?}");
}

#[test]
fn a_variable_that_is_not_accepted_is_named() {
    let ended = run(Command::new(example("config_examples")).env("KINESIS_START_STRATEGY", "NEWEST"), "variable");
    assert_eq!(ended.code, Some(1), "{}\n{}", ended.stdout, ended.stderr);
    for part in ["KINESIS_START_STRATEGY", "NEWEST", "OLDEST"] {
        assert!(ended.stderr.contains(part), "{part} in {}", ended.stderr);
    }
}

#[tokio::test]
async fn what_the_producer_aggregates_the_advanced_consumer_counts() {
    let servers = servers_with_records(200, "--json-format --aggregate", "aggregate").await;
    let folder = Folder::of("advanced");
    let arguments = format!("--stream-name {STREAM} --table-name advanced --start-strategy OLDEST");
    let mut consumer = Process::start(&mut command(&servers, "advanced_consumer", &arguments), &folder, "advanced");
    consumer.until_it_printed("200 messages", |out| out.contains("so far: 200 messages"));
    consumer.interrupt();
    let status = consumer.wait();
    let (out, log) = (consumer.stdout(), consumer.stderr());
    assert!(status.success(), "{status}\n{out}\n{log}");
    // Of a hundred samples three fail once, and one four times, after which it is given up.
    let total = "total: 200 messages: 66 user_action, 66 system_event, 66 error_event, 0 not JSON, 0 other JSON, 2 given up; \
                 12 retries, ";
    let last = out.lines().last().unwrap_or_default();
    assert!(last.starts_with(total) && last.ends_with(" 0 failed checkpoints"), "{out}\n{log}");
}

/// The number behind `name=` in a line.
fn number(line: &str, name: &str) -> Option<u64> {
    line.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
}

#[tokio::test]
async fn two_workers_consume_everything_and_stop_when_their_time_is_up() {
    let servers = servers_with_records(100, "", "plain").await;
    let options = "--table-name team --start-strategy OLDEST --workers 2 --run-duration-seconds 8";
    let ended = run(&mut command(&servers, "multi_worker", &format!("--stream-name {STREAM} {options}")), "team");
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.stdout, ended.stderr);
    let total = ended.stdout.lines().find(|line| line.starts_with("total: ")).unwrap_or_default();
    // A record may come again when a shard moves; without those, each was there once.
    let different = number(total, "records").zip(number(total, "again")).map(|(records, again)| records - again);
    assert_eq!(different, Some(100), "{}\n{}", ended.stdout, ended.stderr);
    let workers: Vec<&str> = ended.stdout.lines().filter_map(|line| line.strip_suffix(": stopped")).collect();
    assert!(workers.len() == 2 && workers[0] != workers[1], "{}", ended.stdout);
}

#[tokio::test]
async fn the_producer_says_what_to_do_about_a_missing_stream() {
    let servers = LocalAws::start(0, 0).unwrap();
    let ended = run(&mut command(&servers, "simple_producer", "--stream-name nowhere --count 1"), "missing");
    assert_eq!(ended.code, Some(1), "{}\n{}", ended.stdout, ended.stderr);
    for part in ["error: the stream does not exist", "cargo xtask local --stream nowhere", "region=us-east-1"] {
        assert!(ended.stderr.contains(part), "{part} in {}", ended.stderr);
    }
}

#[test]
fn the_producer_refuses_an_empty_name() {
    let ended = run(Command::new(example("simple_producer")).args(["--count", "1", "--stream-name", ""]), "empty");
    assert_eq!(ended.code, Some(2), "{}\n{}", ended.stdout, ended.stderr);
    assert!(ended.stderr.contains("the stream's name is empty"), "{}", ended.stderr);
}

#[tokio::test]
async fn without_a_log_the_basic_consumer_still_says_why_it_ends() {
    let servers = LocalAws::start(0, 0).unwrap();
    let mut command = command(&servers, "basic_consumer", "--stream-name nowhere --table-name leases");
    let ended = run(command.env("RUST_LOG", "off"), "quiet");
    assert_eq!(ended.code, Some(1), "{}\n{}", ended.stdout, ended.stderr);
    assert!(ended.stderr.starts_with("error: ") && ended.stderr.contains("nowhere"), "{}", ended.stderr);
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
}

#[tokio::test]
async fn a_record_file_that_cannot_be_opened_is_named() {
    let servers = LocalAws::start(0, 0).unwrap();
    let arguments = "--stream-name nowhere --table-name leases --record-file /no/such/folder/records";
    let ended = run(&mut command(&servers, "basic_consumer", arguments), "record_file");
    assert_eq!(ended.code, Some(1), "{}\n{}", ended.stdout, ended.stderr);
    assert!(ended.stderr.contains("path=/no/such/folder/records"), "{}", ended.stderr);
}
