//! What tests of Kinesis consumers need: backends in memory, faults on demand, a simulated fleet, and suites that every
//! backend must pass.
//!
//! It stands on the seams of `kcl-core`, and [`fleet`] on `kcl-runtime`; nothing that runs in production depends on it.
//! Apart from [`Fleet`] it holds to one rule: nothing here waits for time or draws randomness. Clocks move when the test
//! moves them, and a call that is held up goes on when the test lets it. A fleet has clocks and chance of its own: both are
//! simulated and follow from its seeds.
//!
//! - **Test a processor**: [`TestShard`] makes its records and keeps its checkpoints; [`RecordingCheckpointer`] is the
//!   part below.
//! - **Test a processor under everything that can happen to it**: [`Fleet`] runs it in a few workers with faults, and checks
//!   that every record was processed and that the order of keys held.
//! - **Test a consumer**: [`MemoryLeaseStore`] and [`MemoryStream`] in place of DynamoDB and Kinesis.
//! - **Test what goes wrong**: [`FaultyStore`] and [`FaultyStream`] around any backend.
//! - **Test a backend**: the suites in [`conformance`].
//!
//! It does not speak any protocol, or imitate the limits of AWS.
//!
//! ```
//! use kcl_core::{ReadPosition, StreamReader};
//! use kcl_testing::{Fault, FaultyStream, MemoryStream, StreamCall};
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let memory = MemoryStream::new("orders", 2);
//! let (shard, _) = memory.put("customer-1", "an order");
//! let stream = FaultyStream::new(memory.clone());
//! let throttled = stream.faults().next(StreamCall::Next, Fault::Throttle);
//!
//! let mut reader = stream.open(&shard, &ReadPosition::TrimHorizon).await?;
//! assert!(reader.next().await.unwrap_err().is_retryable());
//! assert_eq!(throttled.hits(), 1);
//! assert_eq!(reader.next().await?.records.len(), 1); // the fault was for one call, and nothing is lost
//! # Ok::<(), kcl_core::ReadError>(())
//! # }).unwrap();
//! ```

pub mod conformance;
mod fault;
pub mod fleet;
mod lease_store;
mod recorder;
mod stream;
mod test_shard;

pub use fault::{Fault, FaultCall, FaultHandle, FaultPlan, FaultTarget, FaultyStore, FaultyStream, StoreCall, StreamCall};
pub use fleet::Fleet;
pub use lease_store::{MemoryLeaseStore, WriteCount};
pub use recorder::RecordingCheckpointer;
pub use stream::MemoryStream;
pub use test_shard::TestShard;
