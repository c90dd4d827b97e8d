//! What happened in a run, in order: the only thing that oracles see.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kcl_core::{
    Checkpoint, CheckpointError, ErrorKind, ExtendedSequenceNumber, Lease, LeaseKey, LeaseWrite, ReadPosition, SequenceNumber,
    Shard, ShardFilter, ShardId, Verb, WorkerId,
};

use crate::exec::{NodeId, Sim};
use crate::scenario::Action;
use crate::world::{Api, Fate, JavaVersion};

/// One tenure as the application sees it: one processor.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tenure {
    /// The process.
    pub node: NodeId,
    /// The shard.
    pub shard: ShardId,
    /// Its number in the run, from 1.
    pub number: u64,
}

/// A callback.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    /// `initialize`, with the position at which it was told that reading begins.
    Initialize(Checkpoint),
    /// `process_records`, with the positions handed over.
    Process(Vec<ExtendedSequenceNumber>),
    /// `shard_ended`.
    ShardEnded,
    /// `shutdown_requested`.
    ShutdownRequested,
    /// `lease_lost`.
    LeaseLost,
}

/// How a checkpoint was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// Durable.
    Stored,
    /// The lease is lost.
    LeaseLost,
    /// Anything else.
    Refused,
}

impl From<&Result<(), CheckpointError>> for Answer {
    fn from(result: &Result<(), CheckpointError>) -> Self {
        match result {
            Ok(()) => Self::Stored,
            Err(CheckpointError::LeaseLost) => Self::LeaseLost,
            Err(_) => Self::Refused,
        }
    }
}

/// How a write was answered, as its sender sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Told {
    /// It was applied.
    Applied,
    /// The row was not as expected.
    Rejected,
    /// An error.
    Failed(ErrorKind),
}

/// A write as the store's server decided it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Applied {
    /// Who sent it.
    pub node: NodeId,
    /// When it was sent.
    pub sent: Duration,
    /// What was sent.
    pub write: LeaseWrite,
    /// The row before.
    pub before: Option<Lease>,
    /// The row after, if it was applied and is no deletion.
    pub after: Option<Lease>,
    /// Whether it was applied.
    pub applied: bool,
}

/// The parts of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Faults begin.
    Chaos,
    /// No more faults; everything cut or paused comes back.
    Heal,
    /// Everything should have settled.
    Quiet,
    /// Quiet is over; workers shut down.
    Shutdown,
    /// All workers have stopped.
    Audit,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::large_enum_variant, reason = "most events are of the large kind")]
pub enum Event {
    /// The run enters a part.
    Enter(Stage),
    /// The nemesis does something.
    Nemesis(Action),
    /// A process starts.
    Started(NodeId, WorkerId),
    /// A process is killed.
    Killed(NodeId),
    /// A process is stopped as by SIGSTOP.
    Paused(NodeId),
    /// A process is stopped because its machine is suspended.
    Suspended(NodeId),
    /// It goes on.
    Resumed(NodeId),
    /// A process cannot reach the store.
    Cut(NodeId),
    /// It can again.
    Joined(NodeId),
    /// A worker is asked to shut down.
    AskedToStop(NodeId),
    /// A worker stopped: by itself, or after it was asked to. What it said.
    Stopped(NodeId, Result<(), String>),
    /// A worker has started: it may take leases from here on.
    Running(NodeId),
    /// A worker stopped because Java workers run natively; its process tries to start it again.
    Left(NodeId),
    /// Java workers go native, or are rolled back.
    Native(bool),
    /// A process is told whether Java workers run natively.
    FleetSeen(NodeId, bool),
    /// A call of the store or the stream is made.
    Called(NodeId, Api),
    /// The how many'th call of this kind by this node meets a fault.
    Fault(NodeId, Api, u64, Fate),
    /// The store decided a write.
    Write(Applied),
    /// The sender of a write got its answer.
    Told(NodeId, Verb, LeaseKey, Told),
    /// Somebody edited a row by hand: the row before and after.
    Edited(LeaseKey, Option<Lease>, Option<Lease>),
    /// A user record was put, with this partition key.
    Put(ShardId, ExtendedSequenceNumber, String),
    /// Shards were closed and others opened. The first one opens the shards of the beginning.
    Reshard(Vec<ShardId>, Vec<Shard>),
    /// Retention removed the records of a shard before this one.
    Trimmed(ShardId, SequenceNumber),
    /// Retention removed a closed shard.
    Removed(ShardId),
    /// The shards that a listing showed.
    Listed(NodeId, ShardFilter, Vec<ShardId>),
    /// A shard was opened for reading.
    Opened(NodeId, ShardId, ReadPosition),
    /// A shard was read: its first record, how many stored records, and the number of children named if it ended.
    Read(NodeId, ShardId, Option<SequenceNumber>, usize, Option<usize>),
    /// A measurement that says that something is wrong with a shard.
    Alarm(NodeId, &'static str, ShardId),
    /// A callback begins.
    Begin(Tenure, Call),
    /// The records of the callback that began last in this tenure are processed; it may still checkpoint.
    Processed(Tenure),
    /// The callback that began last in this tenure returned.
    End(Tenure),
    /// The callback that began last in this tenure panics.
    Panic(Tenure),
    /// A checkpoint is asked for.
    Asked(Tenure, Checkpoint),
    /// It was answered.
    Answered(Tenure, Checkpoint, Answer),
    /// The process that started last is one of the Java library.
    Java(NodeId, JavaVersion),
    /// A Java worker has come to the end of a shard sync.
    JavaSynced(NodeId),
}

/// An event and its time since the start.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    /// When.
    pub at: Duration,
    /// What.
    pub event: Event,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>12.6} ", self.at.as_secs_f64())?;
        let Event::Write(Applied { node, sent, write, before, after, applied }) = &self.event else {
            return write!(f, "{:?}", self.event);
        };
        let row = |row: &Option<Lease>| match row {
            Some(row) => format!("{:?}@{} {}", row.owner, row.counter, row.checkpoint),
            None => "-".to_owned(),
        };
        let verdict = if *applied { "applied" } else { "rejected" };
        let (verb, key, sent) = (write.verb().name(), write.key(), sent.as_secs_f64());
        write!(f, "{node:?} {verb} {key} {verdict}, sent {sent:.6}: {} -> {}", row(before), row(after))
    }
}

/// The record of a run. A handle: clones share it.
#[derive(Clone, Debug)]
pub struct Trace {
    sim: Sim,
    entries: Arc<Mutex<Vec<Entry>>>,
}

impl Trace {
    /// An empty record.
    pub fn new(sim: Sim) -> Self {
        Self { sim, entries: Arc::default() }
    }

    fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an event that happens now.
    pub fn add(&self, event: Event) {
        let at = self.sim.now();
        self.entries().push(Entry { at, event });
    }

    /// Everything so far.
    pub fn take(&self) -> Vec<Entry> {
        std::mem::take(&mut *self.entries())
    }
}

/// A number that stands for the whole record.
pub fn hash(entries: &[Entry]) -> u64 {
    // Its keys are fixed, unlike those of a map's hasher.
    let mut hasher = DefaultHasher::new();
    entries.hash(&mut hasher);
    hasher.finish()
}
