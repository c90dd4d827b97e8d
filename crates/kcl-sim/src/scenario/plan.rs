use std::time::Duration;

use super::{Action, Options, action};
use crate::world::{FaultMix, FaultPlan, Mutant};

/// A run before it runs: everything that a seed stands for, to be looked at and changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The seed: it still decides the order of tasks, latencies, and which calls meet the faults of the mix.
    pub seed: u64,
    /// What the run is made of.
    pub options: Options,
    /// Faults of the store.
    pub store: FaultPlan,
    /// Faults of the stream.
    pub stream: FaultPlan,
    /// What the nemesis does, and when, in order of time.
    pub actions: Vec<(Duration, Action)>,
    /// A defect to be found.
    pub mutant: Mutant,
}

impl Plan {
    /// What this seed stands for.
    pub fn draw(seed: u64) -> Self {
        let options = Options::draw(seed);
        let actions = action::draw(seed, &options);
        let faults = |seed| FaultPlan { mix: FaultMix::draw(seed), ..FaultPlan::default() };
        Self { seed, options, store: faults(seed), stream: faults(!seed), actions, mutant: Mutant::Sound }
    }
}
