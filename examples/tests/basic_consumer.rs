//! The first example a new user runs does what it says at its head, and notices when it does not.
#![allow(clippy::disallowed_methods, reason = "watches processes, which cannot tell when something changes")]

mod process;

use std::process::{Command, ExitStatus};

use process::{Folder, Process, example};

struct Ended {
    status: ExitStatus,
    stdout: String,
    stderr: String,
}

impl Ended {
    fn last_line(&self) -> &str {
        self.stdout.lines().last().unwrap_or_default()
    }
}

fn run(test: &str, arguments: &[&str]) -> Ended {
    let folder = Folder::of(test);
    let mut process = Process::start(Command::new(example("basic_consumer")).args(arguments), &folder, test);
    let status = process.wait();
    Ended { status, stdout: process.stdout(), stderr: process.stderr() }
}

/// The number of duplicates in the last line, if it says that 300 records were consumed from 4 to 6 shards without loss.
fn duplicates(line: &str) -> Option<u64> {
    let rest = line.strip_prefix("consumed 300 of 300 records from ")?;
    let (shards, rest) = rest.split_once(" shards: 0 lost, ")?;
    let shards: u64 = shards.parse().ok()?;
    let duplicates = rest.strip_suffix(" duplicates")?.parse().ok()?;
    (4..=6).contains(&shards).then_some(duplicates)
}

#[test]
fn one_consumer_gets_every_record_once_across_a_split() {
    let ended = run("one_consumer", &["--local", "--count", "300"]);
    assert!(ended.status.success(), "{}\n{}", ended.stdout, ended.stderr);
    assert_eq!(duplicates(ended.last_line()), Some(0), "{}\n{}", ended.stdout, ended.stderr);
    assert!(ended.stdout.contains("1 of finished shards, 0 still held"), "{}", ended.stdout);
}

#[test]
fn competing_consumers_lose_nothing() {
    let ended = run("competing", &["--local", "--count", "300", "--workers", "3"]);
    assert!(ended.status.success(), "{}\n{}", ended.stdout, ended.stderr);
    assert!(duplicates(ended.last_line()).is_some(), "{}\n{}", ended.stdout, ended.stderr);
    assert!(ended.stdout.contains(" 0 still held"), "{}", ended.stdout);
}

#[test]
fn a_record_that_goes_missing_is_reported_and_fails_the_run() {
    let ended = run("drop_one", &["--local", "--count", "300", "--drop-one"]);
    assert_eq!(ended.status.code(), Some(1), "{}\n{}", ended.stdout, ended.stderr);
    let words: Vec<&str> = ended.last_line().split(' ').collect();
    let ["consumed", consumed, "of", "300", "records", "from", _, "shards:", lost, "lost,", _, "duplicates"] = words[..] else {
        panic!("{}\n{}", ended.stdout, ended.stderr);
    };
    let (consumed, lost): (u64, u64) = (consumed.parse().unwrap(), lost.parse().unwrap());
    assert!(lost >= 1, "{}", ended.stdout);
    assert_eq!(consumed + lost, 300);
}

#[test]
fn a_setting_that_is_not_accepted_is_named() {
    let ended = run("flag", &["--local", "--start-strategy", "NEWEST"]);
    assert_eq!(ended.status.code(), Some(2));
    assert!(ended.stderr.contains("--start-strategy") && ended.stderr.contains("TIMESTAMP:"), "{}", ended.stderr);
    assert_eq!(ended.stdout, "");
}
