use std::collections::BTreeMap;

use kcl_core::{Lease, LeaseKey, LeaseWrite, Verb};

/// What was asked of the table in one part of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Scans of the whole table.
    pub scans: u64,
    /// Reads of one row.
    pub gets: u64,
    /// Writes that were applied and writes that were rejected, by what they were for.
    pub writes: BTreeMap<Verb, (u64, u64)>,
    /// How often each lease was taken.
    takes: BTreeMap<LeaseKey, u32>,
    /// How many of the takes were of a row that had an owner.
    pub from_owners: u64,
}

impl Tally {
    pub(super) fn applied(&mut self, write: &LeaseWrite, before: Option<&Lease>) {
        self.writes.entry(write.verb()).or_default().0 += 1;
        if write.verb() == Verb::Take {
            *self.takes.entry(write.key().clone()).or_default() += 1;
            self.from_owners += u64::from(before.is_some_and(|row| row.owner.is_some()));
        }
    }

    pub(super) fn rejected(&mut self, verb: Verb) {
        self.writes.entry(verb).or_default().1 += 1;
    }

    /// How many leases were taken.
    pub fn moved(&self) -> usize {
        self.takes.len()
    }

    /// How many leases were taken more than once.
    pub fn moved_again(&self) -> usize {
        self.takes.values().filter(|takes| **takes > 1).count()
    }

    /// Applied and rejected writes of these kinds.
    pub fn of(&self, verbs: &[Verb]) -> (u64, u64) {
        let counts = verbs.iter().filter_map(|verb| self.writes.get(verb));
        counts.fold((0, 0), |(applied, rejected), more| (applied + more.0, rejected + more.1))
    }
}
