use kcl_core::{ErrorKind, HashKeyRange, ReadError, ShardId};

use super::state::State;

impl State {
    pub(super) fn split(&mut self, shard: &ShardId) -> Result<[ShardId; 2], ReadError> {
        let range = self.open_log("split", shard)?.shard.hash_range;
        if range.start == range.end {
            let error = ReadError::new(ErrorKind::Invalid, "split", shard.as_str());
            return Err(error.with_hint("the shard serves a single hash"));
        }
        let middle = range.start + (range.end - range.start) / 2;
        self.reshards += 1;
        self.close_shard(shard);
        let low = HashKeyRange { start: range.start, end: middle };
        let high = HashKeyRange { start: middle + 1, end: range.end };
        Ok([low, high].map(|half| self.open_shard(vec![shard.clone()], half)))
    }

    pub(super) fn merge(&mut self, shard: &ShardId, adjacent: &ShardId) -> Result<ShardId, ReadError> {
        let first = self.open_log("merge", shard)?.shard.hash_range;
        let second = self.open_log("merge", adjacent)?.shard.hash_range;
        let (low, high) = if first.start < second.start { (first, second) } else { (second, first) };
        if low.end.checked_add(1) != Some(high.start) {
            let error = ReadError::new(ErrorKind::Invalid, "merge", shard.as_str());
            return Err(error.with_hint(format!("the hashes are not adjacent to those of {adjacent}")));
        }
        self.reshards += 1;
        self.close_shard(shard);
        self.close_shard(adjacent);
        let range = HashKeyRange { start: low.start, end: high.end };
        Ok(self.open_shard(vec![shard.clone(), adjacent.clone()], range))
    }

    pub(super) fn close_all(&mut self) {
        let open: Vec<_> = self.logs.values().filter(|log| log.shard.is_open()).map(|log| log.shard.id.clone()).collect();
        self.reshards += 1;
        for shard in &open {
            self.close_shard(shard);
        }
    }

    fn close_shard(&mut self, shard: &ShardId) {
        let (number, moment) = (self.take_number(), self.moment());
        if let Some(log) = self.logs.get_mut(shard) {
            log.end = Some(number);
            log.closed = Some(moment);
            log.shard.ending_sequence_number = Some(number.into());
        }
    }
}
