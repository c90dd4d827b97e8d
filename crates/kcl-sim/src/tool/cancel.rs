use std::collections::BTreeMap;
use std::time::Instant;

use kcl_sim::scenario::{Sweep, cancel};

/// Fits into the time that the gate has for it.
const SOME: cancel::Stride = cancel::Stride { each_up_to: 200, then_every: 7 };
const ALL: cancel::Stride = cancel::Stride { each_up_to: u32::MAX, then_every: 1 };
/// How many events are shown after the last one before the drop is noticed.
const SHOWN: usize = 3;

/// Drops every task of a worker at every poll, or at most of them; whether all promises held.
#[allow(clippy::disallowed_methods, reason = "the tool tells its user how long it took")]
pub(crate) fn run(all: bool) -> bool {
    let started = Instant::now();
    let targets = cancel::targets();
    let mut polls: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
    for target in &targets {
        let (tasks, sum) = polls.entry(&target.task).or_default();
        (*tasks, *sum) = (*tasks + 1, *sum + target.polls);
    }
    polls.iter().for_each(|(name, (tasks, polls))| println!("{name}: {tasks} tasks, {polls} polls"));
    let drops = cancel::drops(&targets, if all { ALL } else { SOME });
    let count = drops.len();
    let one = move |index: u64| usize::try_from(index).ok().and_then(|index| drops.get(index)).and_then(cancel::drop_at);
    let (mut runs, mut failures) = (0_usize, BTreeMap::new());
    for failure in &Sweep::start(0..count as u64, one) {
        runs += 1;
        if let Some(failure) = failure {
            let first = failure.wrong.first().cloned().unwrap_or_default();
            let kind = (failure.cancel.task.clone(), first.split(' ').next().unwrap_or_default().to_owned());
            failures.entry(kind).or_insert_with(Vec::new).push(failure);
        }
    }
    for ((task, _), failures) in &failures {
        let mut at: Vec<_> = failures.iter().map(|failure| (failure.cancel.nth, failure.cancel.poll)).collect();
        at.sort_unstable();
        println!("{task}, {} drops, by task and poll: {:?}", failures.len(), at.get(..20.min(at.len())).unwrap_or_default());
        for failure in failures.iter().take(1) {
            failure.wrong.iter().take(SHOWN).for_each(|wrong| println!("    {wrong}"));
        }
    }
    let failed: usize = failures.values().map(Vec::len).sum();
    println!("{runs} drops in {:.1} s, {failed} failed", started.elapsed().as_secs_f64());
    failed == 0
}
