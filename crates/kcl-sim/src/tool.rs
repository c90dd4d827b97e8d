//! The command line.

mod arguments;
mod cancel;
pub(crate) mod curve;
mod mutants;
mod one;
pub(crate) mod scale;
mod shrink;
mod spec;
mod sweep;
mod trip;

use std::process::ExitCode;

pub(crate) use arguments::{Command, USAGE, parse};

pub(crate) fn run(command: &Command) -> ExitCode {
    let clean = match command {
        Command::One { seed, log } => one::run(*seed, *log),
        Command::Cancel { all } => cancel::run(*all),
        Command::Shrink { seed, invariant } => shrink::run(*seed, invariant.as_deref()),
        Command::Mutants { only, log: true, .. } => mutants::log(*only),
        Command::Mutants { only, rates: Some(runs), .. } => mutants::rates(*only, *runs),
        Command::Mutants { only, .. } => mutants::run(*only),
        Command::Spec(size) => spec::run(*size),
        Command::Trip(forbidden) => trip::run(*forbidden),
        Command::Sweep { base, from, seeds, minutes, mixed } => sweep::run(*base, *from, *seeds, *minutes, *mixed),
    };
    if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
