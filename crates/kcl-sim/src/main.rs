//! The simulator on the command line: `cargo xtask sim` passes its arguments on.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool talks to its user")]

mod tool;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1).peekable();
    if words.next_if(|word| word == "scale").is_some() {
        return tool::scale::run(words);
    }
    if words.next_if(|word| word == "curve").is_some() {
        return tool::curve::run(words);
    }
    match tool::parse(words) {
        Ok(command) => tool::run(&command),
        Err(wrong) => {
            eprintln!("{wrong}\n{}", tool::USAGE);
            ExitCode::from(2)
        }
    }
}
