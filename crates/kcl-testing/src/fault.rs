use kcl_core::ErrorKind;

pub use self::handle::FaultHandle;
pub use self::plan::{FaultCall, FaultPlan, FaultTarget};
pub use self::store::{FaultyStore, StoreCall};
pub use self::stream::{FaultyStream, StreamCall};

mod handle;
mod loss;
mod plan;
mod store;
mod stream;
#[cfg(test)]
mod tests;

/// What goes wrong with one call behind a seam.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// The call does not begin until [`FaultHandle::release`]; if its future is dropped before, it never happened.
    Delay,
    /// The call is carried out at once and its answer is held back until [`FaultHandle::release`].
    DelayReply,
    /// Nothing happens; the answer is `Throttled`.
    Throttle,
    /// Nothing happens; the answer is an error of this kind.
    FailBefore(ErrorKind),
    /// The call is carried out and its answer is lost: `Indeterminate` for `prepare` and `write`, `Unavailable` for what
    /// only reads. Records in a lost answer come with the reader's next call.
    LoseReply,
    /// A write that is still on its way when the caller gives up: the answer is `Indeterminate`, and the write happens
    /// at [`FaultyStore::apply_late`]. For any other call: nothing happens, and the answer is `Unavailable`.
    ApplyLate,
}
