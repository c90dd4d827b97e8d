//! In-memory backends, fault wrappers and conformance suites for the kcl Kinesis consumer library.

pub mod conformance;
mod fault;
mod lease_store;
mod recorder;
mod stream;
mod test_shard;

pub use fault::{Fault, FaultCall, FaultHandle, FaultPlan, FaultTarget, FaultyStore, FaultyStream, StoreCall, StreamCall};
pub use lease_store::{MemoryLeaseStore, WriteCount};
pub use recorder::RecordingCheckpointer;
pub use stream::MemoryStream;
pub use test_shard::TestShard;
