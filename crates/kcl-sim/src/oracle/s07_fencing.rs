//! S7: a checkpoint is stored only by the tenure of the latest take, on exactly the version that it knew.

use std::collections::BTreeMap;

use kcl_core::{Expectation, Verb};

use super::{Finding, Run};

pub(super) fn check(run: Run<'_>) -> Result<(), Finding> {
    let mut holder = BTreeMap::new();
    for (index, write) in run.writes() {
        let key = write.write.key();
        match write.write.verb() {
            Verb::Take => drop(holder.insert(key.clone(), (write.node, run.entries[index].at))),
            Verb::Release | Verb::Transfer | Verb::Delete => drop(holder.remove(key)),
            Verb::Checkpoint | Verb::PrepareCheckpoint => {
                let Some((node, since)) = holder.get(key) else {
                    return Err((index, format!("{:?} stored a checkpoint of {key}, which nobody holds", write.node)));
                };
                if *node != write.node || write.sent < *since {
                    return Err((index, format!("{:?} stored a checkpoint of {key} after {node:?} took it", write.node)));
                }
                let before = write.before.as_ref().map(|row| (row.owner.clone(), row.counter));
                let expected = match write.write.expectation() {
                    Expectation::Version { owner, counter } => Some((owner.clone(), *counter)),
                    _ => None,
                };
                if expected != before {
                    return Err((index, format!("a checkpoint of {key} for {expected:?} was stored on {before:?}")));
                }
            }
            _ => {}
        }
    }
    Ok(())
}
