//! The DynamoDB lease store of the `kcl` Kinesis consumer library.
//!
//! [`DynamoLeaseStore`] is a [`kcl_core::LeaseStore`] over a table in the format of the Java library (KCL 2.x), so
//! that workers of both can share it. Rows that Java wrote are read, rows that are written are readable by Java, and
//! attributes that this crate does not know survive every write, because a row is only ever changed attribute by
//! attribute after its creation.
//!
//! Every call of the seam is one request, except `scan` (one for each page of up to 1 MB), `prepare` (one, or two
//! when it creates the table) and `fleet` (two to four). Nothing here retries, sleeps, spawns or paces; the caller does.
//!
//! Not here: writing to the tables and indexes that KCL 3.x adds, tables that serve several streams, and the decision what
//! to write.

mod attributes;
mod client;
mod decode;
mod encode;
mod error;
mod expression;
mod fleet;
mod store;
mod table;
mod unsent;

pub use store::DynamoLeaseStore;
