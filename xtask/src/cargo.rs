use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
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

/// Runs cargo with its output shown, everything compiled with one more `--cfg`, and into a folder below the usual one, so
/// that the usual one stays as it is.
pub(crate) fn run_with_cfg(arguments: &[&str], cfg: &str, folder: &str) -> Result<(), Failure> {
    let mut command = command(arguments);
    let flags = with_cfg(env::var("CARGO_ENCODED_RUSTFLAGS").ok(), env::var("RUSTFLAGS").ok(), cfg);
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| tree::root().join("target"), PathBuf::from);
    command.env("CARGO_ENCODED_RUSTFLAGS", flags).env("CARGO_TARGET_DIR", target.join(folder));
    finish(command, arguments)
}

/// The flags of the environment, the encoded ones first as cargo does it, and the cfg. A flag of the environment is the
/// only kind that no configuration file overrides: without it there would be nothing to run, and all would seem well.
fn with_cfg(encoded: Option<String>, plain: Option<String>, cfg: &str) -> String {
    let given = encoded.unwrap_or_else(|| plain.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join("\u{1f}"));
    let flags = [given.as_str(), "--cfg", cfg];
    flags.into_iter().filter(|flag| !flag.is_empty()).collect::<Vec<_>>().join("\u{1f}")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_of_the_environment_are_kept() {
        assert_eq!(with_cfg(None, None, "x"), "--cfg\u{1f}x");
        assert_eq!(with_cfg(None, Some("-C  debuginfo=0".to_owned()), "x"), "-C\u{1f}debuginfo=0\u{1f}--cfg\u{1f}x");
        assert_eq!(with_cfg(Some("-O".to_owned()), Some("-g".to_owned()), "x"), "-O\u{1f}--cfg\u{1f}x");
    }
}
