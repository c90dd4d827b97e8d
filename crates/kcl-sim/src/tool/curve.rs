//! `kcl-sim curve`: what it costs to notice a dead worker sooner.

use std::process::ExitCode;
use std::time::Duration;

use kcl_sim::scenario::curve::{Curve, Failover, run as simulate, units};

const USAGE: &str = "usage: curve [--workers N] [--shards N] [--seeds N] [--row-bytes N] [--failover SECONDS]";

/// A row after a checkpoint, as `cargo xtask cost` weighs it.
const ROW_BYTES: u64 = 320;

struct Arguments {
    curve: Curve,
    seeds: u64,
    row_bytes: u64,
}

/// Runs it as the command line says.
pub(crate) fn run(words: impl Iterator<Item = String>) -> ExitCode {
    let Some(arguments) = parse(words) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let Arguments { curve, seeds, row_bytes } = arguments;
    println!(
        "{} workers, {} leases of {row_bytes} bytes, failover time {:?}, seeds 1 to {seeds}",
        curve.workers, curve.shards, curve.failover
    );
    println!(
        "scan interval  read again: median    worst   scans  reads  units (per worker and minute)   units to fail over, all"
    );
    for interval in [Some(1), Some(2), Some(4), None, Some(10), Some(20)] {
        let curve = Curve { scan_interval: interval.map(Duration::from_secs), ..curve };
        let runs: Result<Vec<Failover>, _> = (1..=seeds).map(|seed| simulate(curve, seed)).collect();
        match runs {
            Ok(runs) => println!("{}", line(&curve, &runs, row_bytes)),
            Err(stuck) => {
                println!("stuck: {stuck:?}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

#[allow(clippy::cast_precision_loss, reason = "counts")]
fn line(curve: &Curve, runs: &[Failover], row_bytes: u64) -> String {
    let mut times: Vec<Duration> = runs.iter().map(|run| run.read_after).collect();
    times.sort();
    let (median, worst) = (times[times.len() / 2], times[times.len() - 1]);
    let mean = |of: &dyn Fn(&Failover) -> f64| runs.iter().map(of).sum::<f64>() / runs.len() as f64;
    let each = |count: u64, run: &Failover| count as f64 / curve.workers as f64 / (run.idle_for.as_secs_f64() / 60.0);
    let interval = curve.scan_interval.map_or_else(|| "default".to_owned(), |interval| format!("{} s", interval.as_secs()));
    format!(
        "{interval:>13}  {:>16.1} s {:>6.1} s  {:>6.1} {:>6.1} {:>6.1}  {:>40.0}",
        median.as_secs_f64(),
        worst.as_secs_f64(),
        mean(&|run| each(run.idle.scans, run)),
        mean(&|run| each(run.idle.gets, run)),
        mean(&|run| run.idle_units(curve, row_bytes)),
        mean(&|run| units(&run.failing_over, curve, row_bytes)),
    )
}

fn parse(mut words: impl Iterator<Item = String>) -> Option<Arguments> {
    let mut curve = Curve { workers: 10, shards: 160, failover: Duration::from_secs(10), scan_interval: None };
    let (mut seeds, mut row_bytes) = (20, ROW_BYTES);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--workers" => curve.workers = words.next()?.parse().ok()?,
            "--shards" => curve.shards = words.next()?.parse().ok()?,
            "--failover" => curve.failover = Duration::from_secs(words.next()?.parse().ok()?),
            "--seeds" => seeds = words.next()?.parse().ok().filter(|seeds| *seeds > 0)?,
            "--row-bytes" => row_bytes = words.next()?.parse().ok()?,
            _ => return None,
        }
    }
    Some(Arguments { curve, seeds, row_bytes })
}
