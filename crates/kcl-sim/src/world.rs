//! What workers live in: a lease table on a server of its own, a stream, and the application's processors.

mod behaviour;
mod fate;
mod java;
mod measure;
mod mutant;
mod processor;
mod producer;
mod store;
mod store_client;
mod stream;
mod stream_client;
mod worker;

pub use behaviour::Behaviour;
pub use fate::{Api, Call, Fate, FaultKind, FaultMix, FaultPlan};
pub use java::JavaVersion;
pub(crate) use java::specified as java_specified;
pub use mutant::Mutant;
pub use processor::Processors;
pub use producer::produce;
pub use store::{Edit, StoreServer};
pub use store_client::StoreClient;
pub use stream::StreamServer;
pub use stream_client::StreamClient;
pub use worker::Host;
