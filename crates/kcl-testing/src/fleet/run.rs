use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use kcl_core::{ExtendedSequenceNumber, ShardId};

/// A record that the fleet put on the stream.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PutRecord {
    /// Its partition key.
    pub partition_key: String,
    /// Its payload.
    pub data: Vec<u8>,
    /// Where it went.
    pub shard_id: ShardId,
    /// Its position there. Positions increase over the whole stream.
    pub position: ExtendedSequenceNumber,
}

impl fmt::Debug for PutRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { partition_key, data, shard_id, position } = self;
        write!(f, "record {position} of {shard_id} (key={partition_key} data={:?})", String::from_utf8_lossy(data))
    }
}

/// One seed's run as the application's own check sees it, when everything has stopped.
#[derive(Clone, Debug)]
pub struct Run {
    pub(super) seed: u64,
    pub(super) records: Vec<PutRecord>,
}

impl Run {
    /// The seed.
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// Every record that was put, in the order in which it was.
    pub fn records(&self) -> &[PutRecord] {
        &self.records
    }

    /// Checks that every record's payload is among these. For payloads that differ, as those that are put unless
    /// [`Fleet::payload`](super::Fleet::payload) says otherwise.
    ///
    /// # Errors
    /// Which is the first that is missing, and how many are.
    pub fn expect_all<P: AsRef<[u8]>>(&self, payloads: impl IntoIterator<Item = P>) -> Result<(), String> {
        let seen: BTreeSet<Vec<u8>> = payloads.into_iter().map(|payload| payload.as_ref().to_vec()).collect();
        let missing: Vec<_> = self.records.iter().filter(|record| !seen.contains(&record.data)).collect();
        match missing.first() {
            Some(first) => {
                Err(format!("{} of {} records are missing, the first is {first:?}", missing.len(), self.records.len()))
            }
            None => Ok(()),
        }
    }

    /// Checks that for each partition key the payloads of its records appear first in the order in which they were put.
    /// Repetitions are fine. For payloads that differ.
    ///
    /// # Errors
    /// Which record came before one that was put earlier.
    pub fn expect_key_order<P: AsRef<[u8]>>(&self, payloads: impl IntoIterator<Item = P>) -> Result<(), String> {
        let index: BTreeMap<&[u8], usize> = self.records.iter().map(|record| record.data.as_slice()).zip(0..).collect();
        let mut seen = BTreeSet::new();
        let mut newest: BTreeMap<&str, usize> = BTreeMap::new();
        for payload in payloads {
            let Some(&nth) = index.get(payload.as_ref()) else { continue };
            let Some(record) = self.records.get(nth).filter(|_| seen.insert(nth)) else { continue };
            let newest = newest.entry(&record.partition_key).or_insert(nth);
            if let (true, Some(later)) = (*newest > nth, self.records.get(*newest)) {
                return Err(format!("{record:?} appears after {later:?}, which was put later"));
            }
            *newest = nth;
        }
        Ok(())
    }
}
