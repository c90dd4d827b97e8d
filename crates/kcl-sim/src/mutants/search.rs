use std::collections::BTreeMap;

use super::{Home, Known, Runs, SWITCH};
use crate::scenario::cancel::{self, Stride};
use crate::scenario::{Options, Plan, Report, Sweep, seed_of, swarm};
use crate::world::Mutant;

/// Mutants have seeds of their own, always the same.
const BASE: u64 = 0x6d75_7461_6e74;
/// Of a coordinator, as many drops as find a defect after the loss of it.
const DROPS: Stride = Stride { each_up_to: 20, then_every: 7 };

/// How a search went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The oracle that failed, if one of those did that had to.
    pub by: Option<String>,
    /// After how many runs, or states of a model.
    pub after: u64,
}

/// How often a mutant was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rate {
    /// In so many runs.
    pub runs: u64,
    /// In so many of them one of its oracles failed.
    pub found: u64,
    /// How often each oracle failed, those included that need not.
    pub oracles: BTreeMap<String, u64>,
}

/// Looks for a mutant, as long as its budget lasts. `None` if it cannot be looked for here.
pub fn look_for(known: &Known) -> Option<Found> {
    if let Home::Specification(planted) = known.home {
        return Some(search(known, planted));
    }
    let results = start(known, known.budget())?;
    let mut found = Found { by: None, after: 0 };
    for failed in &results {
        if found.by.is_some() {
            continue;
        }
        found.after += 1;
        found.by = named(known, &failed);
        if found.by.is_some() {
            results.stop();
        }
    }
    Some(found)
}

/// Counts in how many runs it is found. `None` if it cannot be looked for here, or is not looked for in runs.
pub fn measure(known: &Known, runs: u64) -> Option<Rate> {
    let mut rate = Rate::default();
    for failed in &start(known, runs)? {
        rate.runs += 1;
        rate.found += u64::from(named(known, &failed).is_some());
        for oracle in failed {
            *rate.oracles.entry(oracle).or_default() += 1;
        }
    }
    Some(rate)
}

/// The first oracle of those that have to fail.
fn named(known: &Known, failed: &[String]) -> Option<String> {
    failed.iter().find(|failed| known.oracles.contains(&failed.as_str())).cloned()
}

/// Every model has to show it.
fn search(known: &Known, planted: &[super::Planted]) -> Found {
    let (mut names, mut after) = (Vec::new(), 0);
    for one in planted {
        let (by, states) = one.search();
        after += states as u64;
        match by.filter(|by| known.oracles.contains(&by.as_str())) {
            Some(by) => names.push(by),
            None => return Found { by: None, after },
        }
    }
    names.dedup();
    Found { by: Some(names.join(", ")), after }
}

/// The first of its runs, to be looked at. `None` if it cannot be looked for here, or not in runs of the fleet.
pub fn first_run(known: &Known) -> Option<Report> {
    let mutant = seam(known)?;
    let plan = match known.runs {
        Runs::Swarm => Plan::draw(seed_of(BASE, 0)),
        Runs::Mixed => Plan::draw(mixed_seeds().next()?),
        Runs::Directed(plan) => plan(seed_of(BASE, 0)),
        Runs::Drops => return None,
    };
    Some(swarm::run(&Plan { mutant, ..plan }))
}

/// Turns the mutant on; what is wrong at the seam. `None` if that is not possible here.
fn seam(known: &Known) -> Option<Mutant> {
    match known.home {
        Home::Seam(mutant) => {
            SWITCH.inspect(|switch| switch(0));
            Some(mutant)
        }
        Home::Source => {
            SWITCH?(known.number);
            Some(Mutant::Sound)
        }
        Home::Specification(_) | Home::Schedules(_) | Home::WaitsFor(_) => None,
    }
}

/// The seeds of plans with workers of the Java library.
fn mixed_seeds() -> impl Iterator<Item = u64> + Send {
    (0..).map(|index| seed_of(BASE, index)).filter(|seed| !Options::draw(*seed).java.is_empty())
}

/// Starts so many runs of it; each gives the oracles that failed.
fn start(known: &Known, runs: u64) -> Option<Sweep<Vec<String>>> {
    let mutant = seam(known)?;
    let seeds = (0..runs).map(|index| seed_of(BASE, index));
    let judge = move |plan: Plan| {
        let report = swarm::run(&Plan { mutant, ..plan });
        report.violations.iter().map(|violation| violation.invariant.to_owned()).collect()
    };
    Some(match known.runs {
        Runs::Swarm => Sweep::start(seeds, move |seed| judge(Plan::draw(seed))),
        Runs::Mixed => {
            Sweep::start(mixed_seeds().take(usize::try_from(runs).unwrap_or(usize::MAX)), move |seed| judge(Plan::draw(seed)))
        }
        Runs::Directed(plan) => Sweep::start(seeds, move |seed| judge(plan(seed))),
        Runs::Drops => drops(runs),
    })
}

/// The oracles that fail if a coordinator is dropped at each of its polls.
fn drops(runs: u64) -> Sweep<Vec<String>> {
    let targets: Vec<_> = cancel::targets().into_iter().filter(|target| target.task == "coordinator").collect();
    let drops = cancel::drops(&targets, DROPS);
    let count = runs.min(drops.len() as u64);
    let first = |wrong: &String| wrong.split(' ').next().unwrap_or_default().to_owned();
    let one = move |index: u64| {
        let drop = usize::try_from(index).ok().and_then(|index| drops.get(index));
        let failure = drop.and_then(cancel::drop_at);
        failure.map(|failure| failure.wrong.iter().map(first).collect()).unwrap_or_default()
    };
    Sweep::start(0..count, one)
}
