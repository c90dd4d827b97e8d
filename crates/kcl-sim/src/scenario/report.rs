use std::fmt;
use std::time::Duration;

use super::Plan;
use crate::oracle::Violation;
use crate::trace::Entry;

/// How many entries before a violation are shown.
const SHOWN: usize = 100;

/// How a run went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What was run.
    pub plan: Plan,
    /// Every invariant that did not hold.
    pub violations: Vec<Violation>,
    /// A number that stands for everything that happened.
    pub hash: u64,
    /// How much time passed in it.
    pub simulated: Duration,
    /// How many polls it took.
    pub polls: u64,
    /// What happened.
    pub entries: Vec<Entry>,
}

impl Report {
    /// Whether nothing was wrong.
    pub fn is_clean(&self) -> bool {
        self.violations.is_empty()
    }

    /// Whether this invariant did not hold.
    pub fn violates(&self, invariant: &str) -> bool {
        self.violations.iter().any(|violation| violation.invariant == invariant)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let earliest = self.violations.iter().map(|violation| violation.entry).min();
        let end = earliest.map_or(self.entries.len(), |entry| entry + 1).min(self.entries.len());
        for (index, entry) in self.entries.iter().enumerate().take(end).skip(end.saturating_sub(SHOWN)) {
            writeln!(f, "{index:>6} {entry}")?;
        }
        for violation in &self.violations {
            writeln!(f, "{violation}")?;
        }
        writeln!(f, "{:#?}", self.plan)?;
        let seed = self.plan.seed;
        writeln!(f, "seed {seed:#018x}, trace {:#018x}, simulated {:?}", self.hash, self.simulated)?;
        write!(f, "replay: cargo xtask sim --seed {seed:#018x} --log")
    }
}
