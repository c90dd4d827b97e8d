use std::fmt;

use crate::check::{self, Verdict};
use crate::failure::Failure;
use crate::java_log::{self, Shapes};
use crate::kind::Kind;
use crate::leases;

use super::Scene;

/// How a scene ended.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    /// What the journals prove.
    pub(crate) verdict: Verdict,
    /// What the logs of the Java workers hold, all kinds together.
    pub(crate) java: Shapes,
    /// The lease table's name, and its rows as `ListLeases.java` has to print them.
    pub(crate) rows: Option<(String, Vec<String>)>,
    /// What went wrong on the way, if something did.
    pub(crate) failed: Option<Failure>,
}

impl Outcome {
    /// One that could not even begin.
    pub(crate) fn failed(failure: Failure) -> Self {
        Self { failed: Some(failure), ..Self::default() }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Verdict { records, lost, duplicates, .. } = &self.verdict;
        write!(f, "records {records}, lost {}, duplicates {duplicates}", lost.len())
    }
}

impl Scene {
    /// Stops what runs, and judges. `played` is how the scenario itself ended.
    pub(crate) async fn finish(mut self, played: Result<(), Failure>) -> Outcome {
        let mut failed = played.err();
        self.produce_no_more().await;
        let running: Vec<String> = self.members.iter().filter(|m| m.process.is_some()).map(|m| m.name.clone()).collect();
        for name in running {
            let stopped = if failed.is_none() { self.stop(&name).await } else { self.kill(&name) };
            failed = failed.or_else(|| stopped.err());
        }
        let judged = self.judge().await;
        let (verdict, rows) = judged.unwrap_or_else(|failure| {
            failed = failed.take().or(Some(failure));
            (Verdict::default(), Vec::new())
        });
        Outcome { verdict, java: self.java_log(), rows: Some((self.table.clone(), rows)), failed }
    }

    async fn judge(&self) -> Result<(Verdict, Vec<String>), Failure> {
        let verdict = check::check(&self.acknowledged.numbers(), &self.journals()?, &self.parents().await?);
        let mut rows: Vec<String> = self.rows().await.iter().map(|row| leases::as_java_lists(&self.table, row)).collect();
        rows.sort();
        Ok((verdict, rows))
    }

    fn java_log(&self) -> Shapes {
        let mut all = Shapes::new();
        for member in self.members.iter().filter(|member| member.kind != Kind::Rust) {
            let log = std::fs::read(&member.log).unwrap_or_default();
            for (shape, times) in java_log::shapes(&String::from_utf8_lossy(&log)) {
                *all.entry(shape).or_default() += times;
            }
        }
        all
    }
}
