use kcl_core::{HashKeyRange, SequenceNumber, Shard, ShardId};

/// How many shards there ever are: two that are merged, the merged one that is split, one of those split again, and
/// those merged again.
pub(super) const SHARDS: usize = 8;

/// The parents of each shard.
const PARENTS: [&[usize]; SHARDS] = [&[], &[], &[0, 1], &[2], &[2], &[3], &[3], &[5, 6]];
/// After which reshard each shard exists, and after which one it is closed.
const LIVES: [(u8, u8); SHARDS] = [(0, 1), (0, 1), (1, 2), (2, 3), (2, u8::MAX), (3, 4), (3, 4), (4, u8::MAX)];
const HALF: u128 = u128::MAX / 2;
const QUARTER: u128 = u128::MAX / 4;
const RANGES: [(u128, u128); SHARDS] = [
    (0, HALF),
    (HALF + 1, u128::MAX),
    (0, u128::MAX),
    (0, HALF),
    (HALF + 1, u128::MAX),
    (0, QUARTER),
    (QUARTER + 1, HALF),
    (0, HALF),
];

pub(super) const fn bit(shard: usize) -> u8 {
    1 << shard
}

/// The shards of a set of bits.
pub(super) fn members(bits: u8) -> impl Iterator<Item = usize> {
    (0..SHARDS).filter(move |&shard| bits & bit(shard) != 0)
}

pub(super) const fn parents(shard: usize) -> &'static [usize] {
    PARENTS[shard]
}

pub(super) fn children(shard: usize) -> impl Iterator<Item = usize> {
    (0..SHARDS).filter(move |&child| PARENTS[child].contains(&shard))
}

/// The shards that exist after this many reshards.
pub(super) fn existing(reshards: u8) -> u8 {
    (0..SHARDS).filter(|&shard| LIVES[shard].0 <= reshards).fold(0, |bits, shard| bits | bit(shard))
}

/// Those of them that are closed.
pub(super) fn closed(reshards: u8) -> u8 {
    (0..SHARDS).filter(|&shard| LIVES[shard].1 <= reshards).fold(0, |bits, shard| bits | bit(shard))
}

pub(super) fn id(shard: usize) -> ShardId {
    ShardId::new(shard.to_string())
}

pub(super) fn number(id: &str) -> Option<usize> {
    id.parse().ok().filter(|&shard| shard < SHARDS)
}

/// These shards, as a listing shows them after this many reshards.
pub(super) fn listing(reshards: u8, shown: u8) -> Vec<Shard> {
    let sequence = |at: usize| Some(SequenceNumber::from(at as u64 * 10));
    let shard = |number: usize| Shard {
        id: id(number),
        parents: PARENTS[number].iter().copied().map(id).collect(),
        hash_range: HashKeyRange { start: RANGES[number].0, end: RANGES[number].1 },
        starting_sequence_number: sequence(number),
        ending_sequence_number: sequence(number + 1).filter(|_| closed(reshards) & bit(number) != 0),
    };
    members(shown).map(shard).collect()
}

/// Every subset of a set of bits, itself first.
pub(super) fn subsets(bits: u8) -> impl Iterator<Item = u8> {
    (0..=u8::MAX).rev().filter(move |subset| subset & !bits == 0)
}
