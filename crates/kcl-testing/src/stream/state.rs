use std::collections::BTreeMap;

use kcl_core::{ErrorKind, HashKeyRange, ReadError, SequenceNumber, ShardFilter, ShardId, Wall};
use kcl_core::{PartitionKey, Record, Shard};

use super::MemoryStream;
use super::filter::{self, Moment};
use super::log::ShardLog;

/// Everything that the handles of one stream share.
#[derive(Debug)]
pub(super) struct State {
    pub(super) name: String,
    pub(super) logs: BTreeMap<ShardId, ShardLog>,
    pub(super) next_shard: u64,
    pub(super) next_number: u64,
    pub(super) now: Wall,
    /// Whether `now` follows the machine's clock.
    pub(super) real_time: bool,
    /// How often the set of shards has changed.
    pub(super) reshards: u64,
    pub(super) horizon: Moment,
    pub(super) records_per_read: usize,
    pub(super) children_named: bool,
    pub(super) iterator_generation: u64,
    pub(super) deleted: bool,
}

impl State {
    pub(super) fn new(name: String, shard_count: u32) -> Self {
        let mut state = Self {
            name,
            logs: BTreeMap::new(),
            next_shard: 0,
            next_number: 1,
            now: MemoryStream::START,
            real_time: false,
            reshards: 0,
            horizon: Moment { reshards: 0, at: MemoryStream::START },
            records_per_read: 10_000,
            children_named: true,
            iterator_generation: 0,
            deleted: false,
        };
        state.open_first_shards(shard_count);
        state
    }

    fn open_first_shards(&mut self, shard_count: u32) {
        for range in even_ranges(u128::from(shard_count.max(1))) {
            self.open_shard(Vec::new(), range);
        }
    }

    pub(super) fn recreate(&mut self, shard_count: u32) {
        self.logs.clear();
        self.next_shard = 0;
        self.deleted = false;
        // No reader of the stream before goes on in this one.
        self.iterator_generation += 1;
        self.reshards += 1;
        self.horizon = self.moment();
        self.open_first_shards(shard_count);
    }

    pub(super) const fn moment(&self) -> Moment {
        Moment { reshards: self.reshards, at: self.now }
    }

    pub(super) fn take_number(&mut self) -> u64 {
        let number = self.next_number;
        self.next_number += 1;
        number
    }

    pub(super) fn open_shard(&mut self, parents: Vec<ShardId>, hash_range: HashKeyRange) -> ShardId {
        let id = ShardId::from(format!("shardId-{:012}", self.next_shard));
        self.next_shard += 1;
        let start = self.take_number();
        for parent in &parents {
            if let Some(parent) = self.logs.get_mut(parent) {
                parent.children.push(id.clone());
            }
        }
        let shard = Shard {
            id: id.clone(),
            parents,
            hash_range,
            starting_sequence_number: Some(start.into()),
            ending_sequence_number: None,
        };
        self.logs.insert(id.clone(), ShardLog::new(shard, start, self.moment()));
        id
    }

    pub(super) fn check_exists(&self, operation: &'static str) -> Result<(), ReadError> {
        if self.deleted {
            return Err(ReadError::new(ErrorKind::NotFound, operation, &self.name).with_hint("the stream was deleted"));
        }
        Ok(())
    }

    pub(super) fn log(&self, operation: &'static str, shard: &ShardId) -> Result<&ShardLog, ReadError> {
        self.logs.get(shard).ok_or_else(|| unknown(operation, shard))
    }

    fn log_mut(&mut self, operation: &'static str, shard: &ShardId) -> Result<&mut ShardLog, ReadError> {
        self.logs.get_mut(shard).ok_or_else(|| unknown(operation, shard))
    }

    /// The log of a shard that must be open.
    pub(super) fn open_log(&self, operation: &'static str, shard: &ShardId) -> Result<&ShardLog, ReadError> {
        let log = self.log(operation, shard)?;
        if !log.shard.is_open() {
            return Err(ReadError::new(ErrorKind::Invalid, operation, shard.as_str()).with_hint("the shard is closed"));
        }
        Ok(log)
    }

    pub(super) fn put(
        &mut self,
        partition_key: &str,
        data: &[u8],
        arrival: Wall,
    ) -> Result<(ShardId, SequenceNumber), ReadError> {
        self.check_exists("put")?;
        let hash = kcl_aggregation::hash_of(partition_key.as_bytes());
        let serving = self.logs.values().find(|log| log.shard.is_open() && log.shard.hash_range.contains(hash));
        let Some(log) = serving else {
            let hint = format!("no open shard serves the hash {hash}");
            return Err(ReadError::new(ErrorKind::Invalid, "put", &self.name).with_hint(hint));
        };
        let shard = log.shard.id.clone();
        let number = self.put_to(&shard, partition_key, data, arrival)?;
        Ok((shard, number))
    }

    pub(super) fn put_to(
        &mut self,
        shard: &ShardId,
        partition_key: &str,
        data: &[u8],
        arrival: Wall,
    ) -> Result<SequenceNumber, ReadError> {
        self.check_exists("put")?;
        self.open_log("put", shard)?;
        let number = self.take_number();
        let record = Record {
            data: data.to_vec().into(),
            partition_key: PartitionKey::from(partition_key),
            sequence_number: number.into(),
            approximate_arrival_timestamp: arrival.unix_millis(),
        };
        self.log_mut("put", shard)?.entries.push((number, record));
        Ok(number.into())
    }

    pub(super) fn trim(&mut self, shard: &ShardId, before: &SequenceNumber) -> Result<usize, ReadError> {
        Ok(self.log_mut("trim", shard)?.trim(before))
    }

    pub(super) fn trim_all(&mut self) -> usize {
        self.horizon = self.moment();
        self.logs.values_mut().map(|log| std::mem::take(&mut log.entries).len()).sum()
    }

    pub(super) fn remove_shard(&mut self, shard: &ShardId) -> Result<(), ReadError> {
        let log = self.logs.remove(shard).ok_or_else(|| unknown("remove_shard", shard))?;
        if let Some(closed) = log.closed {
            self.horizon = self.horizon.max(closed);
        }
        Ok(())
    }

    pub(super) fn shards(&self, filter: ShardFilter) -> Vec<Shard> {
        self.logs.values().filter(|log| filter::selects(filter, self.horizon, log)).map(|log| log.shard.clone()).collect()
    }
}

fn unknown(operation: &'static str, shard: &ShardId) -> ReadError {
    ReadError::new(ErrorKind::NotFound, operation, shard.as_str()).with_hint("there is no such shard")
}

/// `count` ranges that cover every hash; the last takes what does not divide.
fn even_ranges(count: u128) -> impl Iterator<Item = HashKeyRange> {
    // 2^128 / count, which itself does not fit for a count of 1: there the only range is the last.
    let width = (u128::MAX / count).saturating_add(u128::from(u128::MAX % count == count - 1));
    (0..count).map(move |index| {
        let start = width.saturating_mul(index);
        let end = if index == count - 1 { u128::MAX } else { start + (width - 1) };
        HashKeyRange { start, end }
    })
}
