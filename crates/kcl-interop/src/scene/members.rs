use std::process::Command;
use std::time::Instant;

use super::{LOOK_EVERY, Member, PATIENCE, Scene};
use crate::failure::Failure;
use crate::kind::Kind;
use crate::process::Process;

impl Scene {
    /// Starts a worker and yields its name.
    ///
    /// # Errors
    /// If its program is missing.
    pub(crate) fn start(&mut self, kind: Kind) -> Result<String, Failure> {
        self.start_with(kind, &[])
    }

    /// Starts a worker with more options.
    ///
    /// # Errors
    /// If its program is missing.
    pub(crate) fn start_with(&mut self, kind: Kind, options: &[&str]) -> Result<String, Failure> {
        let name = format!("{kind}-{}", self.members.len());
        let (journal, log) = (self.folder.join(format!("{name}.journal")), self.folder.join(format!("{name}.log")));
        let tools = &self.stage.tools;
        let mut command = match kind {
            Kind::Rust => Command::new(&tools.rust_worker),
            Kind::Java(generation) => {
                let class_path = tools.java.get(&generation).cloned().unwrap_or_else(|| Err(Failure::new("not prepared")))?;
                java(&class_path, "InteropWorker")
            }
        };
        command.args(["--stream", &self.stream, "--table", &self.table, "--worker", &name]);
        command.args(["--failover-millis", &self.failover_millis.to_string()]).arg("--file").arg(&journal).args(options);
        self.stage.servers.lead(&mut command);
        let process = Some(Process::start(&mut command, &log)?);
        self.members.push(Member { name: name.clone(), kind, process, journal, log });
        Ok(name)
    }

    /// Ends a worker with SIGKILL.
    ///
    /// # Errors
    /// If there is no such worker.
    pub(crate) fn kill(&mut self, name: &str) -> Result<(), Failure> {
        let member = self.member(name)?;
        if let Some(mut process) = member.process.take() {
            process.kill();
        }
        Ok(())
    }

    /// Asks a worker to stop, and waits until it has.
    ///
    /// # Errors
    /// If it does not, or fails.
    pub(crate) async fn stop(&mut self, name: &str) -> Result<(), Failure> {
        let member = self.member(name)?;
        let Some(mut process) = member.process.take() else { return Ok(()) };
        process.ask_to_stop()?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            match process.ended() {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(Failure::new(format!("{name} did not end well: {status}"))),
                None if Instant::now() > deadline => return Err(Failure::new(format!("{name} does not stop"))),
                None => tokio::time::sleep(LOOK_EVERY).await,
            }
        }
    }

    fn member(&mut self, name: &str) -> Result<&mut Member, Failure> {
        let missing = || Failure::new(format!("there is no worker {name}"));
        self.members.iter_mut().find(|member| member.name == name).ok_or_else(missing)
    }
}

/// A program of ours on a Java class path, with a machine that starts fast and stays small.
pub(crate) fn java(class_path: &str, class: &str) -> Command {
    let mut command = Command::new("java");
    command.args(["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-cp", class_path, class]);
    command
}
