use kcl_core::{ErrorKind, ReadError, ReadPosition, Record, SequenceNumber, Shard, ShardId, Wall};

use super::filter::Moment;

/// One shard and its records, in order.
#[derive(Debug)]
pub(super) struct ShardLog {
    pub(super) shard: Shard,
    pub(super) start: u64,
    pub(super) end: Option<u64>,
    pub(super) opened: Moment,
    pub(super) closed: Option<Moment>,
    /// The shards that follow it.
    pub(super) children: Vec<ShardId>,
    pub(super) entries: Vec<(u64, Record)>,
}

/// Where a reader goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    /// The first sequence number that is still to come.
    pub(super) from: u64,
    /// Until the first record: the time before which records are skipped.
    pub(super) since: Option<Wall>,
}

impl ShardLog {
    pub(super) const fn new(shard: Shard, start: u64, opened: Moment) -> Self {
        Self { shard, start, end: None, opened, closed: None, children: Vec::new(), entries: Vec::new() }
    }

    /// Where reading from `position` begins, at this moment. `next_number` has not been given out yet.
    pub(super) fn cursor(&self, position: &ReadPosition, next_number: u64) -> Result<Cursor, ReadError> {
        let (from, since) = match position {
            ReadPosition::TrimHorizon => (0, None),
            ReadPosition::Latest => (next_number, None),
            ReadPosition::AtTimestamp(since) => (0, Some(*since)),
            ReadPosition::At(number) => (self.number(number, next_number)?, None),
            ReadPosition::After(number) => (self.number(number, next_number)?.saturating_add(1), None),
        };
        Ok(Cursor { from, since })
    }

    /// The sequence number, if it lies within the shard. A number of another shard in the same span goes unnoticed.
    fn number(&self, number: &SequenceNumber, next_number: u64) -> Result<u64, ReadError> {
        let last = self.end.unwrap_or(next_number - 1);
        match number.as_str().parse() {
            Ok(within) if (self.start..=last).contains(&within) => Ok(within),
            Ok(_) | Err(_) => {
                let hint = format!("the sequence number {number} is not one of the shard");
                Err(ReadError::new(ErrorKind::Invalid, "open", self.shard.id.as_str()).with_hint(hint))
            }
        }
    }

    /// What is still to come at the cursor.
    pub(super) fn after(&self, cursor: Cursor) -> &[(u64, Record)] {
        let numbered = self.entries.partition_point(|(number, _)| *number < cursor.from);
        let rest = self.entries.get(numbered..).unwrap_or_default();
        let Some(since) = cursor.since else { return rest };
        match rest.iter().position(|(_, record)| record.arrival() >= since) {
            Some(index) => rest.get(index..).unwrap_or_default(),
            None => &[],
        }
    }

    pub(super) fn trim(&mut self, before: &SequenceNumber) -> usize {
        let count = self.entries.len();
        self.entries.retain(|(_, record)| record.sequence_number >= *before);
        count - self.entries.len()
    }
}
