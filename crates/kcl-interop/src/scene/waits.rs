use std::time::{Duration, Instant};

use super::{LOOK_EVERY, PATIENCE, Scene};
use crate::failure::Failure;
use crate::leases;
use crate::process::{Process, last_lines};

impl Scene {
    /// Waits until these workers hold every lease, evenly.
    ///
    /// # Errors
    /// If that never comes.
    pub(crate) async fn balanced(&mut self, workers: &[&String]) -> Result<(), Failure> {
        let names: Vec<String> = workers.iter().map(|name| (*name).clone()).collect();
        self.balanced_within(PATIENCE, &names).await
    }

    /// The same for workers that are known to take long.
    ///
    /// # Errors
    /// If it does not come within this time.
    pub(crate) async fn balanced_within(&mut self, patience: Duration, names: &[String]) -> Result<(), Failure> {
        let what = format!("balanced: {}", names.join(", "));
        self.until_within(patience, &what, async |scene| leases::balanced(&scene.rows().await, names)).await
    }

    /// Waits until this worker has processed a record since it was last asked.
    ///
    /// # Errors
    /// If it never does.
    pub(crate) async fn works(&mut self, name: &str) -> Result<(), Failure> {
        let count = |scene: &Self| {
            let journals = scene.journals().unwrap_or_default();
            journals.iter().filter(|worker| worker.name == name).flat_map(|w| &w.entries).filter(|e| e.id.is_some()).count()
        };
        let before = count(self);
        self.until(&format!("{name} processes records"), async |scene| count(scene) > before).await
    }

    /// Waits until `done` says so.
    ///
    /// # Errors
    /// If it never does, or if a worker ends meanwhile that should not.
    pub(crate) async fn until(&mut self, what: &str, done: impl AsyncFn(&Self) -> bool) -> Result<(), Failure> {
        self.until_within(PATIENCE, what, done).await
    }

    /// Waits until `done` says so, for something that is known to take long.
    ///
    /// # Errors
    /// If it does not within this time, or if a worker ends meanwhile that should not.
    pub(crate) async fn until_within(
        &mut self,
        patience: Duration,
        what: &str,
        done: impl AsyncFn(&Self) -> bool,
    ) -> Result<(), Failure> {
        let began = Instant::now();
        while !done(self).await {
            for member in &mut self.members {
                if let Some(status) = member.process.as_mut().and_then(Process::ended) {
                    return Err(Failure::new(format!("{} ended by itself: {status}", member.name)));
                }
            }
            if began.elapsed() > patience {
                return Err(Failure::new(format!("never happened: {what}\n{}", self.state().await)));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        println!("  {:>6.1} s  {}: {what}", began.elapsed().as_secs_f64(), self.name);
        Ok(())
    }

    async fn state(&self) -> String {
        let mut lines = Vec::new();
        for lease in self.rows().await {
            lines.push(leases::as_java_lists(&self.table, &lease));
        }
        for member in &self.members {
            let log = std::fs::read_to_string(&member.log).unwrap_or_default();
            lines.push(format!("{}: {}", member.name, last_lines(&log, 8)));
        }
        lines.push(format!("kinesis: {}", last_lines(&self.stage.servers.kinesis_log(), 4)));
        lines.join("\n")
    }
}
