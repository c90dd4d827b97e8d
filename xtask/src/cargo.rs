use std::env;
use std::ffi::OsString;
use std::process::{Command, Stdio};

use crate::failure::Failure;
use crate::tree;

/// A cargo command at the root of the repository, by the cargo that started this process.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(cargo);
    // Set for this crate by the outer cargo; some build scripts would run again because of it.
    command.args(arguments).current_dir(tree::root()).stdin(Stdio::null()).env_remove("CARGO_MANIFEST_DIR");
    command
}

/// Runs cargo with its output shown.
pub(crate) fn run(arguments: &[&str]) -> Result<(), Failure> {
    finish(command(arguments), arguments)
}

/// Runs cargo with its output shown and one more environment variable.
pub(crate) fn run_with(arguments: &[&str], variable: &str, value: &str) -> Result<(), Failure> {
    let mut command = command(arguments);
    command.env(variable, value);
    finish(command, arguments)
}

/// What cargo wrote to its standard output; its standard error is shown.
pub(crate) fn output(arguments: &[&str]) -> Result<String, Failure> {
    let output = command(arguments).stderr(Stdio::inherit()).output().map_err(|error| not_started(arguments, &error))?;
    if !output.status.success() {
        return Err(ended(arguments, &output.status.to_string()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn finish(mut command: Command, arguments: &[&str]) -> Result<(), Failure> {
    let status = command.status().map_err(|error| not_started(arguments, &error))?;
    if status.success() { Ok(()) } else { Err(ended(arguments, &status.to_string())) }
}

fn not_started(arguments: &[&str], error: &std::io::Error) -> Failure {
    Failure::new(format!("cannot run `cargo {}`: {error}", arguments.join(" ")))
}

fn ended(arguments: &[&str], status: &str) -> Failure {
    Failure::new(format!("`cargo {}` failed: {status}", arguments.join(" ")))
}
