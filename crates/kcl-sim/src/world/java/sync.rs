//! Which leases a shard sync of the Java library creates, and what its audit takes for a hole.

use std::collections::{BTreeMap, BTreeSet};

use kcl_core::{Checkpoint, Lease, LeaseKey, Shard, ShardId, StartStrategy};

/// Where the covered hashes end, and where they begin again.
pub(super) type Hole = (u128, u128);

/// The row of a shard that nobody owns.
pub(super) fn fresh(shard: &Shard, checkpoint: Checkpoint) -> Lease {
    let (parents, hash_range) = (shard.parents.clone(), Some(shard.hash_range));
    Lease { parents, hash_range, ..Lease::new(LeaseKey::of_shard(&shard.id), checkpoint) }
}

/// The rows that are missing, in the order in which they are created; `None` if the listing shows children of an open shard.
/// Of an empty table the shards are listed at the initial position, and each gets a row.
pub(super) fn missing(shards: &[Shard], leases: &BTreeSet<ShardId>, start: StartStrategy) -> Option<Vec<Lease>> {
    let by_id: BTreeMap<&ShardId, &Shard> = shards.iter().map(|shard| (&shard.id, shard)).collect();
    let is_open = |parent: &ShardId| by_id.get(parent).is_some_and(|parent| parent.is_open());
    if shards.iter().any(|shard| shard.parents.iter().any(is_open)) {
        return None;
    }
    let mut planned: BTreeMap<ShardId, Checkpoint> = BTreeMap::new();
    if leases.is_empty() {
        planned.extend(shards.iter().map(|shard| (shard.id.clone(), start.initial_checkpoint())));
    } else {
        let mut visit = Visit { by_id: &by_id, leases, start, known: BTreeMap::new(), should_create: BTreeSet::new(), planned };
        for shard in shards.iter().filter(|shard| shard.is_open() && !leases.contains(&shard.id)) {
            if !visit.descendant(&shard.id) {
                visit.planned.insert(shard.id.clone(), start.initial_checkpoint());
            }
        }
        planned = visit.planned;
    }
    let mut rows: Vec<(&Shard, Checkpoint)> =
        planned.into_iter().filter_map(|(id, checkpoint)| Some((*by_id.get(&id)?, checkpoint))).collect();
    rows.sort_by_key(|(shard, _)| (shard.starting_sequence_number.clone(), shard.id.clone()));
    Some(rows.into_iter().map(|(shard, checkpoint)| fresh(shard, checkpoint)).collect())
}

/// The depth-first visit of the ancestors of open shards without a lease.
struct Visit<'a> {
    by_id: &'a BTreeMap<&'a ShardId, &'a Shard>,
    leases: &'a BTreeSet<ShardId>,
    start: StartStrategy,
    known: BTreeMap<ShardId, bool>,
    should_create: BTreeSet<ShardId>,
    planned: BTreeMap<ShardId, Checkpoint>,
}

impl Visit<'_> {
    /// Whether the shard descends from one with a lease. Then the rows of its other parents are planned.
    fn descendant(&mut self, shard: &ShardId) -> bool {
        if let Some(known) = self.known.get(shard) {
            return *known;
        }
        let descends = self.look(shard);
        self.known.insert(shard.clone(), descends);
        descends
    }

    fn look(&mut self, shard: &ShardId) -> bool {
        let Some(found) = self.by_id.get(shard) else { return false };
        if self.leases.contains(shard) {
            return true;
        }
        let parents: Vec<ShardId> = found.parents.iter().filter(|parent| self.by_id.contains_key(parent)).cloned().collect();
        let (mut descends, mut descendant_parents) = (false, BTreeSet::new());
        for parent in &parents {
            if self.descendant(parent) {
                descends = true;
                descendant_parents.insert(parent.clone());
            } else if self.should_create.contains(parent) {
                descends = true;
            }
        }
        if !descends {
            if self.start != StartStrategy::Latest {
                self.should_create.insert(shard.clone());
            }
            return false;
        }
        for parent in parents.into_iter().filter(|parent| !self.leases.contains(parent)) {
            let descends = descendant_parents.contains(&parent);
            let should = self.planned.contains_key(&parent) || self.should_create.contains(&parent) || !descends;
            if should {
                let at_timestamp = matches!(self.start, StartStrategy::Timestamp(_));
                let checkpoint =
                    if descends && !at_timestamp { Checkpoint::TrimHorizon } else { self.start.initial_checkpoint() };
                self.planned.insert(parent, checkpoint);
            }
        }
        true
    }
}

