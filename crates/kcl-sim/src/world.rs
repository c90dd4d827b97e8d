//! What workers live in: a lease table on a server of its own, a stream, and the application's processors.

mod fate;
mod mutant;
mod processor;
mod store;
mod stream;
mod worker;

pub use fate::{Api, Fate, FaultMix};
pub use mutant::Mutant;
pub use processor::{Behaviour, Processors};
pub use store::{StoreClient, StoreServer};
pub use stream::{StreamClient, StreamServer};
pub use worker::Host;
