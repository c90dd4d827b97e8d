//! The locks of this crate: the standard library's, or in `cargo xtask shuttle` those of the schedule explorer.
//!
//! What threads share is one cell for each held lease ([`LeaseCell`](crate::cell::LeaseCell)) and the board that
//! [`Worker::status`](crate::Worker::status) reads; everything else belongs to one task, or is a message between tasks.
//! No lock is held across an await, and what is decided under a lock is done under the same lock.

#[cfg(all(test, kcl_shuttle))]
pub(crate) use shuttle::sync::{Mutex, MutexGuard, PoisonError};
#[cfg(not(all(test, kcl_shuttle)))]
pub(crate) use std::sync::{Mutex, MutexGuard, PoisonError};
