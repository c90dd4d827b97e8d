//! Runs this library's workers beside real Java workers. `cargo xtask interop` builds and starts it.

#![allow(clippy::print_stderr, reason = "a program that talks to its user")]

use std::process::ExitCode;

use clap::Parser as _;
use kcl_interop::Options;

fn main() -> ExitCode {
    match kcl_interop::run(&Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}
