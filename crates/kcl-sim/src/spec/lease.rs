//! Lease fencing: two workers, one lease, and a network that may deliver any write at any later time.
//!
//! The holder is the shipped [`HeldLease`](kcl_core::HeldLease), and rows change only through the shipped
//! [`LeaseWrite::apply`](kcl_core::LeaseWrite::apply). The model adds what is around them: the network, takes that may
//! follow any read (nobody waits for an expiry, so what holds here holds for every clock), crashes, and a user who
//! asks for checkpoints. [`Rule`] lists what must hold; `P` numbers are those of `docs/protocol.md`.

mod bounds;
mod model;
mod pair;
mod rule;
mod semantics;
mod store;
mod tenure;
#[cfg(test)]
mod tests;
mod worker;

pub use bounds::{Bounds, Mutant};
pub use model::{Action, LeaseModel, State};
pub use pair::{PairAction, PairModel, PairState};
pub use rule::Rule;
pub(crate) use semantics::{expected_counter, specified};
pub use tenure::Want;
