//! S5: a stored checkpoint never goes back, and the end of a shard is for ever, also over a deletion of the row. Only
//! somebody who edits a row by hand sets it back.

use std::collections::BTreeMap;

use super::{Finding, Run};
use crate::trace::Event;

pub(super) fn check(run: Run<'_>) -> Result<(), Finding> {
    let mut highest = BTreeMap::new();
    for (index, entry) in run.entries.iter().enumerate() {
        let after = match &entry.event {
            Event::Write(write) if write.applied => write.after.as_ref(),
            Event::Edited(key, _, after) => {
                highest.remove(key);
                after.as_ref()
            }
            _ => None,
        };
        let Some(after) = after else { continue };
        let before = highest.insert(after.key.clone(), after.checkpoint.clone());
        if before.as_ref().is_some_and(|before| *before > after.checkpoint) {
            return Err((index, format!("the checkpoint of {} went from {before:?} to {}", after.key, after.checkpoint)));
        }
    }
    Ok(())
}
