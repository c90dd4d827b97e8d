//! The worker of the `kcl` Kinesis consumer library: it carries out what `kcl-core` decides.
//!
//! One *coordinator* task observes the lease table, takes, renews and gives up leases, and writes checkpoints. One
//! *driver* task for each shard reads, takes aggregates apart and calls the application's processor. Both share one
//! cell per lease that says whether the tenure may still act.
//!
//! Time, sleep, tasks and randomness come from an [`Env`] and from nowhere else, so that the same drivers run under a
//! simulator. This crate knows no AWS service: it stands on the seams of `kcl-core`.

mod answers;
mod cell;
mod command;
mod consumer;
mod coordinator;
mod env;
mod error;
mod parts;
mod port;
mod race;
#[cfg(all(test, kcl_shuttle))]
mod schedules;
mod status;
mod sync;
mod tokio_env;
mod worker;

pub use env::{Aborter, Env, SeededRng, TaskClass, TaskEnd, TaskHandle};
pub use error::{ConsumerError, StartError};
pub use parts::Backends;
pub use status::{ConsumerState, ConsumerStatus, LeaseState, LeaseStatus};
pub use tokio_env::TokioEnv;
pub use worker::Worker;
