//! What takes longer than the gate may: more seeds, larger searches, every poll, every known bug, another environment.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::failure::Failure;
use crate::{cargo, sim, steps};

/// How long seeds run if nothing else is asked for.
const MINUTES: &str = "25";
/// How many seeds run in two processes.
const COMPARED: &str = "40";

type Check = Box<dyn Fn() -> Result<(), Failure>>;

/// Runs everything, with seeds for so many minutes, and says at the end what failed.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    let minutes = match arguments {
        [] => MINUTES.to_owned(),
        [option, minutes] if option == "--minutes" && minutes.parse::<u64>().is_ok() => minutes.clone(),
        _ => return Err(Failure::new("usage: cargo xtask nightly [--minutes N]".to_owned())),
    };
    let base = today()?;
    let checks: [(&str, Check); 7] = [
        ("seeds", Box::new(move || sim::run(&["--minutes", &minutes, "--base", &base]))),
        ("two processes", Box::new(two_processes)),
        ("specifications", Box::new(|| sim::run(&["--spec", "nightly"]))),
        ("every poll", Box::new(|| sim::run(&["--cancel", "--all"]))),
        ("known bugs", Box::new(|| sim::run(&["--mutants"]))),
        ("shuttle", Box::new(steps::shuttle)),
        ("a large fleet", Box::new(|| sim::run(&["scale"]))),
    ];
    let mut failed = Vec::new();
    for (name, check) in &checks {
        println!("\n=== {name}");
        let (started, outcome) = (Instant::now(), check());
        let took = Duration::from_secs(started.elapsed().as_secs());
        println!("=== {name}: {} in {took:?}", if outcome.is_ok() { "ok" } else { "FAILED" });
        if let Err(failure) = outcome {
            println!("{failure}");
            failed.push(*name);
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(Failure::new(format!("failed: {}", failed.join(", ")))) }
}

/// Another night, other seeds.
fn today() -> Result<String, Failure> {
    let output = Command::new("date").arg("+%F").output().map_err(|error| Failure::new(format!("cannot run date: {error}")))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The same seeds in two processes with different environments: every trace has to be the same.
fn two_processes() -> Result<(), Failure> {
    let line = sim::line(&["--seeds", COMPARED, "--base", "two processes"]);
    let traces = |variables: &[(&str, &str)]| {
        let output = cargo::command(&line).envs(variables.iter().copied()).output();
        let output = output.map_err(|error| Failure::new(format!("cannot run the simulator: {error}")))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let traces = text.lines().find_map(|line| line.split_once("traces ").map(|(_, traces)| traces.to_owned()));
        traces.ok_or_else(|| Failure::new(format!("no traces in the output: {text}")))
    };
    let (one, other) =
        (traces(&[])?, traces(&[("TZ", "Asia/Tokyo"), ("LANG", "tr_TR.UTF-8"), ("HOME", "/nonexistent"), ("A", "b")])?);
    if one == other { Ok(()) } else { Err(Failure::new(format!("two processes, two traces: {one} and {other}"))) }
}
