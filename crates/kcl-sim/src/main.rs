//! Runs seeds of the swarm: `cargo xtask sim [--seeds N] [--from S]`, or one of them: `cargo xtask sim --seed 0x… [--log]`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool talks to its user")]

mod scale_command;

use std::process::ExitCode;

mod tool;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("scale") {
        return scale_command::run(std::env::args().skip(2));
    }
    match tool::parse(std::env::args().skip(1)) {
        Ok(command) => tool::run(&command),
        Err(wrong) => {
            eprintln!("{wrong}\n{}", tool::USAGE);
            ExitCode::from(2)
        }
    }
}
