//! The executor: one thread, one virtual clock, tasks on nodes. A ready task is picked at random from the seed; time moves
//! only when nothing is ready.

mod clock;
mod core;
mod env;
mod node;
mod ready;
mod schedule;
mod sim;
mod sleep;

pub use self::core::{Cancel, Polled, Stuck};
pub use clock::ClockSpec;
pub use env::NodeEnv;
pub use node::NodeId;
pub use schedule::Policy;
pub use sim::Sim;
pub use sleep::Sleep;

#[cfg(test)]
mod tests;
