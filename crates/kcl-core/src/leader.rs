use std::collections::BTreeSet;

use crate::WorkerId;

/// The pseudo-random generator of `java.util.Random`, as its documentation defines it.
struct JavaRandom(u64);

impl JavaRandom {
    const MULTIPLIER: u64 = 0x5_DEEC_E66D;
    const MASK: u64 = (1 << 48) - 1;

    const fn new(seed: u64) -> Self {
        Self((seed ^ Self::MULTIPLIER) & Self::MASK)
    }

    const fn next_31_bits(&mut self) -> u64 {
        self.0 = (self.0.wrapping_mul(Self::MULTIPLIER).wrapping_add(0xB)) & Self::MASK;
        self.0 >> 17
    }

    const fn below(&mut self, bound: u64) -> u64 {
        if bound.is_power_of_two() {
            return (bound * self.next_31_bits()) >> 31;
        }
        loop {
            let bits = self.next_31_bits();
            let value = bits % bound;
            // Java draws again where its 32-bit sum would overflow.
            if bits - value + (bound - 1) < 1 << 31 {
                return value;
            }
        }
    }
}

const ELECTION_SEED: u64 = 1947;

/// The leader among the owners of leases, as every KCL 2.x worker computes it for itself
/// (`DeterministicShuffleShardSyncLeaderDecider.java`): the first of the sorted owners after a shuffle with a fixed
/// seed. `None` if nobody owns a lease; then everybody is leader.
///
/// Two workers may disagree for some time: what a leader does must be idempotent.
pub fn elect_leader<'a>(owners: impl IntoIterator<Item = &'a WorkerId>) -> Option<WorkerId> {
    shuffled(owners).first().map(|owner| (*owner).clone())
}

fn shuffled<'a>(owners: impl IntoIterator<Item = &'a WorkerId>) -> Vec<&'a WorkerId> {
    // Most rows name one of few owners.
    let distinct: BTreeSet<&WorkerId> = owners.into_iter().collect();
    let mut owners: Vec<&WorkerId> = distinct.into_iter().collect();
    // Java orders strings by UTF-16 code units.
    owners.sort_by(|a, b| a.encode_utf16().cmp(b.encode_utf16()));
    let mut random = JavaRandom::new(ELECTION_SEED);
    for bound in (2..=owners.len()).rev() {
        let other = usize::try_from(random.below(bound as u64)).unwrap_or(0);
        owners.swap(bound - 1, other);
    }
    owners
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_javas() {
        // Produced by a JDK 17 for the names a, b, c, ...
        let orders = [
            "a",
            "ab",
            "cab",
            "dabc",
            "eacbd",
            "cdfeab",
            "cedfagb",
            "cdagehbf",
            "diafhbgce",
            "ifbgjecahd",
            "ghdebakcjfi",
            "jeicalgkbfdh",
        ];
        for order in orders {
            let owners: Vec<WorkerId> = ('a'..).take(order.len()).map(|name| WorkerId::new(name.to_string())).collect();
            let shuffled: String = shuffled(owners.iter().rev().chain(&owners)).into_iter().map(WorkerId::as_str).collect();
            assert_eq!(shuffled, order);
        }
        assert_eq!(elect_leader([]), None);
    }

    #[test]
    fn drawing_again_where_java_overflows() {
        let mut random = JavaRandom::new(ELECTION_SEED);
        let drawn: Vec<u64> = (2..=10).rev().map(|bound| random.below(bound)).collect();
        assert_eq!(drawn, [3, 7, 0, 2, 4, 3, 2, 1, 1]);
    }
}
