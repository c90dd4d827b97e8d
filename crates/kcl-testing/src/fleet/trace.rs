//! What happens in a run, in order: the only thing that the oracles see.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kcl_core::{Checkpoint, CheckpointError, ExtendedSequenceNumber, ShardId};

use super::faults::FaultKind;
use super::run::PutRecord;

/// One processor: one worker's work on one shard, from `initialize` on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tenure {
    /// Its number in the run, from 1.
    pub(super) number: u64,
    pub(super) worker: Arc<str>,
    pub(super) shard: ShardId,
}

impl fmt::Display for Tenure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} (tenure {})", self.worker, self.shard, self.number)
    }
}

/// A callback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// With the position after which reading begins.
    Initialize(Checkpoint),
    Process(Vec<ExtendedSequenceNumber>),
    ShardEnded,
    ShutdownRequested,
    LeaseLost,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Initialize(start) => write!(f, "initialize, starts after {start}"),
            Self::Process(positions) => match (positions.first(), positions.last()) {
                (Some(first), Some(last)) => write!(f, "process_records {first} to {last}, {} records", positions.len()),
                _ => write!(f, "process_records without records"),
            },
            Self::ShardEnded => write!(f, "shard_ended"),
            Self::ShutdownRequested => write!(f, "shutdown_requested"),
            Self::LeaseLost => write!(f, "lease_lost"),
        }
    }
}

/// How a checkpoint was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Stored,
    OutOfRange { beyond: bool },
    NotEnded,
    Failed(String),
}

impl From<&Result<(), CheckpointError>> for Answer {
    fn from(result: &Result<(), CheckpointError>) -> Self {
        match result {
            Ok(()) => Self::Stored,
            Err(CheckpointError::OutOfRange { position, highest, .. }) => Self::OutOfRange { beyond: position > highest },
            Err(CheckpointError::NotEnded) => Self::NotEnded,
            Err(other) => Self::Failed(other.to_string()),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A part of the run begins.
    Enter(&'static str),
    Started(Arc<str>),
    /// A worker stopped, by itself or because it was asked to.
    Stopped(Arc<str>, Result<(), String>),
    /// Trouble.
    Fault(FaultKind, String),
    /// A record was put: its index among those put.
    Put(usize, ShardId, ExtendedSequenceNumber),
    Begin(Tenure, Call),
    /// The call that began last in this tenure returned.
    End(Tenure),
    /// It panicked.
    Panicked(Tenure),
    /// These records are processed as far as the callbacks tell: their call returned or checkpointed them.
    Accepted(Tenure, Vec<ExtendedSequenceNumber>),
    /// The application said that this record is processed.
    Processed(ExtendedSequenceNumber),
    /// A checkpoint is asked for; `in_lease_lost` if by that callback itself.
    Asked {
        tenure: Tenure,
        checkpoint: Checkpoint,
        in_lease_lost: bool,
    },
    /// It was answered; what the row says then.
    Answered {
        tenure: Tenure,
        checkpoint: Checkpoint,
        answer: Answer,
        stored: Option<Checkpoint>,
    },
    /// Another task asks for the latest position while the call that got this record has not returned.
    LatestWhileBusy(Tenure, ExtendedSequenceNumber),
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Enter(part) => write!(f, "---- {part} ----"),
            Self::Started(worker) => write!(f, "{worker} starts"),
            Self::Stopped(worker, Ok(())) => write!(f, "{worker} has shut down"),
            Self::Stopped(worker, Err(reason)) => write!(f, "{worker} has stopped: {reason}"),
            Self::Fault(kind, what) => write!(f, "fault {kind:?}: {what}"),
            Self::Put(nth, shard, position) => write!(f, "record {nth} is put on {shard} at {position}"),
            Self::Begin(tenure, call) => write!(f, "{tenure}: {call}"),
            Self::End(tenure) => write!(f, "{tenure}: returns"),
            Self::Panicked(tenure) => write!(f, "{tenure}: panics"),
            Self::Accepted(tenure, positions) => write!(f, "{tenure}: {} records are accepted", positions.len()),
            Self::Processed(position) => write!(f, "{position} is processed"),
            Self::Asked { tenure, checkpoint, .. } => write!(f, "{tenure}: checkpoint {checkpoint}"),
            Self::Answered { tenure, checkpoint, answer, .. } => write!(f, "{tenure}: checkpoint {checkpoint}: {answer:?}"),
            Self::LatestWhileBusy(tenure, _) => write!(f, "{tenure}: checkpoint_latest while process_records runs"),
        }
    }
}

/// An event and its time since the start of the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) at: Duration,
    pub(super) event: Event,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>9.3} {}", self.at.as_secs_f64(), self.event)
    }
}

/// The record of a run. A handle: clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Trace {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    now: Duration,
    entries: Vec<Entry>,
    puts: Vec<PutRecord>,
    tenures: u64,
    accepted: BTreeSet<ExtendedSequenceNumber>,
    processed: BTreeSet<ExtendedSequenceNumber>,
}

impl State {
    fn is_put(&self, position: &ExtendedSequenceNumber) -> bool {
        self.puts.binary_search_by(|record| record.position.cmp(position)).is_ok()
    }
}

impl Trace {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_now(&self, now: Duration) {
        self.state().now = now;
    }

    pub(super) fn add(&self, event: Event) {
        let mut state = self.state();
        match &event {
            Event::Accepted(_, positions) => state.accepted.extend(positions.iter().cloned()),
            Event::Processed(position) if state.is_put(position) => drop(state.processed.insert(position.clone())),
            _ => {}
        }
        let at = state.now;
        state.entries.push(Entry { at, event });
    }

    pub(super) fn put(&self, record: PutRecord) {
        let mut state = self.state();
        let (at, nth) = (state.now, state.puts.len());
        let event = Event::Put(nth, record.shard_id.clone(), record.position.clone());
        state.entries.push(Entry { at, event });
        state.puts.push(record);
    }

    pub(super) fn next_tenure(&self, worker: &Arc<str>, shard: ShardId) -> Tenure {
        let mut state = self.state();
        state.tenures += 1;
        Tenure { number: state.tenures, worker: Arc::clone(worker), shard }
    }

    /// Whether every record that was put is processed: as the application says, if it says anything, or else as its
    /// callbacks tell.
    pub(super) fn all_processed(&self) -> bool {
        let state = self.state();
        let done = if state.processed.is_empty() { &state.accepted } else { &state.processed };
        // Nothing but what was put is in either.
        state.puts.len() == done.len()
    }

    /// What was put, and what happened.
    pub(super) fn take(&self) -> (Vec<PutRecord>, Vec<Entry>) {
        let mut state = self.state();
        (std::mem::take(&mut state.puts), std::mem::take(&mut state.entries))
    }
}
