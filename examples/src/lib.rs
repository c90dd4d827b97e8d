//! What the examples share: their command line, their logs, a producer that keeps count, and embedded servers.
//!
//! Nothing here is needed to use the library. An application reads its own configuration, sets up its own logs and has
//! its producers elsewhere; what it takes from the examples is the code in their own files.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "the ban is for the library, whose time and tasks are injected; a program uses tokio directly"
)]

pub mod checkpoints;
pub mod cli;
pub mod counters;
pub mod deliveries;
pub mod handlers;
pub mod ledger;
pub mod local;
pub mod local_run;
pub mod logging;
pub mod messages;
pub mod moves;
pub mod producer;
pub mod progress;
pub mod record_file;
pub mod retry;
pub mod signals;
pub mod traffic;
