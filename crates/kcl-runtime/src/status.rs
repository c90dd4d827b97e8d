use std::collections::BTreeMap;
use std::time::Duration;

use kcl_core::{Checkpoint, LeaseKey, Mono, Phase, ShardId, WorkerId};

use crate::sync::{Mutex, MutexGuard, PoisonError};

/// What a consumer is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConsumerState {
    /// Taking leases and processing records.
    #[default]
    Running,
    /// Finishing, taking nothing new.
    ShuttingDown,
    /// Done.
    Stopped,
}

/// What a held lease is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LeaseState {
    /// The shard's parents are not finished yet.
    WaitingOnParents,
    /// Records are read and processed.
    Processing,
    /// The lease could not be renewed in time; nothing is delivered until it is.
    Paused,
    /// The shard is finished; the row is kept until its children have begun.
    Ended,
}

/// One lease that this consumer holds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeaseStatus {
    /// The lease row's key.
    pub lease_key: LeaseKey,
    /// The shard.
    pub shard_id: ShardId,
    /// What it is doing.
    pub state: LeaseState,
    /// The last durable checkpoint.
    pub checkpoint: Checkpoint,
    /// How far the last read was behind the newest record, in milliseconds, if the stream said so. None once the shard
    /// is finished.
    pub millis_behind_latest: Option<i64>,
    /// User records delivered in this tenure.
    pub records: u64,
    /// How long ago the shard was last read or a callback returned.
    pub since_progress: Duration,
}

/// A consumer at a glance.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConsumerStatus {
    /// The name under which it owns leases.
    pub worker_id: WorkerId,
    /// What it is doing.
    pub state: ConsumerState,
    /// The leases it holds, by key.
    pub leases: Vec<LeaseStatus>,
}

#[derive(Clone, Debug)]
struct Entry {
    state: LeaseState,
    checkpoint: Checkpoint,
    millis_behind_latest: Option<i64>,
    records: u64,
    progress: Mono,
}

/// Where the tasks of a worker leave what `status()` reads.
#[derive(Debug, Default)]
pub(crate) struct StatusBoard {
    board: Mutex<Board>,
}

#[derive(Debug, Default)]
struct Board {
    state: ConsumerState,
    leases: BTreeMap<LeaseKey, Entry>,
}

impl StatusBoard {
    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn enter(&self, state: ConsumerState) {
        self.board().state = state;
    }

    pub(crate) fn gain(&self, now: Mono, key: &LeaseKey, state: LeaseState, checkpoint: Checkpoint) {
        let entry = Entry { state, checkpoint, millis_behind_latest: None, records: 0, progress: now };
        self.board().leases.insert(key.clone(), entry);
    }

    pub(crate) fn lose(&self, key: &LeaseKey) {
        self.board().leases.remove(key);
    }

    pub(crate) fn set_state(&self, key: &LeaseKey, state: LeaseState) {
        self.update(key, |entry| {
            entry.state = state;
            if state == LeaseState::Ended {
                entry.millis_behind_latest = None;
            }
        });
    }

    pub(crate) fn set_phase(&self, key: &LeaseKey, phase: Phase) {
        self.update(key, |entry| match (phase, entry.state) {
            (Phase::Paused { .. }, LeaseState::Processing) => entry.state = LeaseState::Paused,
            (Phase::Live, LeaseState::Paused) => entry.state = LeaseState::Processing,
            _ => {}
        });
    }

    pub(crate) fn set_checkpoint(&self, key: &LeaseKey, checkpoint: Checkpoint) {
        self.update(key, |entry| entry.checkpoint = checkpoint);
    }

    pub(crate) fn read(&self, now: Mono, key: &LeaseKey, millis_behind_latest: Option<i64>) {
        self.update(key, |entry| {
            entry.progress = now;
            entry.millis_behind_latest = millis_behind_latest.or(entry.millis_behind_latest);
        });
    }

    pub(crate) fn delivered(&self, now: Mono, key: &LeaseKey, records: u64) {
        self.update(key, |entry| {
            entry.progress = now;
            entry.records += records;
        });
    }

    fn update(&self, key: &LeaseKey, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.board().leases.get_mut(key) {
            change(entry);
        }
    }

    /// The shards that are being worked on and have made no progress for `limit`, and for how long.
    pub(crate) fn stalled(&self, now: Mono, limit: Duration) -> Vec<(LeaseKey, Duration)> {
        let working = |entry: &Entry| matches!(entry.state, LeaseState::Processing | LeaseState::Paused);
        let board = self.board();
        let since = board.leases.iter().filter(|(_, entry)| working(entry)).map(|(key, entry)| (key, now.since(entry.progress)));
        since.filter(|(_, since)| *since >= limit).map(|(key, since)| (key.clone(), since)).collect()
    }

    pub(crate) fn status(&self, now: Mono, worker_id: WorkerId) -> ConsumerStatus {
        let board = self.board();
        let leases = board.leases.iter().map(|(key, entry)| LeaseStatus {
            lease_key: key.clone(),
            shard_id: key.shard_id(),
            state: entry.state,
            checkpoint: entry.checkpoint.clone(),
            millis_behind_latest: entry.millis_behind_latest,
            records: entry.records,
            since_progress: now.since(entry.progress),
        });
        ConsumerStatus { worker_id, state: board.state, leases: leases.collect() }
    }
}
