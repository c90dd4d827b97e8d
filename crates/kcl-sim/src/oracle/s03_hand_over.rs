//! S3: a tenure begins at the checkpoint that the row had when its take was applied.

use std::collections::BTreeMap;

use kcl_core::{LeaseKey, Verb};

use super::{Finding, Run};
use crate::trace::{Call, Event};

pub(super) fn check(run: Run<'_>) -> Result<(), Finding> {
    let mut taken = BTreeMap::new();
    for (index, entry) in run.entries.iter().enumerate() {
        match &entry.event {
            Event::Write(write) if write.applied && write.write.verb() == Verb::Take => {
                taken.insert((write.node, write.write.key().clone()), write.after.as_ref().map(|row| row.checkpoint.clone()));
            }
            Event::Begin(tenure, Call::Initialize(start)) => {
                let stored = taken.get(&(tenure.node, LeaseKey::of_shard(&tenure.shard)));
                if stored != Some(&Some(start.clone())) {
                    return Err((index, format!("{tenure:?} begins at {start}, its last take saw {stored:?}")));
                }
            }
            _ => {}
        }
    }
    Ok(())
}
