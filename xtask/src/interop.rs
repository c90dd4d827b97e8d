//! Our workers beside real Java workers.

use std::process::Command;

use crate::failure::Failure;
use crate::{cargo, example};

/// Builds the driver and its worker, and runs the scenarios; arguments are passed on.
///
/// They are built together with the examples, for the reason that [`example::local`] gives.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    let build = ["build", "--workspace", "--bins", "--examples", "--message-format", "json-render-diagnostics"];
    let messages = cargo::output(&build)?;
    let program = messages
        .lines()
        .find_map(|line| example::executable(line, "bin", "kcl-interop"))
        .ok_or_else(|| Failure::new("cargo built no program named kcl-interop: is it still in crates/kcl-interop?"))?;
    let status = Command::new(&program).args(arguments).status();
    let status = status.map_err(|error| Failure::new(format!("cannot run {program}: {error}")))?;
    if status.success() { Ok(()) } else { Err(Failure::new(format!("interop failed: {status}"))) }
}

/// Runs another part of the driver, which it knows by an option.
pub(crate) fn run_as(part: &str, arguments: &[String]) -> Result<(), Failure> {
    let mut all = vec![part.to_owned()];
    all.extend_from_slice(arguments);
    run(&all)
}
