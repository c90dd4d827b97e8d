//! S6: a stored checkpoint is exactly one that a tenure of that process asked for, at a record that was handed over to
//! it or at its beginning; every record up to it is processed; and the end is stored only once the shard is closed.
//!
//! The processors of a run store only what they have processed, so that nothing owed before a stored position may be
//! unprocessed. Nobody asks for the end of a shard that left the stream unread: that is how its children may start.

use std::collections::{BTreeMap, BTreeSet};

use kcl_core::{Checkpoint, ExtendedSequenceNumber, LeaseKey, ShardId};

use super::family::Family;
use super::shelf::{Put, Shelf};
use super::{Finding, Run};
use crate::exec::NodeId;
use crate::trace::{Applied, Call, Entry, Event, Tenure};

struct Books<'a> {
    shelf: Shelf,
    family: Family,
    /// What each tenure asked for while it was allowed to.
    allowed: BTreeSet<(NodeId, LeaseKey, &'a Checkpoint)>,
    /// Where each tenure began, and what it was handed.
    begun: BTreeMap<&'a Tenure, (&'a Checkpoint, BTreeSet<&'a ExtendedSequenceNumber>)>,
    open: BTreeMap<&'a Tenure, &'a [ExtendedSequenceNumber]>,
    processed: BTreeMap<&'a ShardId, BTreeSet<&'a ExtendedSequenceNumber>>,
    /// So many records of each shard are processed, or need not be, as far as was looked.
    settled: BTreeMap<ShardId, usize>,
}

impl<'a> Books<'a> {
    fn see(&mut self, entry: &'a Entry) {
        self.shelf.see(entry);
        self.family.see(entry);
        match &entry.event {
            Event::Begin(tenure, Call::Initialize(start)) => drop(self.begun.insert(tenure, (start, BTreeSet::new()))),
            Event::Begin(tenure, Call::Process(positions)) => {
                if let Some((_, handed_over)) = self.begun.get_mut(tenure) {
                    handed_over.extend(positions);
                }
                self.open.insert(tenure, positions);
            }
            Event::Processed(tenure) => {
                self.processed.entry(&tenure.shard).or_default().extend(self.open.remove(tenure).into_iter().flatten());
            }
            Event::Asked(tenure, checkpoint) => {
                let was_given = self.begun.get(tenure).is_some_and(|(start, handed_over)| match checkpoint {
                    Checkpoint::At(position) => handed_over.contains(position) || *start == checkpoint,
                    _ => checkpoint.is_shard_end(),
                });
                if was_given {
                    self.allowed.insert((tenure.node, LeaseKey::of_shard(&tenure.shard), checkpoint));
                }
            }
            // What is owed depends on how the row was created.
            Event::Write(write) if write.applied && write.before.is_none() => {
                self.settled.remove(&write.write.key().shard_id());
            }
            _ => {}
        }
    }

    /// What is wrong with an applied checkpoint.
    fn judge(&mut self, write: &'a Applied, checkpoint: &'a Checkpoint) -> Option<String> {
        let (node, key) = (write.node, write.write.key());
        let shard = key.shard_id();
        let gone = checkpoint.is_shard_end() && self.family.is_removed(&shard);
        if !gone && !self.allowed.contains(&(node, key.clone(), checkpoint)) {
            return Some(format!("{node:?} stored {checkpoint} of {key}, which no tenure of it may ask for, or did"));
        }
        if checkpoint.is_shard_end() && self.family.closed_at(&shard).is_none() {
            return Some(format!("{node:?} stored the end of {key}, which is open"));
        }
        let missing = self.first_unprocessed(&shard).filter(|missing| match checkpoint {
            Checkpoint::At(position) => missing.position <= *position,
            _ => true,
        });
        missing.map(|missing| {
            let missing = &missing.position;
            format!("{node:?} stored {checkpoint} of {key}, and {missing} is not processed")
        })
    }

