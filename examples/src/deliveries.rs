//! What several workers of one process delivered together.

use std::collections::BTreeMap;
use std::fmt;

use kcl::{ExtendedSequenceNumber, ShardId, WorkerId};

/// Counts records by worker, and those that came again because a shard moved before a checkpoint.
#[derive(Debug, Default)]
pub struct Deliveries {
    workers: BTreeMap<WorkerId, u64>,
    furthest: BTreeMap<ShardId, ExtendedSequenceNumber>,
    again: u64,
    moves: u64,
}

impl Deliveries {
    /// `worker` got the record at `position`. Positions within one tenure of a shard ascend, so one that does not lie
    /// beyond the furthest was delivered before.
    pub fn add(&mut self, worker: &WorkerId, shard: &ShardId, position: ExtendedSequenceNumber) {
        *self.workers.entry(worker.clone()).or_default() += 1;
        match self.furthest.get(shard) {
            Some(furthest) if position <= *furthest => self.again += 1,
            _ => {
                self.furthest.insert(shard.clone(), position);
            }
        }
    }

    /// A shard went from one worker to another.
    pub const fn moved(&mut self) {
        self.moves += 1;
    }

    /// Records delivered, those that came again included.
    pub fn records(&self) -> u64 {
        self.workers.values().sum()
    }
}

/// One line.
impl fmt::Display for Deliveries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (records, shards) = (self.records(), self.furthest.len());
        write!(f, "records={records} again={} shards={shards} moves={}", self.again, self.moves)?;
        for (worker, records) in &self.workers {
            write!(f, " {worker}={records}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_counted_by_worker_and_repetition_by_shard() {
        let mut deliveries = Deliveries::default();
        for (worker, shard, sequence, sub_sequence) in
            [("a", "s0", 1_u64, 0), ("a", "s0", 1, 1), ("a", "s1", 1, 0), ("b", "s0", 1, 1), ("b", "s0", 2, 0)]
        {
            deliveries.add(&worker.into(), &shard.into(), ExtendedSequenceNumber::new(sequence.into(), sub_sequence));
        }
        deliveries.moved();
        assert_eq!(deliveries.to_string(), "records=5 again=1 shards=2 moves=1 a=3 b=2");
    }
}
