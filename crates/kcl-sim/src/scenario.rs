//! Runs: what they are made of, what happens in them, and how they went.

mod action;
pub mod cancel;
mod coverage;
pub mod curve;
mod ddmin;
mod happenings;
mod java;
mod nemesis;
mod options;
mod plan;
mod report;
pub mod scale;
mod script;
mod seeds;
mod shrink;
pub mod swarm;
mod sweep;

pub use action::{Action, ActionKind, Replacement};
pub use coverage::Coverage;
pub use java::Java;
pub use options::Options;
pub use plan::Plan;
pub use report::Report;
pub use script::{Script, call, micros, secs};
pub use seeds::seed_of;
pub use shrink::{Progress, shrink};
pub use sweep::Sweep;
