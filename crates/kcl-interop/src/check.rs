//! What the journals of a fleet prove: nothing lost, in order, parents first, checkpoints kept.

use std::collections::{BTreeMap, BTreeSet};

use kcl::ExtendedSequenceNumber;

use crate::journal::{Entry, Event};

/// What one worker wrote down, in its order.
#[derive(Clone, Debug)]
pub struct Worker {
    /// Its name.
    pub name: String,
    /// Its journal.
    pub entries: Vec<Entry>,
}

/// The finding about one run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// User records that the stream acknowledged.
    pub records: usize,
    /// Those of them that nobody processed.
    pub lost: Vec<u64>,
    /// How many records were processed that had been processed before.
    pub duplicates: usize,
    /// What else must not be, a sentence for each.
    pub broken: Vec<String>,
}

/// Judges a fleet. `parents` names the parents of each shard that has any.
pub fn check(acknowledged: &BTreeSet<u64>, workers: &[Worker], parents: &BTreeMap<String, Vec<String>>) -> Verdict {
    let mut times: BTreeMap<u64, usize> = BTreeMap::new();
    for id in workers.iter().flat_map(|worker| worker.entries.iter().filter_map(|entry| entry.id)) {
        *times.entry(id).or_default() += 1;
    }
    let mut broken = Vec::new();
    let known = known_positions(workers);
    for worker in workers {
        broken.extend(disorder(worker, &known));
    }
    broken.extend(forgotten_checkpoints(workers));
    broken.extend(early_children(workers, parents));
    Verdict {
        records: acknowledged.len(),
        lost: acknowledged.iter().filter(|id| !times.contains_key(id)).copied().collect(),
        duplicates: times.values().map(|times| times - 1).sum(),
        broken,
    }
}

type Positions<'a> = BTreeMap<&'a str, BTreeSet<&'a ExtendedSequenceNumber>>;

/// Every position at which any worker saw a record, by shard.
fn known_positions(workers: &[Worker]) -> Positions<'_> {
    let mut known = Positions::new();
    for entry in workers.iter().flat_map(|worker| &worker.entries).filter(|entry| entry.event == Event::Record) {
        known.entry(&entry.shard).or_default().extend(&entry.position);
    }
    known
}

/// In each tenure the records are exactly those that follow its start, in order, with no hole.
fn disorder(worker: &Worker, known: &Positions<'_>) -> Vec<String> {
    // The last position of each tenure that is going on; the inner `None` is the beginning of the shard.
    let mut tenures: BTreeMap<&str, Option<&ExtendedSequenceNumber>> = BTreeMap::new();
    let mut broken = Vec::new();
    for entry in &worker.entries {
        let shard = entry.shard.as_str();
        let say = |what: &str| format!("{what}: worker={} shard={shard} position={:?}", worker.name, entry.position);
        match entry.event {
            Event::Start => {
                tenures.insert(shard, entry.position.as_ref());
            }
            Event::Lost | Event::Ending | Event::Shutdown => {
                tenures.remove(shard);
            }
            Event::Record => match (tenures.get_mut(shard), &entry.position) {
                (Some(last), Some(position)) => {
                    let next = known.get(shard).and_then(|all| all.iter().find(|known| last.is_none_or(|last| **known > last)));
                    if last.is_some_and(|last| position <= last) {
                        broken.push(say("a record out of order"));
                    } else if next.is_some_and(|next| *next != position) {
                        broken.push(say("records were left out before one"));
                    }
                    *last = Some(position);
                }
                _ => broken.push(say("a record outside of a tenure")),
            },
            Event::Checkpoint => {}
        }
    }
    broken
}

/// Whoever starts on a shard starts at or behind every checkpoint that was durable before.
fn forgotten_checkpoints(workers: &[Worker]) -> Vec<String> {
    let entries = || workers.iter().flat_map(|worker| worker.entries.iter().map(move |entry| (worker, entry)));
    let mut broken = Vec::new();
    for (worker, start) in entries().filter(|(_, entry)| entry.event == Event::Start) {
        let checkpoints =
            entries().filter(|(_, entry)| entry.event == Event::Checkpoint && entry.shard == start.shard && entry.at < start.at);
        let Some((author, last)) = checkpoints.max_by_key(|(_, entry)| &entry.position) else { continue };
        if last.position > start.position {
            broken.push(format!(
                "a tenure began before a durable checkpoint: worker={} shard={} began={:?} checkpoint={:?} of={}",
                worker.name, start.shard, start.position, last.position, author.name
            ));
        }
    }
    broken
}

/// Nobody starts on a child before the end of each of its parents was reached.
fn early_children(workers: &[Worker], parents: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let entries = || workers.iter().flat_map(|worker| &worker.entries);
    let first =
        |shard: &str, event| entries().filter(|entry| entry.event == event && entry.shard == shard).map(|entry| entry.at).min();
    let mut broken = Vec::new();
    for (child, parents) in parents {
        let Some(started) = first(child, Event::Start) else { continue };
        for parent in parents {
            if first(parent, Event::Ending).is_none_or(|ended| ended > started) {
                broken.push(format!("a child started before its parent had ended: child={child} parent={parent}"));
            }
        }
    }
    broken
}

#[cfg(test)]
mod tests;
