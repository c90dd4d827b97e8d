//! Interleavings, leftovers and odd answers: each test names what must hold.
#![allow(clippy::unwrap_used, reason = "test support")]

mod checkpoints;
mod fencing;
mod health;
mod leases;
mod shards;
#[path = "../support/mod.rs"]
mod support;
mod wake_ups;
