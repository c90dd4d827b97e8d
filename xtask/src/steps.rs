use std::time::{Duration, Instant};

use crate::failure::Failure;
use crate::{cargo, deps, example, sim, tidy};

/// One check of the gate.
pub(crate) struct Step {
    name: &'static str,
    check: fn() -> Result<(), Failure>,
}

/// The gate, the quick checks first.
const GATE: [Step; 10] = [
    Step { name: "fmt", check: || cargo::run(&["fmt", "--all", "--check"]) },
    Step { name: "tidy", check: tidy::check },
    Step { name: "deps", check: deps::check },
    Step { name: "clippy", check: || cargo::run(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]) },
    // Without any backend of ours the library still builds, for users who bring their own.
    Step { name: "features", check: || cargo::run(&["check", "--package", "kcl", "--lib", "--no-default-features"]) },
    Step { name: "test", check: || cargo::run(&["test", "--workspace"]) },
    Step { name: "sim", check: sim::gate },
    Step { name: "shuttle", check: shuttle },
    Step { name: "docs", check: || cargo::run_with(&["doc", "--workspace", "--no-deps"], "RUSTDOCFLAGS", "-D warnings") },
    Step { name: "examples", check: example::check },
];

/// Runs what threads share under the schedule explorer. Its cfg would compile everything anew: it has a folder of its own.
pub(crate) fn shuttle() -> Result<(), Failure> {
    let tests = ["test", "--package", "kcl-runtime", "--lib", "--profile", "shuttle", "--", "schedules::"];
    cargo::run_with_cfg(&tests, "kcl_shuttle", "shuttle")
}

/// The step of the gate with this name.
pub(crate) fn named(name: &str) -> Option<Step> {
    GATE.into_iter().find(|step| step.name == name)
}

/// Runs one step and says how long it took.
pub(crate) fn run(step: &Step) -> Result<(), Failure> {
    timed(step).1
}

/// Runs the gate up to the first step that fails, and ends with a line for each step.
pub(crate) fn run_all() -> Result<(), Failure> {
    let mut summary = Vec::new();
    let mut outcome = Ok(());
    for step in &GATE {
        if outcome.is_err() {
            summary.push(line(step.name, "not run", Duration::ZERO));
            continue;
        }
        let (took, checked) = timed(step);
        summary.push(line(step.name, word(&checked), took));
        outcome = checked.map_err(|failure| Failure::new(format!("{} failed: {failure}", step.name)));
    }
    println!("\n{}", summary.join("\n"));
    outcome
}

/// Formats, and lets clippy mend what it can, also in a tree that is not committed.
pub(crate) fn fix() -> Result<(), Failure> {
    cargo::run(&["clippy", "--fix", "--allow-dirty", "--allow-staged", "--workspace", "--all-targets"])?;
    cargo::run(&["fmt", "--all"])
}

fn timed(step: &Step) -> (Duration, Result<(), Failure>) {
    println!("=== {}", step.name);
    let start = Instant::now();
    let checked = (step.check)();
    let took = start.elapsed();
    println!("=== {}", line(step.name, word(&checked), took));
    (took, checked)
}

fn word(checked: &Result<(), Failure>) -> &'static str {
    if checked.is_ok() { "ok" } else { "FAILED" }
}

fn line(name: &str, outcome: &str, took: Duration) -> String {
    format!("{name:<10} {outcome:<8} {:>7.1} s", took.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gate_runs_in_the_documented_order() {
        let names: Vec<&str> = GATE.iter().map(|step| step.name).collect();
        assert_eq!(names, ["fmt", "tidy", "deps", "clippy", "features", "test", "sim", "shuttle", "docs", "examples"]);
    }

    #[test]
    fn a_step_is_found_by_its_name_only() {
        assert_eq!(named("deps").map(|step| step.name), Some("deps"));
        assert!(named("dep").is_none());
    }

    #[test]
    fn a_line_tells_step_outcome_and_time() {
        assert_eq!(line("docs", "ok", Duration::from_millis(12_340)), "docs       ok          12.3 s");
    }
}
