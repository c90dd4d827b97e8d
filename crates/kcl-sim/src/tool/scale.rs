//! `kcl-sim scale`: how long a large fleet takes to balance its leases.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use kcl_sim::scenario::scale::{HEADING, Scale, run as simulate, take_interval};

const USAGE: &str = "usage: scale [--workers N] [--shards N] [--lost N] [--joining N] [--no-reshard] [--spread MILLISECONDS] [--patience SECONDS] [--seed N]";

/// Runs it as the command line says.
#[allow(clippy::disallowed_methods, reason = "how long the run takes on this machine is part of the answer")]
pub(crate) fn run(words: impl Iterator<Item = String>) -> ExitCode {
    let Some(scale) = parse(words) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let begun = Instant::now();
    println!("{} workers, {} shards", scale.workers, scale.shards);
    println!("{HEADING}");
    match simulate(scale, |one| println!("{one}")) {
        Ok(all) => {
            let interval = take_interval(Duration::from_secs(10));
            let simulated: Duration = all.iter().map(|one| one.lasted).sum();
            println!("three take intervals: {:.1} s", (interval * 3).as_secs_f64());
            println!("simulated {:.0} s in {:.1} s", simulated.as_secs_f64(), begun.elapsed().as_secs_f64());
            ExitCode::SUCCESS
        }
        Err(stuck) => {
            println!("stuck: {stuck:?}");
            ExitCode::FAILURE
        }
    }
}

fn parse(mut words: impl Iterator<Item = String>) -> Option<Scale> {
    let mut scale = Scale {
        seed: 1,
        workers: 100,
        shards: 10_000,
        lost: 30,
        reshard: true,
        joining: 0,
        spread: Duration::from_millis(100),
        patience: Duration::from_secs(300),
    };
    while let Some(word) = words.next() {
        match word.as_str() {
            "--no-reshard" => scale.reshard = false,
            "--workers" => scale.workers = words.next()?.parse().ok()?,
            "--shards" => scale.shards = words.next()?.parse().ok()?,
            "--lost" => scale.lost = words.next()?.parse().ok()?,
            "--joining" => scale.joining = words.next()?.parse().ok()?,
            "--spread" => scale.spread = Duration::from_millis(words.next()?.parse().ok()?),
            "--patience" => scale.patience = Duration::from_secs(words.next()?.parse().ok()?),
            "--seed" => scale.seed = words.next()?.parse().ok()?,
            _ => return None,
        }
    }
    Some(scale)
}
