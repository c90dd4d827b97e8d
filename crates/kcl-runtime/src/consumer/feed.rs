use kcl_aggregation::{Decoded, Undecodable, UserRecords, decode};
use kcl_core::{ExtendedSequenceNumber, KinesisClientRecord, PartitionKey, Record};

/// Turns the records of a read into batches of user records: takes aggregates apart lazily and leaves out what was
/// processed before.
pub(crate) struct Feed {
    records: std::vec::IntoIter<Record>,
    open: Option<OpenAggregate>,
    /// Everything up to here was processed in an earlier tenure.
    resume_after: Option<ExtendedSequenceNumber>,
    prepared: Vec<KinesisClientRecord>,
    undecodable: Vec<Undecodable>,
}

struct OpenAggregate {
    envelope: Record,
    size: u64,
    user_records: UserRecords,
}

/// An aggregate of more user records than this is taken apart over several batches in any case.
const FIRST_CAPACITY: usize = 1024;

impl Feed {
    pub(crate) fn new(resume_after: Option<ExtendedSequenceNumber>) -> Self {
        Self { records: Vec::new().into_iter(), open: None, resume_after, prepared: Vec::new(), undecodable: Vec::new() }
    }

    /// The next read. Only once everything of the one before is delivered.
    pub(crate) fn fill(&mut self, records: Vec<Record>) {
        self.records = records.into_iter();
    }

    /// Prepares the next batch of at most `most` user records; whether there is one. A prepared batch stays until it
    /// is taken.
    pub(crate) fn prepare(&mut self, most: usize) -> bool {
        if self.prepared.is_empty() {
            self.prepared.reserve(most.min(FIRST_CAPACITY));
            while self.prepared.len() < most {
                let Some(record) = self.next_user_record() else { break };
                self.prepared.push(record);
            }
        }
        !self.prepared.is_empty()
    }

    /// The position of the last prepared user record.
    pub(crate) fn prepared_up_to(&self) -> Option<ExtendedSequenceNumber> {
        self.prepared.last().map(KinesisClientRecord::extended_sequence_number)
    }

    pub(crate) fn take_prepared(&mut self) -> Vec<KinesisClientRecord> {
        std::mem::take(&mut self.prepared)
    }

    /// Why aggregates since the last call were delivered as they are.
    pub(crate) fn take_undecodable(&mut self) -> Vec<Undecodable> {
        std::mem::take(&mut self.undecodable)
    }

    fn next_user_record(&mut self) -> Option<KinesisClientRecord> {
        loop {
            if let Some(aggregate) = &mut self.open {
                if let Some(user_record) = aggregate.user_records.next() {
                    return Some(aggregate.record(user_record));
                }
                self.open = None;
            }
            let record = self.records.next()?;
            if let Some(plain) = self.unpack(record) {
                return Some(plain);
            }
        }
    }

    /// Opens an aggregate, or returns a record that is none; leaves out what was processed before.
    fn unpack(&mut self, record: Record) -> Option<KinesisClientRecord> {
        let resume_after = self.resume_after.as_ref();
        if resume_after.is_some_and(|position| record.sequence_number < position.sequence_number) {
            return None;
        }
        let again = resume_after.filter(|position| record.sequence_number == position.sequence_number);
        match decode(&record.data) {
            Decoded::Aggregate(aggregate) => {
                let mut user_records = aggregate.user_records();
                if let Some(position) = again {
                    user_records.skip_to(position.sub_sequence_number.saturating_add(1));
                }
                let size = aggregate.len() as u64;
                self.open = Some(OpenAggregate { envelope: record, size, user_records });
                None
            }
            Decoded::Undecodable(reason) if again.is_none() => {
                // One of each kind per batch is enough to count and to warn.
                if self.undecodable.len() < FIRST_CAPACITY {
                    self.undecodable.push(reason);
                }
                Some(KinesisClientRecord::plain(record))
            }
            Decoded::Plain | Decoded::Undecodable(_) => again.is_none().then(|| KinesisClientRecord::plain(record)),
        }
    }
}

impl OpenAggregate {
    fn record(&self, user_record: kcl_aggregation::UserRecord) -> KinesisClientRecord {
        let record = Record {
            data: user_record.data,
            partition_key: PartitionKey::from(std::sync::Arc::<str>::from(user_record.partition_key)),
            sequence_number: self.envelope.sequence_number.clone(),
            approximate_arrival_timestamp: self.envelope.approximate_arrival_timestamp,
        };
        KinesisClientRecord::from_aggregate(record, user_record.sub_sequence_number, user_record.explicit_hash_key, self.size)
    }
}
