//! S5: a stored checkpoint never goes back, and the end of a shard is for ever, also over a deletion of the row.

use std::collections::BTreeMap;

use super::{Finding, Run};

pub(super) fn check(run: Run<'_>) -> Result<(), Finding> {
    let mut highest = BTreeMap::new();
    for (index, write) in run.writes() {
        let Some(after) = &write.after else { continue };
        let before = highest.insert(after.key.clone(), after.checkpoint.clone());
        if before.as_ref().is_some_and(|before| *before > after.checkpoint) {
            return Err((index, format!("the checkpoint of {} went from {before:?} to {}", after.key, after.checkpoint)));
        }
    }
    Ok(())
}
