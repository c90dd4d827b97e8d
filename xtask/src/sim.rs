//! The simulator, with the wire that a simulation trips over if it looks at the real world.

use std::path::PathBuf;
use std::process::Command;

use crate::failure::Failure;
use crate::{cargo, mutants, tree};

/// The exit code of a process that the wire ended; see `tripwire.c`.
const TRIPPED: i32 = 86;
/// How many seeds the gate runs that are always the same ones, so that a change is judged by itself, and has to show every fault.
const SEEDS: &str = "300";
/// How many it runs besides that are new whenever the code is: too few to have to show everything.
const NEW_SEEDS: &str = "99";

/// Runs the simulator with these arguments, optimised and with every assertion.
pub(crate) fn run(arguments: &[&str]) -> Result<(), Failure> {
    if let Some(("--mutants", rest)) = arguments.split_first().map(|(first, rest)| (*first, rest)) {
        return mutants::run(rest);
    }
    let wire = wire()?;
    let all = line(arguments);
    match &wire {
        Some(wire) => cargo::run_with(&all, "LD_PRELOAD", &wire.to_string_lossy()),
        None => cargo::run(&all),
    }
}

/// The gate: the wire works, the seeds of the gate are clean, the specifications hold, no task is missed when
/// it is dropped, and the mutants that need no other build are found.
pub(crate) fn gate() -> Result<(), Failure> {
    if let Some(wire) = wire()? {
        control(&wire)?;
    }
    run(&["--seeds", SEEDS])?;
    if let Some(code) = code() {
        run(&["--seeds", NEW_SEEDS, "--base", &code])?;
    }
    run(&["--spec", "ci"])?;
    run(&["--cancel"])?;
    cargo::run(&line(&["--mutants"]))
}

/// What the code is, whatever the pages say and however it was committed; nothing outside of a clone.
fn code() -> Option<String> {
    let output = Command::new("git").args(["rev-parse", "HEAD:crates"]).current_dir(tree::root()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

pub(crate) fn line<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    let mut all = vec!["run", "--quiet", "--package", "kcl-sim", "--profile", "sim", "--"];
    all.extend(arguments);
    all
}

/// Compiles the wire, where there is one: it knows glibc only.
fn wire() -> Result<Option<PathBuf>, Failure> {
    if !cfg!(all(target_os = "linux", target_env = "gnu")) {
        return Ok(None);
    }
    let source = tree::root().join("crates/kcl-sim/tripwire.c");
    let wire = tree::root().join("target/tripwire.so");
    std::fs::create_dir_all(tree::root().join("target"))
        .map_err(|error| Failure::new(format!("cannot make the target folder: {error}")))?;
    let status = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-o"])
        .args([&wire, &source])
        .args(["-ldl", "-lpthread"])
        .status()
        .map_err(|error| Failure::new(format!("cannot run cc, which compiles the tripwire: {error}")))?;
    if status.success() { Ok(Some(wire)) } else { Err(Failure::new("the tripwire does not compile")) }
}

/// What the wire must not let pass.
fn control(wire: &std::path::Path) -> Result<(), Failure> {
    for forbidden in ["clock", "sleep", "randomness"] {
        let mut command = cargo::command(&line(&["--trip", forbidden]));
        let output = command.env("LD_PRELOAD", wire).env("TRIPWIRE_STRICT", "1").output();
        let output = output.map_err(|error| Failure::new(format!("cannot run the simulator: {error}")))?;
        if output.status.code() != Some(TRIPPED) {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(Failure::new(format!("the tripwire let something pass: forbidden={forbidden} {said}")));
        }
    }
    println!("the tripwire works");
    Ok(())
}
