//! Workers of this library and real workers of the Java library on one lease table.
//!
//! `cargo xtask interop` builds and runs this; `docs/testing.md` says what is checked. The pure parts ([`journal`],
//! [`check`], [`java_log`]) have unit tests; everything else needs a JDK, Node and Python and runs in the program
//! `kcl-interop` only.

#![allow(clippy::disallowed_methods, reason = "drives processes and servers, which cannot tell when something changes")]

pub mod check;
pub mod failure;
pub mod java_log;
pub mod journal;
pub mod kind;
pub mod leases;
pub mod options;
pub mod process;
pub mod producer;
pub mod run;
pub mod scenario;
pub mod scene;
pub mod servers;
pub mod tools;
