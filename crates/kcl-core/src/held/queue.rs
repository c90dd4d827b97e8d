use std::collections::VecDeque;

use crate::{Checkpoint, Lease, LeaseWrite, PendingCheckpoint, ShardId, WorkerId};

/// Whoever asked for a change and waits for its outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// A change of a held lease's row.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RowChange {
    /// Store a checkpoint.
    Checkpoint(Checkpoint),
    /// Store a proposed checkpoint.
    Prepare(PendingCheckpoint),
    /// Store the children.
    Describe(Vec<ShardId>),
    /// Decline what this worker asked for.
    Decline(WorkerId),
    /// Delete the finished row.
    Delete,
}

impl RowChange {
    pub(super) fn write_for(&self, lease: &Lease) -> LeaseWrite {
        match self {
            Self::Checkpoint(checkpoint) => LeaseWrite::checkpoint(lease, checkpoint.clone()),
            Self::Prepare(pending) => LeaseWrite::prepare_checkpoint(lease, pending.clone()),
            Self::Describe(children) => LeaseWrite::describe_children(&lease.key, children.clone()),
            Self::Decline(worker) => LeaseWrite::withdraw(&lease.key, worker),
            Self::Delete => LeaseWrite::delete(lease),
        }
    }

    /// Whether the row already shows it: the only proof of an unanswered write.
    fn is_shown_by(&self, row: &Lease) -> bool {
        match self {
            // A later checkpoint makes an earlier one durable, and an earlier proposal pointless.
            Self::Checkpoint(checkpoint) => {
                row.checkpoint > *checkpoint || (row.checkpoint == *checkpoint && row.pending.is_none())
            }
            Self::Prepare(pending) => row.checkpoint > pending.checkpoint || row.pending.as_ref() == Some(pending),
            Self::Describe(_) => !row.children.is_empty(),
            Self::Decline(worker) => row.requested_by.as_ref() != Some(worker),
            Self::Delete => false,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Entry {
    change: RowChange,
    requests: Vec<RequestId>,
}

/// The changes that wait for their turn, in the order they were asked for. Checkpoints that follow each other are
/// merged: the highest is written, and everybody who asked is answered by it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct ChangeQueue {
    entries: VecDeque<Entry>,
}

impl ChangeQueue {
    /// Adds a change. While `front_in_flight`, the front entry is being written as it is and takes nothing more.
    pub(super) fn push(&mut self, change: RowChange, request: Option<RequestId>, front_in_flight: bool) {
        let mergeable = self.entries.len() > usize::from(front_in_flight);
        if let Some(back) = self.entries.back_mut().filter(|_| mergeable) {
            match (&mut back.change, &change) {
                (RowChange::Checkpoint(waiting), RowChange::Checkpoint(new)) => {
                    if *waiting < *new {
                        waiting.clone_from(new);
                    }
                    return back.requests.extend(request);
                }
                (waiting, new) if waiting == new => return back.requests.extend(request),
                _ => {}
            }
        }
        self.entries.push_back(Entry { change, requests: request.into_iter().collect() });
    }

    pub(super) fn front(&self) -> Option<&RowChange> {
        self.entries.front().map(|entry| &entry.change)
    }

    pub(super) fn pop_front(&mut self) -> Vec<RequestId> {
        self.entries.pop_front().map(|entry| entry.requests).unwrap_or_default()
    }

    /// Removes every entry, except the front one if it is to be kept; who asked for them.
    pub(super) fn drop_waiting(&mut self, keep_front: bool) -> Vec<RequestId> {
        let dropped = self.entries.split_off(usize::from(keep_front).min(self.entries.len()));
        dropped.into_iter().flat_map(|entry| entry.requests).collect()
    }

    /// Removes the leading entries that `row` shows; who asked for them.
    pub(super) fn settle(&mut self, row: &Lease) -> Vec<RequestId> {
        let mut done = Vec::new();
        while self.entries.front().is_some_and(|entry| entry.change.is_shown_by(row)) {
            done.extend(self.pop_front());
        }
        done
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}
