use crate::{HashKeyRange, SequenceNumber, ShardId, Wall};

/// A shard as the stream lists it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Shard {
    /// Its id.
    pub id: ShardId,
    /// The shards it came from: none, one after a split, two after a merge. A named parent may be gone already.
    pub parents: Vec<ShardId>,
    /// The hashes it serves.
    pub hash_range: HashKeyRange,
    /// Where its numbers begin.
    pub starting_sequence_number: Option<SequenceNumber>,
    /// Where its numbers end; `None` while the shard is open.
    pub ending_sequence_number: Option<SequenceNumber>,
}

impl Shard {
    /// Whether records can still be put on it.
    pub const fn is_open(&self) -> bool {
        self.ending_sequence_number.is_none()
    }
}

/// A shard that follows another, as the end of that one names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ChildShard {
    /// Its id.
    pub id: ShardId,
    /// All of its parents.
    pub parents: Vec<ShardId>,
    /// The hashes it serves, where they are known.
    pub hash_range: Option<HashKeyRange>,
}

impl From<&Shard> for ChildShard {
    fn from(shard: &Shard) -> Self {
        Self { id: shard.id.clone(), parents: shard.parents.clone(), hash_range: Some(shard.hash_range) }
    }
}

/// Which shards to list. The names are those of the Kinesis `ShardFilter`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ShardFilter {
    /// Every shard that the stream still keeps.
    All,
    /// The open shards.
    AtLatest,
    /// The shards that were open at the trim horizon.
    AtTrimHorizon,
    /// The shards that were open at this moment.
    AtTimestamp(Wall),
}

/// Where reading begins in a shard. The names are those of the Kinesis iterator types.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ReadPosition {
    /// The oldest record.
    TrimHorizon,
    /// After the newest record.
    Latest,
    /// The first record that arrived at or after this moment.
    AtTimestamp(Wall),
    /// This record.
    At(SequenceNumber),
    /// The record after this one.
    After(SequenceNumber),
}
