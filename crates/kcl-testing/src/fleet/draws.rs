use std::time::Duration;

use kcl_runtime::SeededRng;
use rand::{RngExt, SeedableRng};

/// What draws are for. Each component has a generator of its own, so that one which draws more does not change the others.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    /// What the seed stands for.
    Options = 1,
    /// What is put when.
    Producer,
    /// Which fault happens when.
    Nemesis,
    /// In which order processes run, and for how long.
    Schedule,
    /// What the application's own dependencies do.
    Outside,
    /// Which callback panics.
    Panics,
    /// Everything of one process: its latencies and the worker's own generators.
    Process,
}

/// A source of everything that is left to chance.
#[derive(Debug)]
pub(super) struct Draws(SeededRng);

impl From<SeededRng> for Draws {
    fn from(rng: SeededRng) -> Self {
        Self(rng)
    }
}

impl Draws {
    pub(super) fn new(seed: u64, purpose: Purpose, nth: u64) -> Self {
        Self(SeededRng::seed_from_u64(mix(mix(seed).wrapping_add(mix((purpose as u64) << 48 | nth)))))
    }

    /// A generator of its own for somebody else.
    pub(super) fn split(&mut self) -> SeededRng {
        SeededRng::seed_from_u64(self.0.random())
    }

    /// A number from `low` to `high`.
    pub(super) fn between(&mut self, low: u64, high: u64) -> u64 {
        self.0.random_range(low..=high.max(low))
    }

    /// An index below `count`; 0 for none.
    pub(super) fn below(&mut self, count: usize) -> usize {
        self.0.random_range(0..count.max(1))
    }

    /// Whether something happens that does so this often in 10,000 times.
    pub(super) fn happens(&mut self, often: u64) -> bool {
        self.between(0, 9_999) < often
    }

    /// A time from `low` to `high`, in milliseconds.
    pub(super) fn time(&mut self, low: Duration, high: Duration) -> Duration {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(self.between(millis(low), millis(high)))
    }

    /// One of them.
    pub(super) fn pick<T: Copy>(&mut self, of: &[T]) -> Option<T> {
        of.get(self.below(of.len())).copied()
    }
}

/// The finaliser of splitmix64: seeds that follow each other give generators that have nothing in common.
const fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ (number >> 31)
}
