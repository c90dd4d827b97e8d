//! V6: every worker that is asked to stops, without an error, none before; then nothing is owned by anybody.

use super::{Finding, Run};
use crate::trace::{Event, Stage};

pub(super) fn check(run: Run<'_>) -> Result<(), Finding> {
    let (shutdown, audit) = (run.stage(Stage::Shutdown), run.stage(Stage::Audit));
    for (index, entry) in run.entries.iter().enumerate() {
        match &entry.event {
            Event::Stopped(node, _) if index < shutdown => return Err((index, format!("{node:?} stopped by itself: {entry}"))),
            Event::Stopped(node, Err(error)) => return Err((index, format!("{node:?} stopped with an error: {error}"))),
            _ => {}
        }
    }
    let living = run.workers(audit);
    if audit < run.entries.len() && !living.is_empty() {
        return Err((audit, format!("asked to shut down and still there: {living:?}")));
    }
    match run.table(audit).into_values().find(|row| row.owner.is_some()) {
        Some(row) if audit < run.entries.len() => Err((audit, format!("{} still belongs to {:?}", row.key, row.owner))),
        _ => Ok(()),
    }
}
