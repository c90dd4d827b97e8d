use std::time::Instant;

use kcl_sim::mutants::{Home, KNOWN, Known, SWITCH, first_run, look_for, measure};

/// Looks for every mutant that can be looked for here; whether all were found.
#[allow(clippy::disallowed_methods, reason = "the tool tells its user how long it took")]
pub(crate) fn run(only: Option<u64>) -> bool {
    let (mut tried, mut caught, mut elsewhere) = (0, 0, 0);
    for known in chosen(only) {
        let started = Instant::now();
        let Some(found) = look_for(known) else {
            match known.home {
                Home::WaitsFor(part) => say(known, &format!("waits for {part}")),
                Home::Schedules(test) => say(known, &format!("cargo xtask shuttle looks for it: {test}")),
                _ => elsewhere += 1,
            }
            continue;
        };
        tried += 1;
        caught += u64::from(found.by.is_some());
        let unit = if matches!(known.home, Home::Specification(_)) { "states" } else { "runs" };
        let took = format!("{} {unit}, {:.1} s", found.after, started.elapsed().as_secs_f64());
        say(
            known,
            &match found.by {
                Some(oracle) => format!("caught by {oracle}, {took}"),
                None => format!("SURVIVED, {took}; expected {:?}", known.oracles),
            },
        );
    }
    if elsewhere > 0 && SWITCH.is_none() {
        println!("{elsewhere} source mutants are not in this build: cargo xtask sim --mutants has them");
    }
    println!("{caught} of {tried} caught");
    tried == caught
}

/// In how many of so many runs each is found, and how often each oracle failed.
pub(crate) fn rates(only: Option<u64>, runs: u64) -> bool {
    for known in chosen(only) {
        if let Some(rate) = measure(known, runs) {
            let others: Vec<_> = rate.oracles.iter().map(|(oracle, count)| format!("{oracle} {count}")).collect();
            let percent = rate.found * 100 / rate.runs.max(1);
            say(known, &format!("{percent} % ({} of {} runs); {}", rate.found, rate.runs, others.join(", ")));
        }
    }
    true
}

/// Shows the first run of each; whether there was one.
pub(crate) fn log(only: Option<u64>) -> bool {
    let reports: Vec<_> = chosen(only).filter_map(first_run).collect();
    for report in &reports {
        report.entries.iter().for_each(|entry| println!("{entry}"));
        report.violations.iter().for_each(|violation| println!("{violation}"));
    }
    !reports.is_empty()
}

fn chosen(only: Option<u64>) -> impl Iterator<Item = &'static Known> {
    const ALL: &[Known] = &KNOWN;
    ALL.iter().filter(move |known| only.is_none_or(|only| only == u64::from(known.number)))
}

fn say(known: &Known, verdict: &str) {
    println!("M{:<3} {}: {verdict}", known.number, known.what);
}
