//! Shard lineage: a stream that merges, splits and splits again, its lease rows, and two workers.
//!
//! What to create comes from the shipped [`plan_shard_sync`](kcl_core::plan_shard_sync), when a child may start from
//! [`Lineage::gate`](kcl_core::Lineage::gate), what to delete from [`plan_cleanup`](kcl_core::plan_cleanup), and the rows
//! of children from [`child_lease`](kcl_core::child_lease). The model adds the stream, which forgets old shards, listings
//! that are late or lack closed shards, workers that die with creations on their way, and Java workers that delete by
//! their own rules. Who owns a lease is left out: that is the other specification.

mod model;
mod stream;
#[cfg(test)]
mod tests;
mod world;

pub use model::{Action, LineageModel, Plan, State};
pub use world::{Mutant, Row, World};
