//! Workers of this library and real workers of the Java library on one lease table.
//!
//! `cargo xtask interop` builds and runs this; `docs/testing.md` says what is checked. The pure parts ([`journal`],
//! [`check`], [`java_log`]) have unit tests; everything else needs a JDK, Node and Python and runs in the program
//! `kcl-interop` only.

#![allow(clippy::disallowed_methods, reason = "drives processes and servers, which cannot tell when something changes")]
#![allow(clippy::future_not_send, reason = "each scenario has a thread and a runtime of its own")]
#![allow(clippy::print_stdout, reason = "the progress of a run is for whoever started it")]

pub mod check;
mod cost;
mod failure;
pub mod java_log;
pub mod journal;
mod kind;
mod leases;
mod options;
mod process;
mod producer;
mod run;
mod scenario;
mod scene;
mod second;
mod servers;
mod tools;

pub use failure::Failure;
pub use options::Options;
pub use run::run;
