use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kcl_core::{Change, Checkpoint, Expectation, Field, Lease, LeaseKey, LeaseWrite, Verb, WorkerId};

use crate::exec::NodeId;
use crate::spec::lease::expected_counter;
use crate::trace::Applied;
use crate::world::{Api, Fate};

/// A version of a row that was stored.
#[derive(Debug)]
struct Version {
    since: Duration,
    by: NodeId,
    checkpoint: Checkpoint,
}

/// When a write was sent and when the store decided it.
#[derive(Clone, Debug)]
struct Span {
    sent: Duration,
    decided: Duration,
    write: LeaseWrite,
}

/// What each process has sent and may know.
#[derive(Debug)]
pub(super) struct Senders {
    /// After so long a write is given up at the earliest: a third of the failover time, by a clock that may be fast.
    patience: Duration,
    names: BTreeMap<NodeId, WorkerId>,
    /// When a process was told at once that the answer to a write is lost.
    lost: BTreeSet<(NodeId, Duration)>,
    versions: BTreeMap<LeaseKey, BTreeMap<(Option<WorkerId>, u64), Version>>,
    spans: BTreeMap<(NodeId, LeaseKey), Vec<Span>>,
    /// Rows that somebody removed by hand.
    removed: BTreeSet<LeaseKey>,
}

impl Senders {
    pub(super) fn new(failover: Duration) -> Self {
        let (names, lost, versions) = (BTreeMap::new(), BTreeSet::new(), BTreeMap::new());
        let (spans, removed) = (BTreeMap::new(), BTreeSet::new());
        Self { patience: failover * 3 / 10, names, lost, versions, spans, removed }
    }

    pub(super) fn started(&mut self, node: NodeId, name: &WorkerId) {
        self.names.insert(node, name.clone());
    }

    pub(super) fn faulted(&mut self, node: NodeId, at: Duration, api: Api, fate: Fate) {
        if matches!(api, Api::Write(_)) && matches!(fate, Fate::LoseReply | Fate::DelayApply(_)) {
            self.lost.insert((node, at));
        }
    }

    /// Whether the process might send this write.
    pub(super) fn judge(&self, write: &Applied, decided: Duration) -> Result<(), String> {
        let (node, sent, key) = (write.node, write.sent, write.write.key());
        if self.arrives_again(write) || self.removed.contains(key) {
            return Ok(());
        }
        let found = |what: &str| Err(format!("{node:?} sent a {} of {key} {what}: {:?}", write.write.verb().name(), write.write));
        let Some(me) = self.names.get(&node) else { return found("before it started") };
        let Some(versions) = self.versions.get(key) else {
            return if is_fresh_row(&write.write) { self.one_in_flight(write, decided) } else { found("without having seen it") };
        };
        let expected = |owner: &Option<WorkerId>| {
            let counter = expected_counter(&write.write)?.value();
            versions.get(&(owner.clone(), counter)).filter(|version| version.since <= sent)
        };
        let own = || expected(&Some(me.clone())).filter(|version| version.by == node);
        match (write.write.verb(), write.write.expectation(), write.write.change()) {
            (Verb::Create, ..) if !is_fresh_row(&write.write) => return found("that is not a new row"),
            (Verb::Create, ..) => {}
            (Verb::Describe, Expectation::NoChildren | Expectation::NoHashRange, _) => {}
            (Verb::Take, Expectation::Version { owner, .. }, Change::Update(update)) => {
                if update.owner != Field::Set(me.clone()) {
                    return found("for somebody else");
                }
                if expected(owner).is_none() {
                    return found("of a version that there was not");
                }
            }
            (Verb::Request, Expectation::Unrequested { owner, .. }, Change::Update(update)) => {
                if update.requested_by != Field::Set(me.clone()) || owner == me {
                    return found("for somebody else, or of itself");
                }
                if expected(&Some(owner.clone())).is_none() {
                    return found("of a version that there was not");
                }
            }
            (Verb::Withdraw, Expectation::RequestedBy(by), Change::Update(_)) => {
                let has_held = versions.iter().any(|((owner, _), version)| owner.as_ref() == Some(me) && version.by == node);
                if by != me && !has_held {
                    return found("that is neither its own nor made of it");
                }
            }
            (Verb::Transfer, Expectation::Requested { owner, by, .. }, Change::Update(update)) => {
                if own().is_none() || owner != me || update.owner != Field::Set(by.clone()) || by == me {
                    return found("of a version that it did not write, or to somebody else");
                }
            }
            (Verb::Delete, Expectation::EndedAt { .. }, Change::Delete) => {
                if own().is_none_or(|version| !version.checkpoint.is_shard_end()) {
                    return found("that it did not know as its own and finished");
                }
            }
            (
                Verb::Renew | Verb::Checkpoint | Verb::PrepareCheckpoint | Verb::Release,
                Expectation::Version { owner, .. },
                Change::Update(update),
            ) => {
                // Whoever stops gives back what was transferred to it.
                let transferred = write.before.as_ref().is_some_and(|row| row.is_transferred_to(me));
                if write.write.verb() == Verb::Release && transferred {
                    return self.one_in_flight(write, decided);
                }
                let Some(version) = own().filter(|_| owner.as_ref() == Some(me)) else {
                    return found("of a version that it did not write");
                };
                if update.checkpoint.as_ref().is_some_and(|checkpoint| *checkpoint < version.checkpoint) {
                    return found("that goes back");
                }
            }
            _ => return found("that is none"),
        }
        self.one_in_flight(write, decided)
    }

