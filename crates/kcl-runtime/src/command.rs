use kcl_core::{CheckpointError, ChildShard, HoldId, LeaseKey, Mono, ReadError, RowChange, Shard};
use tokio::sync::oneshot;

/// Who a command is about: one tenure of one lease. Commands of an earlier tenure are ignored.
#[derive(Clone, Debug)]
pub(crate) struct Tenancy {
    pub(crate) key: LeaseKey,
    pub(crate) hold: HoldId,
}

/// How a shard's driver ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConsumerEnd {
    /// The shard's end is durable.
    Ended,
    /// The lease is gone.
    LeaseLost,
    /// The worker shuts down.
    ShutDown,
    /// The application's code panicked.
    ProcessorPanicked,
    /// The driver's task is gone: our own code panicked, or its executor went away.
    DriverGone,
    /// The shard has left the stream before it was read to its end.
    ShardGone,
}

/// What the tasks of a worker ask of its coordinator.
#[derive(Debug)]
pub(crate) enum Command {
    /// Change the row of a held lease.
    Change { tenancy: Tenancy, change: RowChange, reply: oneshot::Sender<Result<(), CheckpointError>> },
    /// All records were delivered: make sure that the children have rows. Answered once they have.
    CreateChildren { tenancy: Tenancy, children: Vec<ChildShard>, reply: oneshot::Sender<()> },
    /// The shards were listed, by a request that was made then.
    Listed(Mono, Result<Vec<Shard>, ReadError>),
}