/// The first hole among the hashes of unfinished leases, as the audit sees it: the end of the last range counts, not the greatest.
pub(super) fn hole<'a>(leases: impl Iterator<Item = &'a Lease>) -> Option<Hole> {
    let mut ranges: Vec<(u128, u128)> = leases
        .filter(|lease| !lease.checkpoint.is_shard_end())
        .filter_map(|lease| lease.hash_range.map(|range| (range.start, range.end)))
        .collect();
    ranges.sort_unstable();
    let (Some(first), Some(last)) = (ranges.first().copied(), ranges.last().copied()) else { return Some((0, 0)) };
    if first.0 != 0 || last.1 != u128::MAX {
        return Some((first.0, last.1));
    }
    let mut covered = first.1;
    for (start, end) in ranges {
        if start > covered && start - covered != 1 {
            return Some((covered, start));
        }
        covered = covered.max(end);
    }
    None
}

#[cfg(test)]
mod tests {
    use kcl_core::HashKeyRange;

    use super::*;

    /// `children <- parents`, open unless named as a parent. Numbers are the order of creation.
    fn graph(lines: &[(u32, &[u32])]) -> Vec<Shard> {
        let id = |number: u32| ShardId::from(format!("shard-{number:02}"));
        let closed = |number: u32| lines.iter().any(|(_, parents)| parents.contains(&number));
        let shard = |(number, parents): &(u32, &[u32])| Shard {
            id: id(*number),
            parents: parents.iter().map(|parent| id(*parent)).collect(),
            hash_range: HashKeyRange::new(0, 1).unwrap(),
            starting_sequence_number: Some(u64::from(*number).into()),
            ending_sequence_number: closed(*number).then(|| (u64::from(*number) + 100).into()),
        };
        lines.iter().map(shard).collect()
    }

    fn created(shards: &[Shard], leases: &[u32], start: StartStrategy) -> Vec<u32> {
        let leases = leases.iter().map(|number| ShardId::from(format!("shard-{number:02}"))).collect();
        let rows = missing(shards, &leases, start).unwrap();
        rows.iter().map(|row| row.key.as_str().trim_start_matches("shard-").parse().unwrap()).collect()
    }

    #[test]
    fn the_reference_vectors() {
        let a = graph(&[
            (0, &[]),
            (1, &[]),
            (2, &[]),
            (3, &[]),
            (4, &[]),
            (5, &[]),
            (6, &[0, 1]),
            (7, &[2, 3]),
            (8, &[6, 7]),
            (9, &[5]),
            (10, &[5]),
        ]);
        let vectors: [(&[u32], &[u32], &[u32]); 7] = [
            (&[3, 4, 5], &[2, 6], &[0, 1, 2]),
            (&[4, 5, 7], &[6], &[0, 1]),
            (&[2, 6], &[3, 4, 9, 10], &[3, 4, 5]),
            (&[4, 9, 10], &[8], &[0, 1, 2, 3]),
            (&[4, 5, 6, 7], &[], &[]),
            (&[0, 1, 4, 7, 9, 10], &[], &[]),
            (&[1, 2, 3, 4, 5, 7, 9, 10], &[0], &[0]),
        ];
        for (leases, latest, oldest) in vectors {
            assert_eq!(created(&a, leases, StartStrategy::Latest), latest, "{leases:?}");
            assert_eq!(created(&a, leases, StartStrategy::Oldest), oldest, "{leases:?}");
            assert_eq!(created(&a, leases, StartStrategy::Timestamp(1)), oldest, "{leases:?}");
        }
        let b =
            graph(&[(0, &[]), (1, &[]), (2, &[0, 1]), (3, &[2]), (4, &[2]), (5, &[3, 4]), (6, &[5]), (7, &[5]), (8, &[6, 7])]);
        assert_eq!(created(&b, &[6], StartStrategy::Latest), [7]);
        assert_eq!(created(&b, &[5], StartStrategy::Oldest), [0; 0]);
    }

    #[test]
    fn a_listing_with_a_child_of_an_open_shard_is_refused() {
        let mut shards = graph(&[(0, &[]), (1, &[0])]);
        shards[0].ending_sequence_number = None;
        assert_eq!(missing(&shards, &BTreeSet::new(), StartStrategy::Oldest), None);
    }

    #[test]
    fn holes() {
        let row = |start, end| Lease { hash_range: HashKeyRange::new(start, end), ..Lease::new("a".into(), Checkpoint::Latest) };
        let ended = |start, end| Lease { checkpoint: Checkpoint::ShardEnd, ..row(start, end) };
        let whole = [row(0, 9), row(10, u128::MAX)];
        assert_eq!(hole(whole.iter()), None);
        assert_eq!(hole([row(0, 9), ended(10, 19), row(20, u128::MAX)].iter()), Some((9, 20)));
        assert_eq!(hole([row(5, u128::MAX)].iter()), Some((5, u128::MAX)));
        assert_eq!(hole([].iter()), Some((0, 0)));
    }
}
