//! S17: the records of a partition key are processed for the first time in the order in which they were put, across
//! splits, merges and moves of leases.
//!
//! A record that retention removed, and one that nobody is owed, hold up nothing.

use std::collections::BTreeMap;

use kcl_core::{ExtendedSequenceNumber, ShardId};

use super::shelf::{Put, Shelf};
use super::{Finding, Run};
use crate::trace::{Call, Entry, Event};

/// One record of a key.
struct Record<'a> {
    shard: &'a ShardId,
    put: Put,
    processed: bool,
}

/// The records of a key in the order of their puts, and how many of them are settled.
#[derive(Default)]
struct Queue<'a> {
    records: Vec<Record<'a>>,
    settled: usize,
}

impl<'a> Queue<'a> {
    /// The first record that had to be processed before the nth, and was not.
    fn process(&mut self, nth: usize, shelf: &Shelf) -> Option<&Record<'a>> {
        let record = self.records.get_mut(nth)?;
        if std::mem::replace(&mut record.processed, true) {
            return None;
        }
        let is_settled = |record: &Record<'_>| {
            let (shard, put) = (record.shard, &record.put);
            record.processed || shelf.is_trimmed(shard, &put.position) || !shelf.is_owed(shard, put)
        };
        while self.records.get(self.settled).is_some_and(is_settled) {
            self.settled += 1;
        }
        self.records.get(self.settled).filter(|_| self.settled < nth)
    }
}

#[derive(Default)]
struct Keys<'a> {
    queues: BTreeMap<&'a str, Queue<'a>>,
    /// Where each record is: its key, and its place in the queue.
    places: BTreeMap<(&'a ShardId, &'a ExtendedSequenceNumber), (&'a str, usize)>,
}

impl<'a> Keys<'a> {
    fn put(&mut self, entry: &'a Entry, shelf: &Shelf) {
        let Event::Put(shard, position, key) = &entry.event else { return };
        let Some(put) = shelf.records(shard).last().cloned() else { return };
        let queue = self.queues.entry(key).or_default();
        self.places.insert((shard, position), (key, queue.records.len()));
        queue.records.push(Record { shard, put, processed: false });
    }

    fn process(&mut self, shard: &ShardId, position: &ExtendedSequenceNumber, shelf: &Shelf) -> Option<String> {
        let (key, nth) = *self.places.get(&(shard, position))?;
        let missing = self.queues.get_mut(key)?.process(nth, shelf)?;
        let earlier = &missing.put.position;
        Some(format!("{key}: {position} of {shard} was processed before {earlier} of {}", missing.shard))
    }
}

pub(super) fn check(run: Run<'_>) -> Result<(), Finding> {
    let (mut shelf, mut keys) = (Shelf::new(run.options), Keys::default());
    let mut open = BTreeMap::new();
    for (index, entry) in run.entries.iter().enumerate() {
        shelf.see(entry);
        keys.put(entry, &shelf);
        match &entry.event {
            Event::Begin(tenure, Call::Process(positions)) => drop(open.insert(tenure, positions)),
            Event::Processed(tenure) => {
                for position in open.remove(tenure).into_iter().flatten() {
                    if let Some(wrong) = keys.process(&tenure.shard, position, &shelf) {
                        return Err((index, wrong));
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::oracle::log::{Log, position, tenure};
    use crate::trace::Event;
    use kcl_core::Checkpoint;

    /// A key's records before and after a split, and one of another key.
    fn log() -> Log {
        let log = Log::new().reshard(&[], &["p"]).create("p", Checkpoint::TrimHorizon);
        log.put("p", 1, "k").reshard(&["p"], &["c"]).put("c", 5, "k").put("c", 6, "other").put("c", 7, "k")
    }

    #[test]
    fn a_key_is_in_order_across_shards() {
        let (parent, child) = (tenure(1, "p", 1), tenure(2, "c", 2));
        assert_eq!(log().process(&parent, &[1]).process(&child, &[5, 6, 7]).judge(check), None);
        assert_eq!(log().process(&child, &[6]).judge(check), None, "another key");
        let early = log().process(&child, &[5]).judge(check).unwrap();
        assert_eq!(early, "k: 5.0 of c was processed before 1.0 of p");
        assert!(log().process(&parent, &[1]).process(&child, &[7]).judge(check).is_some());
        assert_eq!(log().hand_over(&child, &[5]).process(&parent, &[1]).judge(check), None, "not processed");
        assert_eq!(log().process(&parent, &[1]).process(&child, &[5]).process(&parent, &[1]).judge(check), None, "again");
    }

    #[test]
    fn what_retention_removed_holds_up_nothing() {
        let trimmed = log().event(Event::Trimmed("p".into(), position(2).sequence_number));
        assert_eq!(trimmed.process(&tenure(2, "c", 2), &[5]).judge(check), None);
    }
}
