//! The embedded servers as a program.
#![cfg(unix)]
#![allow(clippy::disallowed_methods, reason = "watches a process, which cannot tell when something changes")]

mod process;

use std::net::TcpListener;
use std::process::Command;

use process::{Folder, Process};

fn kcl_local() -> Command {
    Command::new(env!("CARGO_BIN_EXE_kcl-local"))
}

#[test]
fn a_port_that_is_taken_is_named() {
    let folder = Folder::of("taken");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    for (flag, other, service) in
        [("--kinesis-port", "--dynamodb-port", "Kinesis"), ("--dynamodb-port", "--kinesis-port", "DynamoDB")]
    {
        let mut command = kcl_local();
        // The reason is no matter of the log.
        command.args([flag, &port.to_string(), other, "0"]).env("RUST_LOG", "off");
        let mut process = Process::start(&mut command, &folder, service);
        assert_eq!(process.wait().code(), Some(1));
        let log = process.stderr();
        assert!(log.starts_with("error: ") && log.contains(service) && log.contains(&format!("127.0.0.1:{port}")), "{log}");
        assert_eq!(process.stdout(), "");
    }
}

#[test]
fn it_prints_where_the_servers_are_and_ends_when_it_is_told_to() {
    let folder = Folder::of("prints");
    let mut command = kcl_local();
    command.args(["--kinesis-port", "0", "--dynamodb-port", "0"]);
    let mut process = Process::start(&mut command, &folder, "kcl-local");
    process.until_it_printed("where the servers are", |out| out.lines().count() >= 5);
    let output = process.stdout();
    let names: Vec<&str> = output.lines().filter_map(|line| line.strip_prefix("export ")?.split('=').next()).collect();
    let wanted =
        ["AWS_ENDPOINT_URL_KINESIS", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"];
    assert_eq!(names, wanted);
    process.terminate();
    let status = process.wait();
    assert!(status.success(), "{status}: {}", process.stderr());
}
