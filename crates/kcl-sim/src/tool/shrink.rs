use kcl_sim::scenario::{Plan, Progress, Script, shrink, swarm};

/// The most runs of one search.
const MOST_RUNS: u32 = 400;
/// How many of the last events are shown.
const SHOWN: usize = 60;

/// Makes the run of a failing seed small and shows it as a script; whether the seed was clean.
pub(crate) fn run(seed: u64, invariant: Option<&str>) -> bool {
    let plan = Plan::draw(seed);
    let report = swarm::run(&plan);
    report.violations.iter().for_each(|violation| println!("{violation}"));
    let chosen = |name: &str| invariant.is_none_or(|wanted| wanted == name);
    let Some(violation) = report.violations.iter().find(|violation| chosen(violation.invariant)) else {
        println!("seed {seed:#018x} is clean: nothing to shrink");
        return report.is_clean();
    };
    let say = |progress: &Progress| {
        let Progress { step, runs, kinds, faults, actions } = progress;
        println!("run {runs:>3}: {step}: {kinds} kinds of faults, {faults} faults, {actions} actions");
    };
    let Some(smallest) = shrink(&plan, violation.invariant, MOST_RUNS, say) else { return false };
    let found = smallest.violations.iter().find(|found| found.invariant == violation.invariant);
    let end = found.map_or(smallest.entries.len(), |found| found.entry + 1);
    for (index, entry) in smallest.entries.iter().enumerate().take(end).skip(end.saturating_sub(SHOWN)) {
        println!("{index:>6} {entry}");
    }
    smallest.violations.iter().for_each(|violation| println!("{violation}"));
    println!("\n// {}, from seed {seed:#018x}\n{}\n    .expect_clean();", violation.invariant, Script::from(smallest.plan));
    false
}
