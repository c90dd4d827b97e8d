//! Who put what, and who saw it: the proof that nothing was lost.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use kcl::KinesisClientRecord;

use crate::producer::record_id;

/// What a record is called: the number in its payload, or its place on the stream if the payload has none.
pub fn record_name(record: &KinesisClientRecord) -> String {
    match record_id(&record.record.data) {
        Some(id) => id.to_string(),
        None => format!("{}/{}", record.record.sequence_number, record.sub_sequence_number),
    }
}

/// Counts records on both sides of a stream. Shared by producer and processors.
#[derive(Debug, Default)]
pub struct Ledger {
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    /// What the stream acknowledged to the producer; empty where the producer is somebody else.
    acknowledged: BTreeSet<String>,
    /// How often each record was seen; only kept if names are.
    seen: BTreeMap<String, u64>,
    keeps_names: bool,
    deliveries: u64,
    aggregated: u64,
    shards: BTreeSet<String>,
}

/// The numbers at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Records that the stream acknowledged to the producer.
    pub acknowledged: usize,
    /// Of those, the records that a processor saw.
    pub consumed: usize,
    /// Of those, the records that no processor saw.
    pub lost: usize,
    /// Records that processors saw more than once.
    pub duplicates: usize,
    /// Records that were handed to processors, each time counted.
    pub deliveries: u64,
    /// Of those, the records that came out of aggregates.
    pub aggregated: u64,
    /// Shards that delivered records.
    pub shards: usize,
}

impl Ledger {
    /// A ledger of numbers only, for a consumer that runs for ever.
    pub fn of_numbers() -> Self {
        Self::default()
    }

    /// A ledger with the name of every record. It grows with them.
    pub fn of_names() -> Self {
        Self { counts: Mutex::new(Counts { keeps_names: true, ..Counts::default() }) }
    }

    /// The stream has acknowledged these numbered records.
    pub fn acknowledge(&self, ids: &[u64]) {
        self.counts().acknowledged.extend(ids.iter().map(u64::to_string));
    }

    /// A processor saw these records of a shard.
    pub fn see(&self, shard: &str, records: &[KinesisClientRecord]) {
        let mut counts = self.counts();
        counts.shards.insert(shard.to_owned());
        counts.deliveries += records.len() as u64;
        counts.aggregated += records.iter().filter(|record| record.is_aggregated()).count() as u64;
        if counts.keeps_names {
            for record in records {
                *counts.seen.entry(record_name(record)).or_default() += 1;
            }
        }
    }

    /// How many records were handed to processors so far.
    pub fn deliveries(&self) -> u64 {
        self.counts().deliveries
    }

    /// The numbers now. Takes time in proportion to the number of records.
    pub fn report(&self) -> Report {
        let counts = self.counts();
        let consumed = counts.acknowledged.iter().filter(|name| counts.seen.contains_key(*name)).count();
        Report {
            acknowledged: counts.acknowledged.len(),
            consumed,
            lost: counts.acknowledged.len() - consumed,
            duplicates: counts.seen.values().filter(|times| **times > 1).count(),
            deliveries: counts.deliveries,
            aggregated: counts.aggregated,
            shards: counts.shards.len(),
        }
    }

    /// At most `most` of the records that were acknowledged and not seen.
    pub fn missing(&self, most: usize) -> Vec<String> {
        let counts = self.counts();
        counts.acknowledged.iter().filter(|name| !counts.seen.contains_key(*name)).take(most).cloned().collect()
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The line that says it all. Its form is fixed: programs read it.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { acknowledged, consumed, lost, duplicates, shards, .. } = self;
        write!(f, "consumed {consumed} of {acknowledged} records from {shards} shards: {lost} lost, {duplicates} duplicates")
    }
}

#[cfg(test)]
mod tests {
    use kcl::Record;

    use super::*;
    use crate::producer::UserRecord;

    fn delivered(ids: &[u64]) -> Vec<KinesisClientRecord> {
        let record = |id: &u64| Record {
            data: UserRecord::numbered(*id, "key").data,
            partition_key: "key".into(),
            sequence_number: "4957".parse().unwrap(),
            approximate_arrival_timestamp: 0,
        };
        ids.iter().map(record).map(KinesisClientRecord::plain).collect()
    }

    #[test]
    fn what_was_acknowledged_and_not_seen_is_lost_and_what_was_seen_twice_is_a_duplicate() {
        let ledger = Ledger::of_names();
        ledger.acknowledge(&[1, 2, 3, 4]);
        ledger.see("shardId-0", &delivered(&[1, 2, 2]));
        ledger.see("shardId-1", &delivered(&[2, 4, 9]));
        let report = ledger.report();
        assert_eq!(report.to_string(), "consumed 3 of 4 records from 2 shards: 1 lost, 1 duplicates");
        assert_eq!(report.deliveries, 6);
        assert_eq!(ledger.missing(5), ["3"]);
    }

    #[test]
    fn without_names_it_only_counts() {
        let ledger = Ledger::of_numbers();
        ledger.see("shardId-0", &delivered(&[1, 1]));
        assert_eq!((ledger.deliveries(), ledger.report().duplicates, ledger.report().shards), (2, 0, 1));
    }
}