    /// P3: no two writes of one lease are on their way for one process, unless it gave the earlier one up.
    fn one_in_flight(&self, write: &Applied, decided: Duration) -> Result<(), String> {
        let spans = self.spans.get(&(write.node, write.write.key().clone()));
        let this = Span { sent: write.sent, decided, write: write.write.clone() };
        // What was decided before this one was sent is over; it is told in the order of decisions.
        for other in spans.into_iter().flatten().rev().take_while(|other| other.decided > this.sent) {
            let (earlier, later) = if other.sent <= this.sent { (other, &this) } else { (&this, other) };
            let given_up = later.sent - earlier.sent >= self.patience || self.lost.contains(&(write.node, earlier.sent));
            if earlier.decided > later.sent && !given_up {
                return Err(format!(
                    "{:?} sent a {} of {} at {:?} while it waited for what it sent at {:?}",
                    write.node,
                    write.write.verb().name(),
                    write.write.key(),
                    later.sent,
                    earlier.sent
                ));
            }
        }
        Ok(())
    }

    /// Whether the store decides a request for the second time: it is judged once.
    fn arrives_again(&self, write: &Applied) -> bool {
        let spans = self.spans.get(&(write.node, write.write.key().clone()));
        spans.into_iter().flatten().any(|span| span.sent == write.sent && span.write == write.write)
    }

    /// Somebody edits a row by hand: nobody's version.
    pub(super) fn edited(&mut self, key: &LeaseKey, row: Option<&Lease>, at: Duration) {
        let Some(row) = row else {
            // The next life of the row counts from 0 again: what is sent says no more which life it means.
            self.removed.insert(key.clone());
            return;
        };
        let version = Version { since: at, by: NodeId::WORLD, checkpoint: row.checkpoint.clone() };
        self.versions.entry(key.clone()).or_default().insert((row.owner.clone(), row.counter.value()), version);
    }

    /// Remembers a write that the store has decided.
    pub(super) fn decided(&mut self, write: &Applied, at: Duration) {
        let key = write.write.key();
        if !self.arrives_again(write) {
            let span = Span { sent: write.sent, decided: at, write: write.write.clone() };
            self.spans.entry((write.node, key.clone())).or_default().push(span);
        }
        let Some(row) = write.after.as_ref().filter(|_| write.applied) else { return };
        let version = || Version { since: at, by: write.node, checkpoint: row.checkpoint.clone() };
        self.versions.entry(key.clone()).or_default().entry((row.owner.clone(), row.counter.value())).or_insert_with(version);
    }
}

/// Whether it creates a row at counter 0 that nobody owns and of which nothing is processed.
fn is_fresh_row(write: &LeaseWrite) -> bool {
    let Change::Put(lease) = write.change() else { return false };
    let is_new = lease.counter.value() == 0 && lease.owner.is_none() && lease.checkpoint.is_initial();
    write.verb() == Verb::Create && *write.expectation() == Expectation::Absent && is_new && lease.key == *write.key()
}
