use std::collections::{BTreeMap, BTreeSet};

use kcl_runtime::SeededRng;
use rand::{RngExt, SeedableRng};

use crate::keyed::{Stream, decide, mix};

/// How often, in polls, the highest priority changes hands.
const CHANGE_EVERY: u32 = 500;

/// Which ready task runs next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// Any of them.
    #[default]
    Random,
    /// The one with the highest priority. Priorities are random; now and then the task that would run next falls behind
    /// all others. Defects that need few, particular preemptions show sooner than with random picks.
    Priorities,
}

/// Draws the order of tasks.
pub(super) struct Schedule {
    policy: Policy,
    seed: u64,
    rng: SeededRng,
    /// Tasks that fell behind, the later the further.
    fallen: BTreeMap<u64, u64>,
}

impl Schedule {
    pub(super) fn new(seed: u64) -> Self {
        let rng = SeededRng::seed_from_u64(decide(seed, Stream::Schedule, (0, 0, 0)));
        Self { policy: Policy::Random, seed, rng, fallen: BTreeMap::new() }
    }

    pub(super) const fn set_policy(&mut self, policy: Policy) {
        self.policy = policy;
    }

    pub(super) fn pick(&mut self, ready: &BTreeSet<u64>) -> Option<u64> {
        match self.policy {
            Policy::Random => {
                let count = ready.len();
                let nth = if count == 0 { 0 } else { self.rng.random_range(0..count) };
                ready.iter().nth(nth).copied()
            }
            Policy::Priorities => {
                let first = self.first(ready)?;
                if ready.len() > 1 && self.rng.random_range(0..CHANGE_EVERY) == 0 {
                    self.fallen.insert(first, self.fallen.len() as u64);
                    return self.first(ready);
                }
                Some(first)
            }
        }
    }

    fn first(&self, ready: &BTreeSet<u64>) -> Option<u64> {
        let priority = |task: &u64| match self.fallen.get(task) {
            Some(behind) => (0, u64::MAX - behind),
            None => (1, mix(self.seed ^ mix(*task))),
        };
        ready.iter().max_by_key(|task| (priority(task), **task)).copied()
    }
}
