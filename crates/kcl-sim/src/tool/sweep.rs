use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use kcl_sim::scenario::{Coverage, Options, Sweep, seed_of, swarm};
use kcl_sim::world::Mutant;

/// How often a long run says how far it is.
const PROGRESS: u64 = 200;
/// One seed in so many runs twice, on two threads: both must give the same trace.
const TWICE: u64 = 20;

/// What is kept of one run.
struct Outcome {
    seed: u64,
    hash: u64,
    polls: u64,
    coverage: Coverage,
    /// The report, if something was wrong.
    failure: Option<String>,
}

/// Runs these seeds; whether all were clean, the same twice, and nothing stayed untried.
/// Without a number of seeds: as many as the minutes allow.
#[allow(clippy::disallowed_methods, reason = "the tool tells its user how long it took")]
pub(crate) fn run(base: u64, from: u64, seeds: Option<u64>, minutes: Option<u64>, mixed: bool) -> bool {
    let asked = seeds.unwrap_or(u64::MAX);
    let started = Instant::now();
    let limit = minutes.map(|minutes| Duration::from_secs(minutes * 60));
    let mut sum = Sum::default();
    let twice = |(nth, seed): (u64, u64)| std::iter::repeat_n(seed, if nth.is_multiple_of(TWICE) { 2 } else { 1 });
    let wanted = move |seed: &u64| !mixed || !Options::draw(*seed).java.is_empty();
    let chosen = (from..).map(move |index| seed_of(base, index)).filter(wanted);
    let bounded = chosen.take(usize::try_from(asked).unwrap_or(usize::MAX));
    let results = Sweep::start((from..).zip(bounded).flat_map(twice), outcome);
    for outcome in &results {
        sum.add(outcome);
        let done = sum.traces.len() as u64;
        if done.is_multiple_of(PROGRESS) {
            println!("{done} seeds, {} violations, {:?}", sum.failed, started.elapsed());
        }
        if limit.is_some_and(|limit| started.elapsed() > limit) {
            results.stop();
        }
    }
    let took = started.elapsed().as_secs_f64();
    let done = sum.traces.len() as u64;
    println!("{}", sum.coverage);
    println!("{done} seeds in {took:.0} s, {:.1} million polls, traces {:#018x}", sum.polls as f64 / 1e6, sum.hash());
    let untried = sum.coverage.untried();
    let complete = done < Coverage::NEEDS || untried.is_empty();
    if !complete {
        println!("never happened: {}", untried.join(", "));
    }
    println!("{:#}, {} violations", sum.coverage, sum.failed);
    // A run that was cut short says little.
    sum.failed == 0 && complete && done * 2 >= seeds.unwrap_or(0)
}

fn outcome(seed: u64) -> Outcome {
    let report = swarm::run_seed(seed, Mutant::Sound);
    let failure = (!report.is_clean()).then(|| report.to_string());
    Outcome { seed, hash: report.hash, polls: report.polls, coverage: Coverage::of(&report), failure }
}

#[derive(Default)]
struct Sum {
    coverage: Coverage,
    failed: u64,
    polls: u64,
    traces: BTreeMap<u64, u64>,
}

impl Sum {
    fn add(&mut self, outcome: Outcome) {
        let Outcome { seed, hash, polls, coverage, failure } = outcome;
        if let Some(before) = self.traces.insert(seed, hash) {
            if before != hash {
                self.failed += 1;
                println!("seed {seed:#018x} gave two traces, {before:#018x} and {hash:#018x}: something is not deterministic\n");
            }
            return;
        }
        self.polls += polls;
        self.coverage.add(&coverage);
        if let Some(failure) = failure {
            self.failed += 1;
            println!("{failure}\n");
        }
    }

    /// A number that stands for all traces.
    fn hash(&self) -> u64 {
        self.traces.values().fold(0, |sum, hash| sum.wrapping_mul(31).wrapping_add(*hash))
    }
}
