//! Runs seeds of the swarm: `cargo xtask sim [--seeds N] [--from S]`, or one of them: `cargo xtask sim --seed 0x… [--log]`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool talks to its user")]

use std::process::ExitCode;

use kcl_sim::scenario::swarm;
use kcl_sim::scenario::{REGRESSIONS, seed_of};
use kcl_sim::spec::{Size, search_all};
use kcl_sim::world::Mutant;

/// What the command line asks for.
struct Arguments {
    seed: Option<u64>,
    log: bool,
    seeds: u64,
    from: u64,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [first, rest @ ..] = words.as_slice()
        && first == "spec"
    {
        return specifications(rest);
    }
    match parse(words.into_iter()) {
        Some(Arguments { seed: Some(seed), log, .. }) => one(seed, log),
        Some(arguments) => many(&arguments),
        None => {
            eprintln!("usage: [--seeds N] [--from S] | --seed 0x… [--log] | spec [ci|nightly]");
            ExitCode::from(2)
        }
    }
}

/// Searches every specification.
fn specifications(words: &[String]) -> ExitCode {
    let size = match words.first().map(String::as_str) {
        None | Some("ci") => Size::Ci,
        Some("nightly") => Size::Nightly,
        Some(_) => Size::Small,
    };
    if search_all(size, |line| println!("{line}")) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn parse(mut words: impl Iterator<Item = String>) -> Option<Arguments> {
    let mut arguments = Arguments { seed: None, log: false, seeds: 100, from: 0 };
    while let Some(word) = words.next() {
        match word.as_str() {
            "--log" => arguments.log = true,
            "--seed" => arguments.seed = Some(number(&words.next()?)?),
            "--seeds" => arguments.seeds = number(&words.next()?)?,
            "--from" => arguments.from = number(&words.next()?)?,
            _ => return None,
        }
    }
    Some(arguments)
}

fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

fn one(seed: u64, log: bool) -> ExitCode {
    let report = swarm::run(seed, Mutant::Sound);
    if log {
        report.entries.iter().for_each(|entry| println!("{entry}"));
    }
    println!("{report}");
    if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The seeds that once found a bug, then as many as were asked for.
fn many(arguments: &Arguments) -> ExitCode {
    let fresh = arguments.from..arguments.from.saturating_add(arguments.seeds);
    let (mut run, mut failed, mut simulated) = (0_u64, 0_u64, 0.0);
    for index in REGRESSIONS.into_iter().chain(fresh) {
        let report = swarm::run(seed_of(index), Mutant::Sound);
        run += 1;
        simulated += report.simulated.as_secs_f64();
        if !report.is_clean() {
            failed += 1;
            println!("{report}");
        }
    }
    println!("{run} seeds, {:.1} simulated hours, {failed} failed", simulated / 3600.0);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
