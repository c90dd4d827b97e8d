//! Whether the unfinished leases cover every hash: a check of the table that does not trust the planner of shard sync.

use std::collections::BTreeMap;

use crate::{HashKeyRange, Lease, LeaseKey, LeaseWrite, Shard, ShardId};

/// What an audit of the lease table found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// Ranges to fill in on rows that lack them, as rows of KCL before 2.3 do.
    pub fill: Vec<LeaseWrite>,
    /// The first hashes that no unfinished lease covers.
    pub hole: Option<Hole>,
}

/// Hashes whose records nobody reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hole {
    /// The hashes.
    pub hashes: HashKeyRange,
    /// The open shards that serve some of them and have no lease.
    pub without_lease: Vec<ShardId>,
    /// The open shards that serve some of them and whose lease says that they are finished. No sync ever reads them.
    pub finished: Vec<ShardId>,
}

/// Looks for hashes that no unfinished lease covers (`PeriodicShardSyncManager.java`). `shards` are the shards as they were
/// listed last: they tell the range of a row that lacks it, and explain a hole.
///
/// Ranges that overlap, as those of a parent and its children do, count by the end that is furthest on, not by the end of the
/// last one in order, where the Java library sees a hole that is none.
pub fn audit(leases: &[&Lease], shards: &[Shard]) -> Audit {
    let listed: BTreeMap<LeaseKey, &Shard> = shards.iter().map(|shard| (LeaseKey::of_shard(&shard.id), shard)).collect();
    let (mut ranges, mut fill) = (Vec::with_capacity(leases.len()), Vec::new());
    for lease in leases.iter().filter(|lease| !lease.checkpoint.is_shard_end()) {
        let of_shard = listed.get(&lease.key).map(|shard| shard.hash_range);
        ranges.extend(lease.hash_range.or(of_shard));
        // A Java worker cannot read a range of a single hash.
        let missing = of_shard.filter(|range| lease.hash_range.is_none() && range.start < range.end);
        fill.extend(missing.map(|range| LeaseWrite::describe_hash_range(&lease.key, range)));
    }
    let hole = uncovered(ranges).map(|hashes| explained(hashes, leases, shards));
    Audit { fill, hole }
}

fn uncovered(mut ranges: Vec<HashKeyRange>) -> Option<HashKeyRange> {
    ranges.sort_unstable();
    let mut next = 0;
    for range in ranges {
        if range.start > next {
            return HashKeyRange::new(next, range.start - 1);
        }
        // Nothing is behind the last hash.
        next = next.max(range.end.checked_add(1)?);
    }
    HashKeyRange::new(next, u128::MAX)
}

fn explained(hashes: HashKeyRange, leases: &[&Lease], shards: &[Shard]) -> Hole {
    let finished: BTreeMap<&LeaseKey, bool> = leases.iter().map(|lease| (&lease.key, lease.checkpoint.is_shard_end())).collect();
    let mut hole = Hole { hashes, without_lease: Vec::new(), finished: Vec::new() };
    let meets = |shard: &&Shard| shard.hash_range.start <= hashes.end && hashes.start <= shard.hash_range.end;
    for shard in shards.iter().filter(|shard| shard.is_open()).filter(meets) {
        match finished.get(&LeaseKey::of_shard(&shard.id)) {
            None => hole.without_lease.push(shard.id.clone()),
            Some(true) => hole.finished.push(shard.id.clone()),
            Some(false) => {}
        }
    }
    hole
}

/// How many audits in a row must see the same hole before it is believed (KCL: `leasesRecoveryAuditorInconsistencyConfidenceThreshold`).
/// One may be a moment between two writes, or a scan that is old.
const CONFIDENCE: u32 = 3;

/// Which hole the last audits saw.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct HoleWatch {
    hashes: Option<HashKeyRange>,
    times: u32,
}

impl HoleWatch {
    /// One more audit saw this, or none. How often in a row this hole was seen, once that is often enough to believe it.
    pub fn saw(&mut self, hole: Option<&Hole>) -> Option<u32> {
        let hashes = hole.map(|hole| hole.hashes);
        self.times =
            if hashes.is_some() && hashes == self.hashes { self.times.saturating_add(1) } else { hashes.map_or(0, |_| 1) };
        self.hashes = hashes;
        (self.times >= CONFIDENCE).then_some(self.times)
    }
}

#[cfg(test)]
mod tests;
