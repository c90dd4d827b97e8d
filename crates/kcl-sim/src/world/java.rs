//! A model of a worker of the Java library on the same lease table: KCL 2.x, or 3.x in its mode for tables of 2.x.
//!
//! It is made from the facts of that library's protocol, as a peer for tests: it knows nothing of this library's attributes,
//! leaves them where they are, and expects of a row what Java expects, the counter. What it decides is pure and has tests of
//! its own: [`choose`] and [`sync`]. Where it is kinder than the library: single rows are read strongly consistent, and a
//! listing of shards is never partial (a child whose parent is left out would start at the initial position).

mod choose;
mod cleanup;
mod consumer;
mod dice;
mod life;
mod owned;
mod peer;
mod reader;
mod renewer;
mod shard_end;
mod sync;
mod syncing;
mod table;
mod taker;
mod write;

pub(super) use peer::{Peer, Settings};
pub use write::JavaVersion;
pub(super) use write::JavaWrite;
pub(crate) use write::specified;
