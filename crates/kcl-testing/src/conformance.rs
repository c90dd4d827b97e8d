//! What every implementation of a seam must do, as tests that its author can run.
//!
//! A suite is a module of cases, each a `pub async fn` that panics if the backend breaks the rule, and a macro that makes
//! one `#[tokio::test]` of each: [`lease_store_conformance!`](crate::lease_store_conformance) and
//! [`stream_reader_conformance!`](crate::stream_reader_conformance). The macros use the caller's `tokio`, with its
//! features `macros` and `rt`. What cannot be a test of `cargo test`, such as a backend whose server has to be fetched first,
//! finds the same cases by name in [`lease_store::cases`] and [`stream_reader::cases`].
//!
//! No case sleeps or measures time. A case polls a backend that lags behind its own writes a bounded number of times,
//! with nothing in between: where that is not enough, wrap the backend in something that paces.

#![allow(clippy::missing_panics_doc, reason = "a panic is how a case says that the backend fails it")]

use std::future::Future;
use std::pin::Pin;

mod check;
pub mod lease_store;
pub mod stream_reader;

/// A case that runs.
pub type Running<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;
