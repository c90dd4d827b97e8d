//! V6: every worker that is asked to stops, in the end without an error, and none before; then nothing is owned by anybody.

use std::collections::BTreeSet;

use super::{Finding, Run};
use crate::trace::{Event, Stage};

pub(super) fn check(run: Run<'_>) -> Result<(), Finding> {
    let (shutdown, audit) = (run.stage(Stage::Shutdown), run.stage(Stage::Audit));
    let core = run.core(shutdown);
    let mut asked = BTreeSet::new();
    for (index, entry) in run.entries.iter().enumerate() {
        match &entry.event {
            Event::AskedToStop(node) => drop(asked.insert(*node)),
            Event::Stopped(node, _) if !asked.contains(node) => {
                return Err((index, format!("{node:?} stopped by itself: {entry}")));
            }
            // Before, processors may hang, and the store may not be there.
            Event::Stopped(node, Err(error)) if index > shutdown && core.values().any(|well| well == node) => {
                return Err((index, format!("{node:?} stopped with an error: {error}")));
            }
            _ => {}
        }
    }
    if audit == run.entries.len() {
        return Ok(());
    }
    let living = run.core(audit);
    if !living.is_empty() {
        return Err((audit, format!("asked to shut down and still there: {living:?}")));
    }
    // A Java worker releases nothing.
    let java = run.java_names();
    let left = |row: &kcl_core::Lease| row.owner.as_ref().is_some_and(|owner| !java.contains(owner.as_str()));
    match run.table(audit).into_values().find(left) {
        Some(row) => Err((audit, format!("{} still belongs to {:?}", row.key, row.owner))),
        None => Ok(()),
    }
}
