use std::sync::atomic::{AtomicU64, Ordering};

use crate::exec::NodeId;
use crate::keyed::{Stream, decide};

/// The random choices of one process, from the seed of the run.
#[derive(Debug)]
pub(super) struct Dice {
    seed: u64,
    node: NodeId,
    thrown: AtomicU64,
}

impl Dice {
    pub(super) const fn new(seed: u64, node: NodeId) -> Self {
        Self { seed, node, thrown: AtomicU64::new(0) }
    }

    /// A number below the bound; 0 if that is 0.
    pub(super) fn below(&self, bound: usize) -> usize {
        let nth = self.thrown.fetch_add(1, Ordering::Relaxed);
        let drawn = decide(self.seed, Stream::Java, (100, self.node.number(), nth));
        usize::try_from(drawn % (bound.max(1) as u64)).unwrap_or(0)
    }

    /// The same things in a random order.
    pub(super) fn shuffled<T>(&self, mut things: Vec<T>) -> Vec<T> {
        for bound in (2..=things.len()).rev() {
            things.swap(bound - 1, self.below(bound));
        }
        things
    }
}
