use std::fmt;

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

/// Searches every world of every specification, and tells `found` of each as soon as it is done.
///
/// Whether nothing was wrong in any of them.
pub fn search_all(size: Size, mut found: impl FnMut(&Line)) -> bool {
    let mut clean = true;
    let mut add = |model, world, outcome: Outcome| {
        clean &= outcome.is_clean();
        found(&Line { model, world, outcome });
    };
    for (world, bounds) in lease::Bounds::worlds(size) {
        add("lease", world, search(&LeaseModel::new(bounds).seeking_goal()));
    }
    if size == Size::Nightly {
        let bounds = lease::Bounds { counter: 2, in_flight: 1, ..lease::Bounds::PLAIN };
        add("lease", "two leases", search(&PairModel::new(bounds)));
    }
    for (world, bounds) in World::worlds(size) {
        add("lineage", world, search(&LineageModel::new(bounds)));
    }
    for (world, bounds) in handoff::Bounds::worlds(size) {
        add("hand-off", world, search(&HandoffModel::new(bounds)));
    }
    clean
}

fn search<M: Model>(model: &M) -> Outcome {
    explore(model, LIMITS)
}
