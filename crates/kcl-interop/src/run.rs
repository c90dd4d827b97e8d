//! A run: prepare, play, compare, and say how each scenario ended.

mod report;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::cost;
use crate::failure::Failure;
use crate::kind::Generation;
use crate::options::Options;
use crate::process;
use crate::scenario::{Play, plays};
use crate::scene::{Outcome, Stage, java};
use crate::second;
use crate::servers::Servers;
use crate::tools::{self, Tools};

/// Runs what the options ask for. Yields whether all is well.
///
/// # Errors
/// If not even the services come up.
pub fn run(options: &Options) -> Result<bool, Failure> {
    let program = std::env::current_exe().map_err(|error| Failure::of("where is this program?", &error))?;
    if options.second_servers {
        return second::run(&build_folder(&program)?, options);
    }
    if options.cost {
        return cost::run(&build_folder(&program)?, program.with_file_name("kcl-interop-worker"), options);
    }
    let only = options.only.as_deref().unwrap_or_default();
    let mut chosen = plays(options.short);
    chosen.retain(|play| play.name().contains(only));
    if chosen.is_empty() {
        return Err(Failure::new(format!("there is no such scenario: {only}")));
    }
    if options.list {
        chosen.iter().for_each(|play| println!("{}", play.name()));
        return Ok(true);
    }
    let began = Instant::now();
    let folder = build_folder(&program)?;
    let tools = Tools::prepare(&folder, program.with_file_name("kcl-interop-worker"));
    println!("prepared after {:.1} s", began.elapsed().as_secs_f64());

    let (playable, skipped) = sort_out(chosen, &tools);
    let outcomes = match &tools.kinesis {
        Ok(kinesis) if !playable.is_empty() => {
            let servers = Servers::start(kinesis, &folder)?;
            play_all(playable, Arc::new(Stage { tools, servers, folder }), options.parallel)
        }
        _ => Vec::new(),
    };
    println!("played after {:.1} s\n", began.elapsed().as_secs_f64());
    let fine = report::print(&outcomes, &skipped);
    Ok(fine && (skipped.is_empty() || options.allow_skip))
}

/// `interop/` in the build folder that this program is in. What was fetched for earlier runs is there already.
fn build_folder(program: &Path) -> Result<std::path::PathBuf, Failure> {
    let target = program.parent().and_then(Path::parent).ok_or_else(|| Failure::new("this program is in no build folder"))?;
    let folder = target.join("interop");
    tools::make(&folder)?;
    Ok(folder)
}

/// What can be played, and what cannot and why.
fn sort_out(plays: Vec<Play>, tools: &Tools) -> (Vec<Play>, Vec<(String, Failure)>) {
    let mut playable = Vec::new();
    let mut skipped = Vec::new();
    for play in plays {
        let lacking = play.generations().find_map(|generation| tools.java.get(&generation)?.as_ref().err());
        match tools.kinesis.as_ref().err().or(lacking) {
            Some(why) => skipped.push((play.name(), why.clone())),
            None => playable.push(play),
        }
    }
    (playable, skipped)
}

/// Plays all, a few at a time. Each has a thread and a runtime of its own.
fn play_all(plays: Vec<Play>, stage: Arc<Stage>, parallel: u32) -> Vec<(Play, Outcome)> {
    let order = plays.clone();
    let queue = Mutex::new(VecDeque::from(plays));
    let outcomes = Mutex::new(Vec::new());
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    std::thread::scope(|scope| {
        for _ in 0..parallel {
            scope.spawn(|| {
                while let Some(play) = next() {
                    let began = Instant::now();
                    let outcome = play_one(play, Arc::clone(&stage));
                    let why = outcome.failed.as_ref().map(|failure| format!(": {failure}")).unwrap_or_default();
                    println!("{}: {outcome}, {:.0} s{why}", play.name(), began.elapsed().as_secs_f64());
                    outcomes.lock().unwrap_or_else(PoisonError::into_inner).push((play, outcome));
                }
            });
        }
    });
    let mut outcomes = outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
    outcomes.sort_by_key(|(play, _)| order.iter().position(|other| other == play));
    compare_rows(&mut outcomes, &stage);
    outcomes
}

fn play_one(play: Play, stage: Arc<Stage>) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime {
        Ok(runtime) => runtime.block_on(play.run(stage)),
        Err(error) => Outcome::failed(Failure::of("cannot start a runtime", &error)),
    }
}

/// Every version of the Java library lists every table; each row has to be what our store reads.
fn compare_rows(outcomes: &mut [(Play, Outcome)], stage: &Stage) {
    let tables: Vec<String> = outcomes.iter().filter_map(|(_, outcome)| Some(outcome.rows.as_ref()?.0.clone())).collect();
    for generation in Generation::ALL {
        let Some(Ok(class_path)) = stage.tools.java.get(&generation) else { continue };
        let mut list = java(class_path, "ListLeases");
        stage.servers.lead(list.args(&tables));
        let listing = process::output(&mut list);
        for (_, outcome) in outcomes.iter_mut().filter(|(_, outcome)| outcome.failed.is_none()) {
            let Some((table, expected)) = &outcome.rows else { continue };
            let wrong = match &listing {
                Ok(listing) => differences(expected, &of_table(listing, table)),
                Err(failure) => Some(failure.to_string()),
            };
            outcome.failed = wrong
                .map(|wrong| Failure::new(format!("Java {} does not read the rows that we read: {wrong}", generation.version())));
        }
    }
}

/// The lines of a listing that are about a table, sorted.
fn of_table(listing: &str, table: &str) -> Vec<String> {
    let about = |line: &&str| line.split('\t').nth(1) == Some(table);
    let mut lines: Vec<String> = listing.lines().filter(about).map(str::to_owned).collect();
    lines.sort();
    lines
}

fn differences(expected: &[String], found: &[String]) -> Option<String> {
    let (ours, theirs): (BTreeSet<_>, BTreeSet<_>) = (expected.iter().collect(), found.iter().collect());
    if ours == theirs && !ours.is_empty() {
        return None;
    }
    let only = BTreeMap::from([
        ("we read", ours.difference(&theirs).collect::<Vec<_>>()),
        ("Java reads", theirs.difference(&ours).collect::<Vec<_>>()),
    ]);
    Some(format!("{only:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_is_compared_row_by_row() {
        let listing = "lease\tone\tb\t-\nlease\tone\ta\tme\nlease\tother\tc\t-\n";
        assert_eq!(of_table(listing, "one"), ["lease\tone\ta\tme", "lease\tone\tb\t-"]);
        let rows = |rows: &[&str]| rows.iter().map(|row| (*row).to_owned()).collect::<Vec<_>>();
        assert_eq!(differences(&rows(&["a", "b"]), &rows(&["b", "a"])), None);
        assert!(differences(&rows(&["a"]), &rows(&["b"])).is_some_and(|text| text.contains("we read\": [\"a\"]")));
        assert!(differences(&[], &[]).is_some(), "a table without rows shows nothing");
    }
}
