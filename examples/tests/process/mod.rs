//! Programs of this package as processes that end with the test.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "each test target uses its own part")]

mod output;

use std::fs::{self, File};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use output::Output;

/// Between two looks at something outside of this process, which cannot tell when it changes.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What programs read from the environment. A test sets it on the command if it wants it.
const FOREIGN: [&str; 7] = [
    "KINESIS_LEASES_TO_ACQUIRE",
    "KINESIS_MAX_LEASES",
    "KINESIS_START_STRATEGY",
    "KINESIS_BATCH_LIMIT",
    "RUST_LOG",
    "AWS_PROFILE",
    "AWS_SESSION_TOKEN",
];

/// The program of an example. `cargo test` builds it, and so does `cargo build --examples`.
pub(crate) fn example(name: &str) -> PathBuf {
    let this = std::env::current_exe().unwrap();
    let profile = this.parent().and_then(Path::parent).unwrap();
    let program = profile.join("examples").join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(program.is_file(), "run `cargo build --workspace --examples` first: missing={}", program.display());
    program
}

/// A folder of its own for a test, empty at first. Removed when dropped, unless the test fails: then its logs are of use.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn of(test: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }
}

impl Deref for Folder {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

/// A running program, its log in a file. Killed when dropped.
pub(crate) struct Process {
    child: Child,
    stdout: Output,
    stderr: PathBuf,
}

impl Process {
    pub(crate) fn start(command: &mut Command, folder: &Path, name: &str) -> Self {
        let stderr = folder.join(format!("{name}.log"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(File::create(&stderr).unwrap());
        // Settings of whoever runs the tests must not reach the program.
        for variable in FOREIGN {
            if command.get_envs().all(|(name, _)| name != variable) {
                command.env_remove(variable);
            }
        }
        let mut child = command.spawn().unwrap();
        let stdout = Output::of(child.stdout.take().unwrap());
        Self { child, stdout, stderr }
    }

    /// What it has printed until now, in whole lines; all of it once it was [waited](Self::wait) for.
    pub(crate) fn stdout(&self) -> String {
        self.stdout.now()
    }

    /// Waits until what it has printed is as wanted. Fails the test if it ends before, or takes far longer than it needs.
    pub(crate) fn until_it_printed(&self, what: &str, wanted: impl Fn(&str) -> bool) {
        assert!(self.stdout.wait_until(wanted), "never printed {what}:\n{}\n{}", self.stdout(), self.stderr());
    }

    pub(crate) fn stderr(&self) -> String {
        fs::read_to_string(&self.stderr).unwrap()
    }

    /// How it ended; `None` while it runs.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// How it ends. Fails the test if it does not within a time far above what it needs.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + Duration::from_secs(150);
        loop {
            if let Some(status) = self.ended() {
                self.stdout.wait_for_end();
                return status;
            }
            assert!(Instant::now() < deadline, "still running:\n{}\n{}", self.stdout(), self.stderr());
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Ends it at once, with no chance to clean up.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end, as container platforms do.
    pub(crate) fn terminate(&self) {
        self.signal("-TERM");
    }

    /// Asks it to end, as Ctrl-C does.
    pub(crate) fn interrupt(&self) {
        self.signal("-INT");
    }

    fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success(), "no signal could be sent: {status}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
