//! S9: a checkpoint that was answered with success is stored, at least as far, at that moment.

use std::collections::BTreeMap;

use kcl_core::LeaseKey;

use super::{Finding, Run};
use crate::trace::{Answer, Event};

pub(super) fn check(run: Run<'_>) -> Result<(), Finding> {
    // The furthest that was ever stored: a finished row may be deleted meanwhile, and somebody may set a row back by hand.
    let mut stored = BTreeMap::new();
    for (index, entry) in run.entries.iter().enumerate() {
        match &entry.event {
            Event::Write(write) => {
                if let (true, Some(row)) = (write.applied, &write.after) {
                    let furthest = stored.entry(row.key.clone()).or_insert_with(|| row.checkpoint.clone());
                    if *furthest < row.checkpoint {
                        furthest.clone_from(&row.checkpoint);
                    }
                }
            }
            Event::Answered(tenure, checkpoint, Answer::Stored) => {
                let row = stored.get(&LeaseKey::of_shard(&tenure.shard));
                if row.is_none_or(|row| row < checkpoint) {
                    return Err((index, format!("{checkpoint} was acknowledged to {tenure:?}, stored is {row:?}")));
                }
            }
            _ => {}
        }
    }
    Ok(())
}
