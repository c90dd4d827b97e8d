//! Makes a failing run small: the same seed still breaks the same invariant with as little as possible going on.

mod changes;

use std::time::Duration;

use super::ddmin::ddmin;
use super::{Action, Plan, Report, swarm};
use crate::trace::{Event, Stage};
use crate::world::{Call, Fate, FaultPlan};

/// What a search has found so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What was tried last.
    pub step: &'static str,
    /// How many runs it took so far.
    pub runs: u32,
    /// How many kinds of faults happen by chance.
    pub kinds: usize,
    /// How many faults are decided.
    pub faults: usize,
    /// How many actions are left.
    pub actions: usize,
}

/// Searches for a smaller plan that still breaks this invariant, in at most so many runs; the smallest one's report.
/// `None`: the plan does not break it.
pub fn shrink(plan: &Plan, invariant: &'static str, most_runs: u32, progress: impl FnMut(&Progress)) -> Option<Report> {
    shrink_by(plan, invariant, most_runs, progress, swarm::run)
}

/// As [`shrink`], with another way to run a plan.
fn shrink_by(
    plan: &Plan,
    invariant: &'static str,
    most_runs: u32,
    progress: impl FnMut(&Progress),
    run: impl FnMut(&Plan) -> Report,
) -> Option<Report> {
    let mut search = Search { invariant, left: most_runs, runs: 0, best: None, progress, run };
    let mut plan = plan.clone();
    // Only a seed needs them; the actions are drawn by now.
    plan.options.actions.clear();
    if !search.fails("the whole run", &plan) {
        return None;
    }
    search.go();
    search.best
}

struct Search<P, R> {
    invariant: &'static str,
    left: u32,
    runs: u32,
    best: Option<Report>,
    progress: P,
    run: R,
}

impl<P: FnMut(&Progress), R: FnMut(&Plan) -> Report> Search<P, R> {
    fn plan(&self) -> Plan {
        self.best.as_ref().map_or_else(|| Plan::draw(0), |best| best.plan.clone())
    }

    /// Whether this plan fails, too; then it is the best one. Once the runs are used up nothing fails any more.
    fn fails(&mut self, step: &'static str, plan: &Plan) -> bool {
        if self.left == 0 {
            return false;
        }
        self.left -= 1;
        self.runs += 1;
        let report = (self.run)(plan);
        let fails = report.violates(self.invariant);
        if fails {
            let (kinds, faults) = (plan.store.mix.0.len() + plan.stream.mix.0.len(), decided(plan).count());
            (self.progress)(&Progress { step, runs: self.runs, kinds, faults, actions: plan.actions.len() });
            self.best = Some(report);
        }
        fails
    }

    fn go(&mut self) {
        let mut before = None;
        while self.left > 0 && before.as_ref() != Some(&self.plan()) {
            before = Some(self.plan());
            self.drop_fault_kinds();
            self.drop_action_kinds();
            self.drop_actions();
            self.make_simpler();
            self.decide_faults();
            self.drop_faults();
            self.end_sooner();
        }
    }

    /// Switches off everything that happens by chance, kind by kind.
    fn drop_fault_kinds(&mut self) {
        for of in [store, stream] {
            let mut plan = self.plan();
            if of(&mut plan).mix.0.is_empty() {
                continue;
            }
            let kinds: Vec<_> = of(&mut plan).mix.0.clone().into_iter().collect();
            ddmin(kinds, |kinds| {
                let mut fewer = self.plan();
                of(&mut fewer).mix.0 = kinds.iter().copied().collect();
                self.fails("without kinds of faults", &fewer)
            });
        }
    }

    fn drop_action_kinds(&mut self) {
        let kind = |action: &Action| std::mem::discriminant(action);
        let mut kinds = Vec::new();
        for (_, action) in self.plan().actions {
            if !kinds.contains(&kind(&action)) {
                kinds.push(kind(&action));
            }
        }
        if kinds.len() < 2 {
            return;
        }
        ddmin(kinds, |kinds| {
            let mut fewer = self.plan();
            fewer.actions.retain(|(_, action)| kinds.contains(&kind(action)));
            self.fails("without kinds of actions", &fewer)
        });
    }

