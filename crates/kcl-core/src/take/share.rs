use std::collections::BTreeMap;

use rand::Rng;
use rand::seq::SliceRandom;

use crate::{Lease, LeaseKey, WorkerId};

/// How many leases each live owner has, this worker included, and how many leases there are.
pub(super) struct Counts<'a> {
    pub(super) me: &'a WorkerId,
    pub(super) of: BTreeMap<&'a WorkerId, usize>,
    pub(super) leases: usize,
    /// The most that this worker may hold.
    pub(super) max_leases: usize,
}

/// The leases out of `available` that are this worker's to take.
///
/// KCL takes as many as are missing to the fair share, rounded up, and picks them at random. In a large fleet that goes
/// wrong twice. Those who are first round up, and the last is left with fewer than the others have: leases have to move
/// again. And when many take at once most of what they pick is picked by somebody else, too. So here a lease above the
/// rounded-down share is taken only if everybody can still reach that, and all workers deal the leases out in the same
/// way: in the order of a hash, to the workers in the order of their names, to each as many as it lacks. Workers that
/// have seen the same table take different leases; the rest is decided by the store, as ever. A worker that knows of
/// nobody else picks at random, because others may be starting at the same moment. Java workers never notice.
pub(super) fn share<'a>(counts: &Counts<'_>, mut available: Vec<&'a Lease>, rng: &mut impl Rng) -> Vec<&'a Lease> {
    let mine = counts.of.get(counts.me).copied().unwrap_or(0);
    let room = counts.max_leases.saturating_sub(mine);
    if counts.of.len() <= 1 {
        available.shuffle(rng);
        available.truncate(room);
        return available;
    }
    available.sort_by_cached_key(|lease| (scattered(&lease.key), lease.key.clone()));
    let floor = counts.leases / counts.of.len();
    let lacks = |count: &usize| floor.saturating_sub(*count);
    let wanted: usize = counts.of.values().map(lacks).sum();
    let first = || counts.of.iter().take_while(|(worker, _)| **worker < counts.me).map(|(_, count)| count);
    let before: usize = first().map(lacks).sum();
    let count = available.len();
    // If there are fewer than are wanted everybody gets a part of what it lacks, rounded up.
    let place = |lacked: usize| if count < wanted { lacked * count / wanted } else { lacked };
    let end = if count < wanted { ((before + lacks(&mine)) * count).div_ceil(wanted) } else { before + lacks(&mine) };
    let mut taken: Vec<&Lease> = available.get(place(before)..end).unwrap_or_default().to_vec();
    // What is left over is dealt out one each.
    let rank = first().filter(|count| **count <= floor).count();
    if mine <= floor && count > wanted {
        taken.extend(available.get(wanted + rank));
    }
    taken.truncate(room);
    taken
}

/// The leases out of `left`, which those they were dealt to have not taken, that are this worker's to take.
///
/// Whoever has less than the share *rounded down* although there are free leases does not want more: it holds its
/// `max_leases`, or is a Java worker with other ideas. The leases are dealt to the others. If nobody has less, somebody
/// declined the one lease above that share: anybody else takes one.
pub(super) fn share_left_over<'a>(counts: &Counts<'_>, mut left: Vec<&'a Lease>, rng: &mut impl Rng) -> Vec<&'a Lease> {
    let floor = counts.leases / counts.of.len();
    let of: BTreeMap<&WorkerId, usize> = counts.of.iter().filter(|(_, count)| **count >= floor).map(|(w, c)| (*w, *c)).collect();
    let Some(&mine) = of.get(counts.me).filter(|_| !left.is_empty()) else { return Vec::new() };
    if of.len() == counts.of.len() {
        left.shuffle(rng);
        left.truncate(usize::from(mine == floor && mine < counts.max_leases));
        return left;
    }
    let leases = of.values().sum::<usize>() + left.len();
    share(&Counts { me: counts.me, of, leases, max_leases: counts.max_leases }, left, rng)
}

/// A number for a key that is the same in every process and says nothing about its neighbours: shards that came from the
/// same parent do not all go to the same worker.
fn scattered(key: &LeaseKey) -> u64 {
    // FNV-1a, and the finaliser of splitmix64, because the last letters of a shard's name are what differs.
    let hash = key.bytes().fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3));
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand::SeedableRng;
    use rand::rngs::ChaCha8Rng;

    use super::*;
    use crate::Checkpoint;

    /// What each of the workers takes that have so many leases, if they all see the same table.
    fn shares(counts: &[usize], available: usize) -> Vec<Vec<LeaseKey>> {
        let workers: Vec<WorkerId> = (0..counts.len()).map(|index| WorkerId::new(format!("w{index:03}"))).collect();
        let rows: Vec<Lease> = (0..available)
            .map(|index| Lease::new(LeaseKey::new(format!("shardId-{index:012}")), Checkpoint::TrimHorizon))
            .collect();
        let of: BTreeMap<&WorkerId, usize> = workers.iter().zip(counts.iter().copied()).collect();
        let leases = available + counts.iter().sum::<usize>();
        let taken = |me: &WorkerId| {
            let counts = Counts { me, of: of.clone(), leases, max_leases: usize::MAX };
            let taken = share(&counts, rows.iter().collect(), &mut ChaCha8Rng::seed_from_u64(1));
            taken.into_iter().map(|lease| lease.key.clone()).collect()
        };
        workers.iter().map(taken).collect()
    }

    #[test]
    fn workers_that_see_the_same_table_take_everything_and_nothing_twice() {
        let cases: [(&[usize], usize); 6] = [
            (&[1, 1, 1], 96),
            (&[1, 1, 1], 98),
            (&[30, 30, 0, 31], 43),
            (&[100; 70], 3000),
            (&[0, 0, 0, 0, 0], 3),
            (&[143, 142, 142], 2),
        ];
        for (before, available) in cases {
            let shares = shares(before, available);
            let distinct: BTreeSet<&LeaseKey> = shares.iter().flatten().collect();
            let after: Vec<usize> = before.iter().zip(&shares).map(|(count, more)| count + more.len()).collect();
            let taken: usize = shares.iter().map(Vec::len).sum();
            assert_eq!((distinct.len(), taken), (available, available), "{before:?} and {available}: {after:?}");
            let spread = after.iter().max().unwrap() - after.iter().min().unwrap();
            assert!(spread <= 1, "{before:?} and {available}: {after:?}");
        }
    }

    #[test]
    fn where_others_have_too_many_the_needy_share_what_is_free() {
        let shares = shares(&[50, 0, 0, 0], 6);
        let taken: Vec<usize> = shares.iter().map(Vec::len).collect();
        assert_eq!(taken, [0, 2, 2, 2]);
    }

    #[test]
    fn who_is_early_leaves_the_others_their_share() {
        // Ten leases, three workers: two have theirs, and one of those the one that is left over.
        let taken: Vec<usize> = shares(&[4, 3, 0], 3).iter().map(Vec::len).collect();
        assert_eq!(taken, [0, 0, 3]);
    }
}