    fn first_unprocessed(&mut self, shard: &ShardId) -> Option<&Put> {
        let (shelf, processed) = (&self.shelf, self.processed.get(shard));
        let is_settled = |put: &Put| {
            let is_processed = processed.is_some_and(|processed| processed.contains(&put.position));
            is_processed || shelf.is_trimmed(shard, &put.position) || !shelf.is_owed(shard, put)
        };
        let records = shelf.records(shard);
        let settled = self.settled.entry(shard.clone()).or_default();
        while records.get(*settled).is_some_and(is_settled) {
            *settled += 1;
        }
        records.get(*settled)
    }
}

pub(super) fn check(run: Run<'_>) -> Result<(), Finding> {
    let mut books = Books {
        shelf: Shelf::new(run.options),
        family: Family::default(),
        allowed: BTreeSet::new(),
        begun: BTreeMap::new(),
        open: BTreeMap::new(),
        processed: BTreeMap::new(),
        settled: BTreeMap::new(),
    };
    for (index, entry) in run.entries.iter().enumerate() {
        books.see(entry);
        if let Event::Write(write) = &entry.event
            && let (true, Some(before), Some(after)) = (write.applied, &write.before, &write.after)
            && before.checkpoint != after.checkpoint
            && let Some(wrong) = books.judge(write, &after.checkpoint)
        {
            return Err((index, wrong));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::oracle::log::{Log, at, tenure};
    use crate::trace::Event;
    use kcl_core::Checkpoint;

    /// Three records, of which the first two are processed.
    fn log() -> Log {
        let log = (1..=3).fold(Log::new().reshard(&[], &["p"]), |log, number| log.put("p", number, "key"));
        let first = tenure(1, "p", 1);
        log.create("p", Checkpoint::TrimHorizon).take(1, "p").initialize(&first, Checkpoint::TrimHorizon).process(&first, &[1, 2])
    }

    #[test]
    fn only_what_was_asked_for_and_handed_over() {
        let asked = |number| log().ask(&tenure(1, "p", 1), at(number)).checkpoint(1, "p", at(number));
        assert_eq!(asked(2).judge(check), None);
        assert!(asked(3).judge(check).unwrap().contains("which no tenure of it may ask for"));
        assert!(log().checkpoint(1, "p", at(2)).judge(check).is_some(), "nobody asked");
        assert!(asked(2).take(2, "p").checkpoint(2, "p", at(3)).judge(check).is_some(), "another process asked");
    }

    #[test]
    fn nothing_before_it_is_left_out() {
        let second = tenure(2, "p", 2);
        let skipped = log().take(2, "p").initialize(&second, at(1)).process(&second, &[3]).ask(&second, at(3));
        assert_eq!(skipped.checkpoint(2, "p", at(3)).judge(check), None, "the first tenure processed 2");
        let first = tenure(1, "p", 1);
        let unprocessed = log().hand_over(&first, &[3]).ask(&first, at(3)).checkpoint(1, "p", at(3));
        assert!(unprocessed.judge(check).unwrap().ends_with("3.0 is not processed"));
    }

    #[test]
    fn the_end_only_of_a_closed_shard_that_is_processed() {
        let first = tenure(1, "p", 1);
        let end = |log: Log| log.ask(&first, Checkpoint::ShardEnd).checkpoint(1, "p", Checkpoint::ShardEnd).judge(check);
        assert!(end(log().process(&first, &[3])).unwrap().ends_with("which is open"));
        assert!(end(log().reshard(&["p"], &["c"])).unwrap().ends_with("3.0 is not processed"));
        assert_eq!(end(log().process(&first, &[3]).reshard(&["p"], &["c"])), None);
        let gone = log().reshard(&["p"], &["c"]).event(Event::Removed("p".into()));
        assert_eq!(gone.checkpoint(1, "p", Checkpoint::ShardEnd).judge(check), None, "nobody asks for it");
    }
}
