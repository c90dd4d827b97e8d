//! The examples: that they build, and that the first one a new user runs does what it promises.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::failure::Failure;
use crate::{cargo, tree};

const RECORDS: u32 = 500;
/// Far above what it needs; only a consumer that hangs takes this long.
const DEADLINE: Duration = Duration::from_secs(300);

/// Builds the examples, runs `basic_consumer` in local mode and checks its last line.
pub(crate) fn check() -> Result<(), Failure> {
    let messages = cargo::output(&["build", "--workspace", "--examples", "--message-format", "json-render-diagnostics"])?;
    let program = messages.lines().find_map(|line| executable(line, "example", "basic_consumer")).ok_or_else(|| {
        Failure::new("cargo built no example named basic_consumer: is it still declared in examples/Cargo.toml?")
    })?;
    let count = RECORDS.to_string();
    println!("basic_consumer --local --count {count}");
    let mut command = Command::new(&program);
    command.args(["--local", "--count", &count]).current_dir(tree::root()).stdin(Stdio::null());
    verify(&last_line(command)?)
}

/// Runs the embedded servers until they are stopped. On Unix it returns only if they cannot be started.
///
/// They are built together with the examples: alone, `cargo run` would choose other features of shared dependencies and
/// compile the AWS crates once more.
pub(crate) fn local(arguments: &[String]) -> Result<(), Failure> {
    let build = ["build", "--workspace", "--bin", "kcl-local", "--examples", "--message-format", "json-render-diagnostics"];
    let messages = cargo::output(&build)?;
    let program = messages
        .lines()
        .find_map(|line| executable(line, "bin", "kcl-local"))
        .ok_or_else(|| Failure::new("cargo built no program named kcl-local: is it still declared in examples/Cargo.toml?"))?;
    run_in_place(Command::new(&program).args(arguments))
}

/// Runs the servers in place of this process, so that a signal to it reaches them.
#[cfg(unix)]
fn run_in_place(servers: &mut Command) -> Result<(), Failure> {
    use std::os::unix::process::CommandExt as _;

    let error = servers.exec();
    Err(cannot_run(&error))
}

/// Runs the servers below this process and waits for them: a process cannot be replaced here.
#[cfg(not(unix))]
fn run_in_place(servers: &mut Command) -> Result<(), Failure> {
    let status = servers.status().map_err(|error| cannot_run(&error))?;
    if status.success() { Ok(()) } else { Err(Failure::new(format!("the servers failed: {status}"))) }
}

fn cannot_run(error: &std::io::Error) -> Failure {
    Failure::new(format!("cannot run the servers: {error}"))
}

/// The path of the `kind` of program (`example`, `bin`) `name`, if this line of cargo's JSON messages reports it as built.
pub(crate) fn executable(message: &str, kind: &str, name: &str) -> Option<String> {
    if !message.contains(&format!("\"kind\":[\"{kind}\"]")) || !message.contains(&format!("\"name\":\"{name}\"")) {
        return None;
    }
    let (_, rest) = message.split_once("\"executable\":\"")?;
    let (path, _) = rest.split_once('"')?;
    Some(path.replace("\\\\", "\\"))
}

/// Shows the output of a program and yields the last line of it that is not empty.
fn last_line(mut command: Command) -> Result<String, Failure> {
    let mut child =
        command.stdout(Stdio::piped()).spawn().map_err(|error| Failure::new(format!("cannot run the example: {error}")))?;
    let output = child.stdout.take();
    let reader = thread::spawn(move || output.map(echo).unwrap_or_default());
    let ended = wait(&mut child);
    let last = reader.join().unwrap_or_default();
    ended.map(|()| last)
}

fn echo(output: impl Read) -> String {
    let mut last = String::new();
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        println!("{line}");
        if !line.trim().is_empty() {
            last = line;
        }
    }
    last
}

fn wait(child: &mut Child) -> Result<(), Failure> {
    let start = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => return Err(Failure::new(format!("the example failed: {status}"))),
            Ok(None) if start.elapsed() < DEADLINE => thread::sleep(Duration::from_millis(50)),
            Ok(None) => {
                let stopped = child.kill().and_then(|()| child.wait());
                let seconds = DEADLINE.as_secs();
                return Err(Failure::new(format!("the example did not end: limit={seconds}s stopped={}", stopped.is_ok())));
            }
            Err(error) => return Err(Failure::new(format!("cannot wait for the example: {error}"))),
        }
    }
}

/// Whether a line says that every record was consumed, from at least one shard.
fn verify(line: &str) -> Result<(), Failure> {
    let promised = format!("consumed {RECORDS} of {RECORDS} records from S shards: 0 lost, D duplicates");
    let mut numbers = Vec::new();
    let words: Vec<&str> = line.split_whitespace().collect();
    let fits = words.len() == promised.split_whitespace().count()
        && promised.split_whitespace().zip(&words).all(|(wanted, &found)| match wanted {
            "S" | "D" => found.parse::<u64>().map(|number| numbers.push(number)).is_ok(),
            _ => wanted == found,
        });
    if fits && numbers.first().is_some_and(|&shards| shards > 0) {
        return Ok(());
    }
    Err(Failure::new(format!("the example's last line is not `{promised}`: line={line:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complete_run_passes() {
        assert!(verify("consumed 500 of 500 records from 4 shards: 0 lost, 0 duplicates").is_ok());
        assert!(verify("consumed 500 of 500 records from 12 shards: 0 lost, 37 duplicates").is_ok());
    }

    #[test]
    fn loss_and_other_lines_fail() {
        for line in [
            "",
            "consumed 499 of 500 records from 4 shards: 1 lost, 0 duplicates",
            "consumed 500 of 500 records from 0 shards: 0 lost, 0 duplicates",
            "consumed 500 of 500 records from four shards: 0 lost, 0 duplicates",
            "consumed 500 of 500 records from 4 shards: 0 lost, 0 duplicates and more",
            "consumed 1 of 1 records from 4 shards: 0 lost, 0 duplicates",
        ] {
            assert!(verify(line).is_err(), "{line}");
        }
    }

    #[test]
    fn the_last_line_that_says_something_counts() {
        assert_eq!(echo("one\ntwo\n\n".as_bytes()), "two");
        assert_eq!(echo("".as_bytes()), "");
    }

    #[test]
    fn only_the_built_example_is_found_in_the_messages() {
        let built = r#"{"reason":"compiler-artifact","target":{"kind":["example"],"name":"basic_consumer"},"executable":"/t/basic_consumer"}"#;
        assert_eq!(executable(built, "example", "basic_consumer").as_deref(), Some("/t/basic_consumer"));
        assert_eq!(executable(built, "example", "basic"), None);
        let library = r#"{"reason":"compiler-artifact","target":{"kind":["lib"],"name":"basic_consumer"},"executable":null}"#;
        assert_eq!(executable(library, "example", "basic_consumer"), None);
    }
}
