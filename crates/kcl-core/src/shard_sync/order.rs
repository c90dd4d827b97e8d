use std::collections::BTreeMap;

use rand::{Rng, RngExt};

use crate::{Change, LeaseWrite};

/// The creations of a shard sync in an order of this worker's own: parents first, but each generation from a random row
/// on.
///
/// As long as nobody owns a lease every worker is leader. Workers that start together then create different rows, and
/// know by the first one that somebody else has created already that they can stop and look again. All in the same order
/// they would create every row as often as there are workers.
pub fn in_own_order(writes: Vec<LeaseWrite>, rng: &mut impl Rng) -> Vec<LeaseWrite> {
    let mut generations: Vec<Vec<LeaseWrite>> = Vec::new();
    let mut generation_of: BTreeMap<String, usize> = BTreeMap::new();
    for write in writes {
        let Change::Put(lease) = write.change() else { continue };
        let parents = lease.parents.iter().filter_map(|parent| generation_of.get(parent.as_str()));
        let generation = parents.max().map_or(0, |last| last + 1);
        generation_of.insert(write.key().to_string(), generation);
        if generation == generations.len() {
            generations.push(Vec::new());
        }
        generations[generation].push(write);
    }
    for generation in &mut generations {
        let first = rng.random_range(0..generation.len());
        generation.rotate_left(first);
    }
    generations.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand::SeedableRng;
    use rand::rngs::ChaCha8Rng;

    use super::*;
    use crate::{Checkpoint, Lease};

    #[test]
    fn every_row_once_and_parents_first() {
        let rows = [("a", ""), ("b", ""), ("c", "a"), ("d", "b"), ("e", ""), ("f", "c"), ("g", "x")];
        let write = |(id, parent): &(&str, &str)| {
            let mut lease = Lease::new((*id).into(), Checkpoint::TrimHorizon);
            lease.parents = [*parent].iter().filter(|parent| !parent.is_empty()).map(|&parent| parent.into()).collect();
            LeaseWrite::create(lease)
        };
        let mut orders = BTreeSet::new();
        for seed in 0..50 {
            let ordered = in_own_order(rows.iter().map(write).collect(), &mut ChaCha8Rng::seed_from_u64(seed));
            let order: String = ordered.iter().map(|write| write.key().as_str()).collect();
            let place = |id: &str| order.find(id).unwrap();
            assert!(place("a") < place("c") && place("b") < place("d") && place("c") < place("f"), "{order}");
            assert_eq!(order.len(), rows.len());
            orders.insert(order);
        }
        assert!(orders.len() > 4, "{orders:?}");
        assert!(in_own_order(Vec::new(), &mut ChaCha8Rng::seed_from_u64(1)).is_empty());
    }
}
