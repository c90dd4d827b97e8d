//! Directed runs: what happens is written down, not drawn. Everything that a script does not name is calm.

mod text;

use std::time::Duration;

use kcl_core::{StartStrategy, Verb};

use super::{Action, Options, Plan, Report, swarm};
use crate::exec::{NodeId, Policy};
use crate::trace::Event;
use crate::world::{Api, Behaviour, Call, Fate, FaultPlan, Mutant};

/// A run that is written by hand, or left over by the [shrinker](super::shrink).
///
/// Its `Display` is the Rust text that makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    plan: Plan,
}

impl Default for Script {
    fn default() -> Self {
        Self::new()
    }
}

impl From<Plan> for Script {
    /// The plan with the options that only seeds need set to what scripts have.
    fn from(mut plan: Plan) -> Self {
        plan.options.actions.clear();
        plan.options.behaviour.calm_at = plan.options.chaos;
        Self { plan }
    }
}

impl Script {
    /// Two workers and a shard; no fault, no trouble, and processors that do what they should.
    pub fn new() -> Self {
        let (store, stream) = (FaultPlan::default(), FaultPlan::default());
        let plan = Plan { seed: 1, options: calm(), store, stream, actions: Vec::new(), mutant: Mutant::Sound };
        Self { plan }
    }

    /// Another order of tasks, and other latencies.
    #[must_use]
    pub const fn seed(mut self, seed: u64) -> Self {
        self.plan.seed = seed;
        self
    }

    /// How many workers start.
    #[must_use]
    pub const fn workers(mut self, workers: u64) -> Self {
        self.plan.options.workers = workers;
        self
    }

    /// How many shards the stream has at first.
    #[must_use]
    pub const fn shards(mut self, shards: u32) -> Self {
        self.plan.options.shards = shards;
        self
    }

    /// The failover time.
    #[must_use]
    pub const fn failover(mut self, failover: Duration) -> Self {
        self.plan.options.failover = failover;
        self
    }

    /// How long faults may happen.
    #[must_use]
    pub const fn chaos(mut self, chaos: Duration) -> Self {
        self.plan.options.chaos = chaos;
        self.plan.options.behaviour.calm_at = chaos;
        self
    }

    /// How long everything may take to settle after that.
    #[must_use]
    pub const fn settle(mut self, settle: Duration) -> Self {
        self.plan.options.settle = settle;
        self
    }

    /// Changes any other option.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(&mut self.plan.options);
        self
    }

    /// A defect to be found.
    #[must_use]
    pub const fn mutant(mut self, mutant: Mutant) -> Self {
        self.plan.mutant = mutant;
        self
    }

    /// What this call meets, if it is made before the heal.
    #[must_use]
    pub fn on(mut self, call: Call, fate: Fate) -> Self {
        let plan = if call.api.is_store() { &mut self.plan.store } else { &mut self.plan.stream };
        plan.decided.insert(call, fate);
        self
    }

    /// What is done, and when. Actions must be told in order of time.
    #[must_use]
    pub fn at(mut self, time: Duration, action: Action) -> Self {
        self.plan.actions.push((time, action));
        self
    }

    /// The plan that it makes.
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Runs it.
    pub fn run(&self) -> Report {
        swarm::run(&self.plan)
    }

    /// Runs it; every invariant must hold, and everything that is written down must have happened.
    ///
    /// # Panics
    /// If not: the report, or what did not happen.
    #[track_caller]
    pub fn expect_clean(&self) -> Report {
        let report = self.run();
        assert!(report.is_clean(), "{report}");
        let idle = self.untried(&report);
        assert!(idle.is_empty(), "these never happened: {idle:?}");
        report
    }

    /// What is written down and did not happen.
    pub fn untried(&self, report: &Report) -> Vec<(Call, Fate)> {
        let decided = self.plan.store.decided.iter().chain(&self.plan.stream.decided);
        let happened = |call: &Call, fate: &Fate| {
            let fault = Event::Fault(call.node, call.api, call.nth, *fate);
            report.entries.iter().any(|entry| entry.event == fault)
        };
        decided.filter(|(call, fate)| !happened(call, fate)).map(|(call, fate)| (*call, *fate)).collect()
    }
}

impl From<Verb> for Api {
    fn from(verb: Verb) -> Self {
        Self::Write(verb)
    }
}

/// The nth call of this kind, from 1, by the process that started as the how many'th: `call(2, Verb::Take, 1)`.
pub fn call(process: usize, api: impl Into<Api>, nth: u64) -> Call {
    Call { node: NodeId(process), api: api.into(), nth }
}

/// So many seconds.
pub const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// So many microseconds.
pub const fn micros(micros: u64) -> Duration {
    Duration::from_micros(micros)
}

/// What a script has that says nothing else.
fn calm() -> Options {
    let chaos = secs(60);
    let behaviour = Behaviour {
        checkpoint_every: 1,
        slowest: Duration::from_millis(5),
        panics: 0,
        hangs: 0,
        misuses: 0,
        ends_late: 0,
        calm_at: chaos,
    };
    Options {
        workers: 2,
        shards: 1,
        failover: secs(10),
        scan: None,
        poll: secs(1),
        sync: secs(10),
        cleanup: secs(75),
        start: StartStrategy::Oldest,
        leases_to_acquire: 1,
        mixed: false,
        hand_off: secs(30),
        mixed_hand_off: false,
        behaviour,
        aggregates: 0,
        rate_ppm: 0,
        stops_in_suspend: false,
        actions: std::collections::BTreeSet::new(),
        abandons: false,
        batch: 10,
        policy: Policy::Random,
        chaos,
        settle: secs(180),
        java: super::Java::default(),
    }
}

#[cfg(test)]
mod tests;
