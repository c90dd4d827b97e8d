//! Executable specifications: small worlds around the shipped decisions, searched exhaustively.
//!
//! A world restates only what is not in `kcl-core`: the store, the stream, the network, and the user. It has no clock;
//! what may happen may happen at any later time. Each specification comes with mutants: known mistakes that its
//! invariants must catch within the same bounds, without which a clean search would mean nothing.

pub mod bfs;
pub mod handoff;
mod intern;
pub mod lease;
pub mod lineage;
mod search;
mod size;

pub use search::{Line, search_all};
pub use size::Size;
