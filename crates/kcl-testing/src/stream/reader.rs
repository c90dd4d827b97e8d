use async_trait::async_trait;
use kcl_core::{ChildShard, ErrorKind, ReadError, Record, ShardEndEvent, ShardEvent, ShardId, ShardReader};

use super::MemoryStream;
use super::log::{Cursor, ShardLog};
use super::state::State;

/// Reads one shard of a [`MemoryStream`]. Its position moves in the same poll that gives the event, so that a future
/// which was dropped before has moved nothing.
#[derive(Debug)]
pub(super) struct MemoryShardReader {
    stream: MemoryStream,
    shard: ShardId,
    cursor: Cursor,
    generation: u64,
}

impl MemoryShardReader {
    pub(super) const fn new(stream: MemoryStream, shard: ShardId, cursor: Cursor, generation: u64) -> Self {
        Self { stream, shard, cursor, generation }
    }
}

#[async_trait]
impl ShardReader for MemoryShardReader {
    async fn next(&mut self) -> Result<ShardEvent, ReadError> {
        let state = self.stream.lock();
        state.check_exists("next")?;
        let log = state.log("next", &self.shard)?;
        if self.generation != state.iterator_generation {
            return Err(ReadError::new(ErrorKind::Expired, "next", self.shard.as_str()));
        }
        let rest = log.after(self.cursor);
        let (now, later) = rest.split_at(rest.len().min(state.records_per_read));
        if let Some((number, _)) = now.last() {
            self.cursor = Cursor { from: number.saturating_add(1), since: None };
        }
        let ended = later.is_empty() && log.end.is_some();
        Ok(ShardEvent {
            records: now.iter().map(|(_, record)| record.clone()).collect(),
            millis_behind_latest: Some(lag(now.last(), later.last())),
            end: ended.then(|| ShardEndEvent { children: children(&state, log) }),
        })
    }
}

/// How far the newest record arrived after the last one read: 0 only at the tip.
fn lag(read: Option<&(u64, Record)>, newest: Option<&(u64, Record)>) -> i64 {
    match (read, newest) {
        (Some((_, read)), Some((_, newest))) => {
            newest.approximate_arrival_timestamp.saturating_sub(read.approximate_arrival_timestamp).max(1)
        }
        _ => 0,
    }
}

fn children(state: &State, log: &ShardLog) -> Vec<ChildShard> {
    if !state.children_named {
        return Vec::new();
    }
    log.children.iter().filter_map(|child| state.logs.get(child)).map(|child| ChildShard::from(&child.shard)).collect()
}
