use std::collections::BTreeSet;
use std::path::Path;

use super::*;
use crate::scenario::swarm;

/// The numbers of the edits in the folder.
fn edits() -> BTreeSet<u32> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("mutants");
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter_map(|name| name.strip_prefix('M')?.strip_suffix(".edit")?.parse().ok()).collect()
}

#[test]
fn the_list_is_complete() {
    let numbers: Vec<u32> = KNOWN.iter().map(|known| known.number).collect();
    assert_eq!(numbers, (1..=48).collect::<Vec<_>>());
    let source: BTreeSet<u32> =
        KNOWN.iter().filter(|known| matches!(known.home, Home::Source)).map(|known| known.number).collect();
    // The edit with number 0 is the switch.
    assert_eq!(edits().into_iter().filter(|number| *number > 0).collect::<BTreeSet<_>>(), source);
    assert!(KNOWN.iter().all(|known| (1..=459 * 3).contains(&known.budget()) || matches!(known.home, Home::WaitsFor(_))));
}

#[test]
fn the_budget_follows_from_the_rate() {
    let with = |percent| Known { percent, ..KNOWN[0] }.budget();
    assert_eq!((with(100), with(50), with(10), with(1)), (3, 21, 132, 1377));
}

#[test]
fn every_specification_mutant_is_found() {
    for known in KNOWN.iter().filter(|known| matches!(known.home, Home::Specification(_))) {
        let found = look_for(known).unwrap();
        assert!(found.by.is_some(), "M{} {}: {} states", known.number, known.what, found.after);
    }
}

/// A run in which a mutant is to be found must not fail without it.
#[test]
fn every_directed_run_is_clean_without_its_mutant() {
    for known in &KNOWN {
        if let Runs::Directed(plan) = known.runs {
            let report = swarm::run(&plan(1));
            assert!(report.is_clean(), "M{} {}: {report}", known.number, known.what);
        }
    }
}
