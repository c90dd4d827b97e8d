//! Every repository command: `cargo xtask VERB`.
//!
//! The gate is `cargo xtask ci`; each of its steps is a verb too. This crate has no dependency, so that the first
//! command on a new machine starts in seconds.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool talks to its user")]
#![allow(clippy::disallowed_methods, reason = "times its steps and watches a child process; no library code here")]

mod cargo;
mod deps;
mod example;
mod failure;
mod interop;
mod mutants;
mod nightly;
mod sim;
mod steps;
mod tidy;
mod tree;

use std::env;
use std::process::ExitCode;

use failure::Failure;

const USAGE: &str = "\
usage: cargo xtask VERB

  ci        the whole gate: fmt, tidy, deps, clippy, features, test, sim, shuttle, docs,
            examples
  fmt       formatting is as rustfmt.toml wants it
  tidy      file sizes, leftovers, banned calls, lint inheritance, links
  deps      the crates depend only on what they may
  clippy    lints, warnings denied
  features  the library builds without any backend
  test      unit, integration and documentation tests
  sim       the simulator: seeds of the gate, or [--seeds N] [--from S] [--base TEXT], or --seed 0x… [--log], or --mutants
  shuttle   what threads share, under a schedule explorer
  docs      the documentation builds without a warning
  examples  the examples build, and basic_consumer loses nothing in local mode

  interop   our workers beside real Java workers: [--short] [--allow-skip] [--only NAME] [--list]
  second-servers
            the conformance suites on servers that are used nowhere else: [--only NAME]
  cost      what fleets of ours and of Java workers ask of the lease table, counted: [--only NAME]
  nightly   what takes longer than the gate may: [--minutes N] of seeds, and everything else
  fix       formats, and applies what clippy can mend by itself
  local     keeps the embedded Kinesis and DynamoDB servers running; arguments are passed on
  help      this text
";

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let Some(verb) = arguments.next() else { return misuse("a verb is missing") };
    let rest: Vec<String> = arguments.collect();
    match verb.as_str() {
        "help" | "--help" | "-h" => {
            print!("{USAGE}");
            ExitCode::SUCCESS
        }
        "ci" if rest.is_empty() => answer(steps::run_all()),
        "fix" if rest.is_empty() => answer(steps::fix()),
        "interop" => answer(interop::run(&rest)),
        "cost" => answer(interop::run_as("--cost", &rest)),
        "second-servers" => answer(interop::run_as("--second-servers", &rest)),
        "local" => answer(example::local(&rest)),
        "nightly" => answer(nightly::run(&rest)),
        "sim" if !rest.is_empty() => answer(sim::run(&rest.iter().map(String::as_str).collect::<Vec<_>>())),
        name => match steps::named(name) {
            Some(step) if rest.is_empty() => answer(steps::run(&step)),
            Some(_) => misuse(&format!("this verb takes no arguments: verb={name}")),
            None if name == "ci" || name == "fix" => misuse(&format!("this verb takes no arguments: verb={name}")),
            None => misuse(&format!("unknown verb: verb={name}")),
        },
    }
}

fn answer(outcome: Result<(), Failure>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("xtask: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn misuse(why: &str) -> ExitCode {
    eprint!("xtask: {why}\n\n{USAGE}");
    ExitCode::from(2)
}
