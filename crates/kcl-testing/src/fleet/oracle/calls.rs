//! How the application uses its checkpointer, and that the library itself does not fail.

use std::collections::BTreeSet;

use super::{Finding, Record};
use crate::fleet::trace::{Answer, Call, Entry, Event};

/// `shard_ended` calls `end`.
pub(super) fn not_ended(record: Record<'_>) -> Option<Finding> {
    let asked: BTreeSet<_> = record
        .entries
        .iter()
        .filter_map(|entry| match &entry.event {
            Event::Asked { tenure, checkpoint, .. } if checkpoint.is_shard_end() => Some(&tenure.shard),
            _ => None,
        })
        .collect();
    let mut ending = BTreeSet::new();
    record.entries.iter().enumerate().find_map(|(index, Entry { event, .. })| {
        match event {
            Event::Begin(tenure, Call::ShardEnded) => drop(ending.insert(tenure)),
            Event::End(tenure) if ending.contains(tenure) && !asked.contains(&tenure.shard) => {
                let what = format!(
                    "shard_ended of {tenure} returned without Checkpointer::end(): {} is never finished and the shards \
                     that follow it never start. Call checkpointer.end().await in shard_ended",
                    tenure.shard
                );
                return Some((index, what));
            }
            _ => {}
        }
        None
    })
}

/// `lease_lost` asks for no checkpoint.
pub(super) fn after_loss(record: Record<'_>) -> Option<Finding> {
    record.entries.iter().enumerate().find_map(|(index, entry)| {
        let Event::Asked { tenure, checkpoint, in_lease_lost: true } = &entry.event else { return None };
        let what = format!(
            "lease_lost of {tenure} asked for the checkpoint {checkpoint}: the shard is another worker's, the answer is \
             always an error. Drop what is unfinished there instead; it is delivered again elsewhere"
        );
        Some((index, what))
    })
}

/// A checkpointer is asked only for what it can store.
pub(super) fn misuse(record: Record<'_>) -> Option<Finding> {
    record.entries.iter().enumerate().find_map(|(index, entry)| {
        let Event::Answered { tenure, checkpoint, answer, .. } = &entry.event else { return None };
        let what = match answer {
            Answer::NotEnded => format!("{tenure} called end() outside of shard_ended"),
            Answer::OutOfRange { beyond: true } => format!(
                "{tenure} asked for the checkpoint {checkpoint}, which is beyond what it was given: is it a position of \
                 another shard?"
            ),
            _ => return None,
        };
        Some((index, what))
    })
}

/// The library does not fail by itself.
pub(super) fn library(record: Record<'_>) -> Option<Finding> {
    record.entries.iter().enumerate().find_map(|(index, entry)| match &entry.event {
        Event::Stopped(worker, Err(reason)) if reason.contains("defect of the library") => {
            Some((index, format!("{worker}: {reason}")))
        }
        _ => None,
    })
}
