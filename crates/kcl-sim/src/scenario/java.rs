use std::collections::BTreeSet;
use std::time::Duration;

use crate::keyed::{Stream, between, decide};
use crate::world::JavaVersion;

/// One plan in so many has workers of the Java library.
const ONE_IN: u64 = 5;
/// So many processes of a run are decided on; no run has more.
const PROCESSES: u64 = 400;

/// Which processes of a run are workers of the Java library, by the number of their start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Java {
    /// Those of KCL 2.x.
    pub two: BTreeSet<u64>,
    /// Those of KCL 3.x in its mode for tables of 2.x.
    pub three: BTreeSet<u64>,
    /// How much later than those the first workers of this library start: then the table is the work of a Java worker.
    pub first_by: Duration,
}

impl Java {
    /// What this seed stands for: none, or from one to all but one of the first workers, and of the later ones as many by chance.
    pub(super) fn draw(seed: u64, workers: u64) -> Self {
        let number = |what, nth, low, high| between(seed, Stream::Java, (what, nth, 0), low, high);
        if workers < 2 || !decide(seed, Stream::Java, (1, 0, 0)).is_multiple_of(ONE_IN) {
            return Self::default();
        }
        let (count, turn) = (number(2, 0, 1, workers - 1), number(3, 0, 0, workers - 1));
        let is_java = |nth: &u64| {
            let place = if *nth <= workers { (nth + turn) % workers } else { number(4, *nth, 0, workers - 1) };
            place < count
        };
        let first_by = if number(6, 0, 0, 1) == 0 { Duration::ZERO } else { Duration::from_secs(number(6, 1, 5, 45)) };
        let (two, three) = (1..=PROCESSES).filter(is_java).partition(|nth| number(5, *nth, 0, 1) == 0);
        Self { two, three, first_by }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.two.is_empty() && self.three.is_empty()
    }

    /// What the nth process is, if it is one of them.
    pub fn version(&self, nth: u64) -> Option<JavaVersion> {
        let three = self.three.contains(&nth).then_some(JavaVersion::Three);
        self.two.contains(&nth).then_some(JavaVersion::Two).or(three)
    }

    /// How much longer a fleet with them takes to settle: they look every two failover times, and steal one lease at a time.
    pub(super) fn settles(&self, failover: Duration) -> Duration {
        if self.is_empty() { Duration::ZERO } else { failover * 40 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_plan_in_five_is_mixed_and_none_is_without_ours() {
        let plans: Vec<(u64, Java)> = (0..1_000).map(|seed| (2 + seed % 7, Java::draw(seed, 2 + seed % 7))).collect();
        let mixed = plans.iter().filter(|(_, java)| !java.is_empty()).count();
        assert!((150..250).contains(&mixed), "{mixed}");
        for (workers, java) in plans.iter().filter(|(_, java)| !java.is_empty()) {
            let first = (1..=*workers).filter(|nth| java.version(*nth).is_some()).count() as u64;
            assert!((1..*workers).contains(&first), "{first} of {workers}");
        }
        assert!((0..1_000).all(|seed| Java::draw(seed, 1).is_empty()));
    }
}
