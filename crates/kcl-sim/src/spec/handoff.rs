//! Hand-off between our own workers: one lease, its owner, whoever wants it, and a third worker.
//!
//! Rows change through the verbs of the shipped [`LeaseWrite`](kcl_core::LeaseWrite): a request expects the version that was
//! seen and no other request, and leaves the counter, so that it never disturbs the owner's writes and never reaches a later
//! tenure. (A Java worker's take keeps it, as any attribute that it does not know; Java never looks at it.) What owner and
//! target do is restated here: `HeldLease` and `Requests` of kcl-core must do no more.
//!
//! The rules, which the searches showed to be enough:
//!
//! - The **owner** sees a request in the answer of any of its writes, hands nothing over any more, lets the call that runs
//!   return, stores the last checkpoint, and transfers. Once a transfer was sent nothing is handed over again in that
//!   tenure, whatever becomes of the transfer: one with an unknown result is sent again on the row as it is read.
//! - An owner whose drain takes too long **releases** without a checkpoint: the call that never returns must not keep the
//!   shard from whoever is left when the target has died.
//! - The **target** never acts on a transfer alone: it takes the row under its own name, which makes a token and a time of
//!   its own. A transfer to somebody who is gone, or does not care any more, thus is a row that nobody renews.
//! - A target that has waited too long **takes** the lease in the ordinary way, or gives up.
//! - A take with an unknown result is not believed from the row: transfer and take leave the same row. The row is taken
//!   again instead.
//!
//! There is no clock. "Too long" may be at any time; only expiry is not: a row expires when its owner does not renew it,
//! or by a pause, which [`Bounds`] counts. Otherwise every dead end would have a way out.

mod bounds;
mod model;
mod rule;
mod store;
#[cfg(test)]
mod tests;
mod worker;

pub use bounds::{Bounds, Mutant};
pub use model::{Action, HandoffModel, State};
pub use rule::Rule;
