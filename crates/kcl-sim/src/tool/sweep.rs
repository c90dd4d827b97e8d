use std::time::{Duration, Instant};

use kcl_sim::scenario::{Coverage, Report, Sweep, seed_of, swarm};
use kcl_sim::world::Mutant;

/// How often a long run says how far it is.
const PROGRESS: u64 = 200;

/// Runs these seeds; whether all were clean and nothing stayed untried.
#[allow(clippy::disallowed_methods, reason = "the tool tells its user how long it took")]
pub(crate) fn run(base: u64, from: u64, seeds: u64, minutes: Option<u64>) -> bool {
    let started = Instant::now();
    let limit = minutes.map(|minutes| Duration::from_secs(minutes * 60));
    let mut sum = Coverage::default();
    let (mut failed, mut polls, mut done) = (0_u64, 0_u64, 0_u64);
    let judge = |report: Report| {
        let coverage = Coverage::of(&report);
        let (clean, polls) = (report.is_clean(), report.polls);
        (coverage, polls, if clean { String::new() } else { report.to_string() })
    };
    let seeds_of = (from..from.saturating_add(seeds)).map(move |index| seed_of(base, index));
    let results = Sweep::start(seeds_of, move |seed| judge(swarm::run_seed(seed, Mutant::Sound)));
    for (coverage, run_polls, failure) in &results {
        sum.add(&coverage);
        done += 1;
        polls += run_polls;
        if !failure.is_empty() {
            failed += 1;
            println!("{failure}\n");
        }
        if done.is_multiple_of(PROGRESS) {
            println!("{done} of {seeds} seeds, {failed} failed, {:?}", started.elapsed());
        }
        if limit.is_some_and(|limit| started.elapsed() > limit) {
            results.stop();
        }
    }
    println!("{sum}");
    let took = started.elapsed().as_secs_f64();
    println!("{done} of {seeds} seeds in {took:.0} s, {:.1} million polls", polls as f64 / 1e6);
    let untried = sum.untried();
    if done >= Coverage::NEEDS && !untried.is_empty() {
        println!("never happened: {}", untried.join(", "));
    }
    println!("{sum:#}, {failed} violations");
    failed == 0 && done * 2 >= seeds && (done < Coverage::NEEDS || untried.is_empty())
}
