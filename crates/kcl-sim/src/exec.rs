//! The executor: one thread, one virtual clock, tasks on nodes. A ready task is picked at random from the seed; time moves
//! only when nothing is ready.

mod clock;
mod env;
mod node;
mod ready;
mod sim;
mod sleep;

pub use clock::ClockSpec;
pub use env::NodeEnv;
pub use node::NodeId;
pub use sim::{Sim, Stuck};
pub use sleep::Sleep;

#[cfg(test)]
mod tests;
