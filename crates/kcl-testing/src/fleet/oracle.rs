//! What must hold of every run, one file each. They see the record of the run and nothing of the library's decisions.

mod acknowledged;
mod at_least_once;
mod calls;
mod checkpoint_ahead;
mod in_order;
mod key_order;
#[cfg(test)]
mod tests;

use kcl_core::ExtendedSequenceNumber;

use super::report::Violation;
use super::rule::Rule;
use super::run::PutRecord;
use super::trace::{Entry, Event};

/// What an oracle sees.
#[derive(Clone, Copy)]
pub(super) struct Record<'a> {
    /// What was put, in order.
    puts: &'a [PutRecord],
    /// What happened, in order.
    entries: &'a [Entry],
    /// Whether the application said which records are processed; otherwise its callbacks tell.
    told: bool,
}

/// The entry that shows it, and the words.
type Finding = (usize, String);
type Oracle = fn(Record<'_>) -> Option<Finding>;

/// Causes before what follows from them.
const ORACLES: [(Rule, Oracle); 9] = [
    (Rule::Library, calls::library),
    (Rule::NotEnded, calls::not_ended),
    (Rule::CheckpointAfterLoss, calls::after_loss),
    (Rule::Misuse, calls::misuse),
    (Rule::CheckpointAhead, checkpoint_ahead::check),
    (Rule::Acknowledged, acknowledged::check),
    (Rule::InOrder, in_order::check),
    (Rule::KeyOrder, key_order::check),
    (Rule::AtLeastOnce, at_least_once::check),
];

/// Everything that did not hold in this run, the first finding for each rule.
pub(super) fn audit(seed: u64, puts: &[PutRecord], entries: &[Entry]) -> Vec<Violation> {
    let told = entries.iter().any(|entry| matches!(entry.event, Event::Processed(_)));
    let record = Record { puts, entries, told };
    let violation = |(rule, check): &(Rule, Oracle)| {
        let (entry, what) = check(record)?;
        Some(Violation { rule: *rule, seed, what, entry: Some(entry) })
    };
    ORACLES.iter().filter_map(violation).collect()
}

impl<'a> Record<'a> {
    /// Which records are completely processed, in the order in which they first were or were again, and by which entry.
    fn completions(self) -> impl Iterator<Item = (usize, &'a ExtendedSequenceNumber)> {
        self.entries.iter().enumerate().flat_map(move |(index, entry)| {
            let positions = match &entry.event {
                Event::Processed(position) if self.told => std::slice::from_ref(position),
                Event::Accepted(_, positions) if !self.told => positions.as_slice(),
                _ => &[],
            };
            positions.iter().map(move |position| (index, position))
        })
    }

    fn last(self) -> usize {
        self.entries.len().saturating_sub(1)
    }

    /// The record at this position.
    fn put_at(self, position: &ExtendedSequenceNumber) -> Option<&'a PutRecord> {
        // Positions increase over the whole stream.
        let at = self.puts.binary_search_by(|record| record.position.cmp(position)).ok()?;
        self.puts.get(at)
    }
}
