//! The command line.

mod arguments;
mod cancel;
mod one;
mod shrink;
mod sweep;

use std::process::ExitCode;

pub(crate) use arguments::{Command, USAGE, parse};

pub(crate) fn run(command: &Command) -> ExitCode {
    let clean = match command {
        Command::One { seed, log } => one::run(*seed, *log),
        Command::Cancel { all } => cancel::run(*all),
        Command::Shrink { seed, invariant } => shrink::run(*seed, invariant.as_deref()),
        Command::Sweep { base, from, seeds, minutes } => sweep::run(*base, *from, *seeds, *minutes),
    };
    if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
