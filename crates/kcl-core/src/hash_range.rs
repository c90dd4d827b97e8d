use std::fmt;

/// The partition-key hashes that a shard serves, inclusive on both ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HashKeyRange {
    /// The first hash.
    pub start: u128,
    /// The last hash.
    pub end: u128,
}

impl HashKeyRange {
    /// Every hash.
    pub const FULL: Self = Self { start: 0, end: u128::MAX };

    /// The range, or `None` if `start` is above `end`.
    pub const fn new(start: u128, end: u128) -> Option<Self> {
        if start <= end { Some(Self { start, end }) } else { None }
    }

    /// Whether the shard serves the hash.
    pub const fn contains(&self, hash: u128) -> bool {
        self.start <= hash && hash <= self.end
    }
}

impl fmt::Display for HashKeyRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..={}", self.start, self.end)
    }
}
