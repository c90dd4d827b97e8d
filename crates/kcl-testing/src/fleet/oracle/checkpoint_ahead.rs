//! S6: no checkpoint passes a record that is not processed.
//!
//! What is processed is known exactly only if the application says so. Otherwise one mistake still shows: a task that asks
//! for the latest position while `process_records` is at work on it.

use std::collections::{BTreeMap, BTreeSet};

use kcl_core::{Checkpoint, ExtendedSequenceNumber};

use super::{Finding, Record};
use crate::fleet::trace::{Call, Event};

pub(super) fn check(record: Record<'_>) -> Option<Finding> {
    if record.told { ahead_of_the_work(record) } else { latest_while_busy(record) }
}

fn ahead_of_the_work(record: Record<'_>) -> Option<Finding> {
    let mut processed: BTreeSet<&ExtendedSequenceNumber> = BTreeSet::new();
    let mut handed: BTreeMap<_, BTreeSet<&ExtendedSequenceNumber>> = BTreeMap::new();
    for (index, entry) in record.entries.iter().enumerate() {
        match &entry.event {
            Event::Processed(position) => drop(processed.insert(position)),
            Event::Begin(tenure, Call::Process(positions)) => handed.entry(tenure).or_default().extend(positions),
            Event::Asked { tenure, checkpoint, in_lease_lost: false } => {
                let open = handed.entry(tenure).or_default();
                open.retain(|position| !processed.contains(position));
                let first = open.first().filter(|first| Checkpoint::At((**first).clone()) <= *checkpoint);
                if let Some(put) = first.and_then(|first| record.put_at(first)) {
                    let what = format!(
                        "{tenure} asked for the checkpoint {checkpoint} before {put:?} was processed: should the process \
                         end now, the record is lost. Checkpoint only once the work on every record up to the position is done"
                    );
                    return Some((index, what));
                }
            }
            _ => {}
        }
    }
    None
}

fn latest_while_busy(record: Record<'_>) -> Option<Finding> {
    record.entries.iter().enumerate().find_map(|(index, entry)| {
        let Event::LatestWhileBusy(tenure, open) = &entry.event else { return None };
        let what = format!(
            "another task of {tenure} called checkpoint_latest while process_records was at work on {:?}: it stores what \
             was handed over, not what is processed. Checkpoint the position of the last record that is done",
            record.put_at(open)?
        );
        Some((index, what))
    })
}
