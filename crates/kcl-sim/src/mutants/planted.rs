use crate::spec::bfs::{Limits, Outcome, Verdict, explore};
use crate::spec::handoff::{self, HandoffModel};
use crate::spec::lease::{self, LeaseModel};

/// More than any of these worlds has.
const LIMITS: Limits = Limits { max_states: 10_000_000 };

/// A mistake in a model, in the world that shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// In the model of leases.
    RowCreatedAgain,
    /// In the model of hand-offs.
    TargetNeverTimesOut,
    /// In the model of hand-offs.
    OwnerNeverTimesOut,
}

impl Planted {
    /// Searches the model with the mistake: the invariant that does not hold, or `dead end`, and the number of states.
    pub fn search(self) -> (Option<String>, usize) {
        let outcome = self.explored();
        let by = match &outcome.verdict {
            Verdict::Violated { invariant, .. } => Some(invariant.split(':').next().unwrap_or_default().to_owned()),
            Verdict::DeadEnd { .. } => Some("dead end".to_owned()),
            Verdict::Clean | Verdict::LimitReached => None,
        };
        (by, outcome.states)
    }

    fn explored(self) -> Outcome {
        let small = handoff::Bounds { records: 1, ..handoff::Bounds::PLAIN };
        let handoff = |bounds, mutant| explore(&HandoffModel::watching(bounds, Some(mutant), &handoff::Rule::ALL), LIMITS);
        match self {
            Self::RowCreatedAgain => {
                let plain = lease::Bounds::PLAIN;
                let bounds = lease::Bounds { workers: 1, counter: 3, crashes: 0, releases: false, deletes: true, ..plain };
                let mutant = Some(lease::Mutant::RowCreatedAgain);
                explore(&LeaseModel::watching(bounds, mutant, &lease::Rule::ALL), LIMITS)
            }
            Self::TargetNeverTimesOut => {
                let silent = handoff::Bounds { cooperative: false, ..small };
                handoff(silent, handoff::Mutant::TargetNeverTimesOut)
            }
            Self::OwnerNeverTimesOut => {
                let deadly = handoff::Bounds { hangs: 1, deaths: 1, ..small };
                handoff(deadly, handoff::Mutant::OwnerNeverTimesOut)
            }
        }
    }
}
