//! What threads share, under the schedule explorer: `cargo xtask shuttle`.
//!
//! Every operation of a lock (and of the atomics in these tests) is a point where the explorer may switch threads, and so
//! is every poll of a future. It cannot see inside `tokio::sync` and `CancellationToken`: each of their calls counts as one
//! step here, and that these are sound by themselves is taken from their authors. Memory orders weaker than sequential
//! consistency do not occur: this crate has no atomics of its own.
//!
//! Each test has mutants: copies of the cell with one thing wrong, on which the very same test must fail within the same
//! number of schedules.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc, clippy::print_stdout, reason = "tests")]

mod board;
mod checkpoints;
mod explore;
mod latch;
mod loss;
mod mutants;
mod surroundings;
