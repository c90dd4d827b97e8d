use std::fmt;
use std::sync::mpsc::channel;
use std::sync::{Mutex, PoisonError};

use super::Size;
use super::bfs::{Limits, Model, Outcome, explore};
use super::handoff::{self, HandoffModel};
use super::lease::{self, LeaseModel, PairModel};
use super::lineage::{LineageModel, World};

/// More states than this do not fit into the memory of a small machine.
const LIMITS: Limits = Limits { max_states: 100_000_000 };

/// What the search of one world found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The specification.
    pub model: &'static str,
    /// The world.
    pub world: &'static str,
    /// What was found.
    pub outcome: Outcome,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}: {}", self.model, self.world, self.outcome)
    }
}

type Job = (&'static str, &'static str, Box<dyn FnOnce() -> Outcome + Send>);

/// Searches every world of every specification, as many at a time as there are cores, and tells `found` of each as soon as
/// it is done.
///
/// Whether nothing was wrong in any of them.
#[allow(clippy::disallowed_methods, reason = "searches beside each other; nothing of the library runs here but its machines")]
pub fn search_all(size: Size, mut found: impl FnMut(&Line)) -> bool {
    let jobs = Mutex::new(jobs(size).into_iter());
    let (results, lines) = channel();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            let (jobs, results) = (&jobs, results.clone());
            scope.spawn(move || {
                loop {
                    let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some((model, world, search)) = next else { return };
                    // The receiver lives as long as this function.
                    let _ = results.send(Line { model, world, outcome: search() });
                }
            });
        }
        drop(results);
        lines.iter().fold(true, |clean, line| {
            found(&line);
            clean && line.outcome.is_clean()
        })
    })
}

fn jobs(size: Size) -> Vec<Job> {
    let mut jobs: Vec<Job> = Vec::new();
    for (world, bounds) in lease::Bounds::worlds(size) {
        jobs.push(("lease", world, Box::new(move || search(&LeaseModel::new(bounds).seeking_goal()))));
    }
    if size == Size::Nightly {
        let bounds = lease::Bounds { counter: 2, in_flight: 1, ..lease::Bounds::PLAIN };
        jobs.push(("lease", "two leases", Box::new(move || search(&PairModel::new(bounds)))));
    }
    for (world, bounds) in World::worlds(size) {
        jobs.push(("lineage", world, Box::new(move || search(&LineageModel::new(bounds)))));
    }
    for (world, bounds) in handoff::Bounds::worlds(size) {
        jobs.push(("hand-off", world, Box::new(move || search(&HandoffModel::new(bounds)))));
    }
    jobs
}

fn search<M: Model>(model: &M) -> Outcome {
    explore(model, LIMITS)
}
