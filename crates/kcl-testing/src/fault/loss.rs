use std::collections::BTreeSet;
use std::fmt;

use kcl_core::{Record, SequenceNumber, ShardId};

type Predicate = Box<dyn Fn(&ShardId, &Record) -> bool + Send>;

/// Which records are lost for good on the way to the readers.
#[derive(Default)]
pub(super) struct Losses {
    predicates: Vec<Predicate>,
    /// For each loss by count: how many records still pass.
    passing: Vec<u64>,
    lost: BTreeSet<(ShardId, SequenceNumber)>,
}

impl Losses {
    pub(super) fn lose_where(&mut self, predicate: Predicate) {
        self.predicates.push(predicate);
    }

    pub(super) fn lose_after(&mut self, passing: u64) {
        self.passing.push(passing);
    }

    pub(super) fn lost(&self) -> Vec<(ShardId, SequenceNumber)> {
        self.lost.iter().cloned().collect()
    }

    pub(super) fn keeps(&mut self, shard: &ShardId, record: &Record) -> bool {
        let id = (shard.clone(), record.sequence_number.clone());
        if self.lost.contains(&id) {
            return false;
        }
        let counted_out = self.passing.contains(&0);
        self.passing.retain(|passing| *passing > 0);
        for passing in &mut self.passing {
            *passing -= 1;
        }
        let lost = counted_out || self.predicates.iter().any(|predicate| predicate(shard, record));
        if lost {
            self.lost.insert(id);
        }
        !lost
    }
}

impl fmt::Debug for Losses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Losses").field("lost", &self.lost).finish_non_exhaustive()
    }
}
