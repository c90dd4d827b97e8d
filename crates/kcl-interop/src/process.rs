//! Processes that end with whoever started them.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use crate::failure::Failure;

/// A running program, its output in a file. Killed when dropped; and it ends by itself when its standard input does, which
/// is when this process ends, however that happens.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts it, with output and errors in `log`.
    ///
    /// # Errors
    /// If it cannot be started.
    pub(crate) fn start(command: &mut Command, log: &Path) -> Result<Self, Failure> {
        let unwritable = |error: io::Error| Failure::of(format!("cannot write: path={}", log.display()), &error);
        let out = File::create(log).map_err(unwritable)?;
        let err = out.try_clone().map_err(unwritable)?;
        command.stdin(Stdio::piped()).stdout(out).stderr(err);
        let child = command.spawn().map_err(|error| Failure::of(format!("cannot start {command:?}"), &error))?;
        Ok(Self { child, log: log.to_path_buf() })
    }

    /// What it has said so far.
    pub(crate) fn log(&self) -> String {
        fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// How it ended; `None` while it runs.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Asks a worker to end gracefully.
    ///
    /// # Errors
    /// If it is gone already.
    pub(crate) fn ask_to_stop(&mut self) -> Result<(), Failure> {
        let Some(input) = &mut self.child.stdin else { return Err(Failure::new("a program has no standard input")) };
        input.write_all(b"stop\n").and_then(|()| input.flush()).map_err(|error| Failure::of("a program is gone", &error))
    }

    /// Ends it at once, with no chance to clean up.
    pub(crate) fn kill(&mut self) {
        // Both fail only if it has ended, and been waited for, already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Runs a command to its end and yields what it wrote to standard output.
///
/// # Errors
/// If it cannot be started or fails, with the last of what it said.
pub(crate) fn output(command: &mut Command) -> Result<String, Failure> {
    let shown = format!("{command:?}");
    let output = command.stdin(Stdio::null()).output().map_err(|error| Failure::of(format!("cannot run {shown}"), &error))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(Failure::new(format!("{shown} failed: {} {}", output.status, last_lines(&said, 5))))
}

/// The last lines of a text.
pub(crate) fn last_lines(text: &str, most: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(most)..].join("\n")
}
