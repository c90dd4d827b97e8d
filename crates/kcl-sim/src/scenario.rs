//! Runs made from a seed.

mod nemesis;
mod options;
mod regressions;
mod report;
pub mod scale;
pub mod swarm;

pub use options::Options;
pub use regressions::{REGRESSIONS, seed_of};
pub use report::Report;
