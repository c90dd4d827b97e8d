use std::time::Instant;

use kcl_sim::mutants::{Home, KNOWN, Known, SWITCH};
use kcl_sim::scenario::{Sweep, seed_of, swarm};
use kcl_sim::world::Mutant;

/// Mutants have seeds of their own, always the same.
const BASE: u64 = 0x6d75_7461_6e74;

/// Looks for every mutant that can be looked for here; whether all were found.
#[allow(clippy::disallowed_methods, reason = "the tool tells its user how long it took")]
pub(crate) fn run(only: Option<u64>) -> bool {
    let (mut tried, mut caught) = (0, 0);
    for known in KNOWN.iter().filter(|known| only.is_none_or(|only| only == u64::from(known.number))) {
        let Known { number, what, .. } = known;
        let started = Instant::now();
        let verdict = match known.home {
            Home::Specification(test) => format!("found by the search of a model ({test})"),
            Home::WaitsFor(part) => format!("waits for {part}"),
            Home::Source if SWITCH.is_none() => "not in this build".to_owned(),
            Home::Source | Home::Seam(_) => {
                tried += 1;
                let found = look_for(known);
                caught += u64::from(found.is_some());
                let took = started.elapsed().as_secs();
                found.map_or_else(
                    || format!("SURVIVED {} seeds, {took} s; expected {:?}", known.seeds, known.oracles),
                    |(seeds, oracle)| format!("caught by {oracle} in the run of seed {seeds}, {took} s"),
                )
            }
        };
        println!("M{number:<3} {what}: {verdict}");
    }
    println!("{caught} of {tried} caught");
    tried == caught
}

/// After how many seeds which of its oracles failed.
fn look_for(known: &Known) -> Option<(u64, String)> {
    let seam = if let Home::Seam(mutant) = known.home { mutant } else { Mutant::Sound };
    if let Some(switch) = SWITCH {
        switch(if known.home == Home::Source { known.number } else { 0 });
    }
    let oracles = known.oracles;
    let judge = move |seed| {
        let report = swarm::run_seed(seed, seam);
        oracles.iter().find(|oracle| report.violates(oracle)).copied()
    };
    let results = Sweep::start((0..known.seeds).map(|index| seed_of(BASE, index)), judge);
    let mut found = None;
    for (nth, oracle) in (1..).zip(&results) {
        if let (None, Some(oracle)) = (&found, oracle) {
            found = Some((nth, oracle.to_owned()));
            results.stop();
        }
    }
    found
}
