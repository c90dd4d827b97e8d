//! The switch of the source mutants. Only in copies of the crates.

use std::sync::atomic::{AtomicU32, Ordering};

static ON: AtomicU32 = AtomicU32::new(0);

/// Turns one on.
pub fn set(number: u32) {
    ON.store(number, Ordering::Relaxed);
}

/// Whether this one is on.
pub fn is_on(number: u32) -> bool {
    ON.load(Ordering::Relaxed) == number
}