    fn drop_actions(&mut self) {
        ddmin(self.plan().actions, |actions| {
            let mut fewer = self.plan();
            fewer.actions = actions.to_vec();
            self.fails("without actions", &fewer)
        });
    }

    fn make_simpler(&mut self) {
        for (step, simpler) in changes::ALL {
            // As often as it helps: most of them halve something.
            loop {
                let mut plan = self.plan();
                simpler(&mut plan);
                if plan == self.plan() || !self.fails(step, &plan) {
                    break;
                }
            }
        }
    }

    /// Writes down the faults that happened, and leaves nothing to chance any more: the run stays what it is.
    fn decide_faults(&mut self) {
        let Some(best) = &self.best else { return };
        let mut plan = best.plan.clone();
        if plan.store.mix.0.is_empty() && plan.stream.mix.0.is_empty() {
            return;
        }
        let (mut store, mut stream) = (FaultPlan::default(), FaultPlan::default());
        for entry in &best.entries {
            if let Event::Fault(node, api, nth, fate) = entry.event {
                let faults = if api.is_store() { &mut store } else { &mut stream };
                faults.decided.insert(Call { node, api, nth }, fate);
            }
        }
        (plan.store, plan.stream) = (store, stream);
        self.fails("nothing left to chance", &plan);
    }

    /// By halves: most faults do not matter.
    fn drop_faults(&mut self) {
        let plan = self.plan();
        if !plan.store.mix.0.is_empty() || !plan.stream.mix.0.is_empty() {
            // Never seen; then single faults are spared instead.
            return self.spare_faults();
        }
        ddmin(decided(&plan).collect(), |faults| {
            let mut fewer = self.plan();
            (fewer.store, fewer.stream) = (FaultPlan::default(), FaultPlan::default());
            for (call, fate) in faults {
                let plan = if call.api.is_store() { &mut fewer.store } else { &mut fewer.stream };
                plan.decided.insert(*call, *fate);
            }
            self.fails("without single faults", &fewer)
        });
    }

    fn spare_faults(&mut self) {
        let Some(best) = &self.best else { return };
        let faults = best.entries.iter().filter_map(|entry| match entry.event {
            Event::Fault(node, api, nth, _) => Some(Call { node, api, nth }),
            _ => None,
        });
        let faults: Vec<Call> = faults.collect();
        ddmin(faults.clone(), |kept| {
            let mut fewer = self.plan();
            for call in faults.iter().filter(|call| !kept.contains(call)) {
                let plan = if call.api.is_store() { &mut fewer.store } else { &mut fewer.stream };
                plan.spared.insert(*call);
            }
            self.fails("single faults spared", &fewer)
        });
    }

    /// No chaos after the violation, and as little as possible before.
    fn end_sooner(&mut self) {
        let Some(best) = &self.best else { return };
        let seen = best.violations.iter().filter(|violation| violation.invariant == self.invariant);
        let at = seen.filter_map(|violation| best.entries.get(violation.entry)).map(|entry| entry.at).min();
        let heal = best.entries.iter().find(|entry| entry.event == Event::Enter(Stage::Heal)).map(|entry| entry.at);
        let last = best.plan.actions.last().map(|(at, _)| *at + Duration::from_secs(1)).unwrap_or_default();
        if let (Some(at), Some(heal)) = (at, heal)
            && at < heal
        {
            let mut plan = best.plan.clone();
            plan.options.chaos = (at + Duration::from_secs(1)).max(last);
            plan.options.behaviour.calm_at = plan.options.chaos;
            if plan.options.chaos < best.plan.options.chaos {
                self.fails("no chaos afterwards", &plan);
            }
        }
    }
}

const fn store(plan: &mut Plan) -> &mut FaultPlan {
    &mut plan.store
}

const fn stream(plan: &mut Plan) -> &mut FaultPlan {
    &mut plan.stream
}

fn decided(plan: &Plan) -> impl Iterator<Item = (Call, Fate)> {
    plan.store.decided.iter().chain(&plan.stream.decided).map(|(call, fate)| (*call, *fate))
}

#[cfg(test)]
mod tests;
