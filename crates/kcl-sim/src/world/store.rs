use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kcl_core::{
    Checkpoint, CoordinatorTable, FleetRows, Lease, LeaseKey, LeaseScan, LeaseWrite, StoredState, TenureToken, UnreadableRow,
    Verb, WriteOutcome,
};

use super::java::JavaWrite;
use super::{Api, Call, Fate, FaultPlan, JavaVersion, Mutant, StoreClient};
use crate::exec::{NodeId, Sim};
use crate::keyed::{Stream, time_between};
use crate::trace::{Applied, Event, Trace};

/// The lease table: a server outside of every node. A handle: clones share it.
#[derive(Clone, Debug)]
pub struct StoreServer {
    pub(super) sim: Sim,
    pub(super) trace: Trace,
    mutant: Mutant,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) rows: BTreeMap<LeaseKey, Lease>,
    /// Every row as it was, by the time since when.
    history: BTreeMap<LeaseKey, Vec<(Duration, Option<Lease>)>>,
    calls: BTreeMap<(NodeId, Api), u64>,
    /// The token of the last take of each process and lease.
    tokens: BTreeMap<(NodeId, LeaseKey), TenureToken>,
    cut: BTreeSet<NodeId>,
    /// Until when every call is throttled.
    pub(super) busy_until: Duration,
    /// Java workers, if there ever were some: whether they run natively.
    native: Option<bool>,
    faults: FaultPlan,
}

/// What somebody does to a row by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Edit {
    /// The row is removed.
    Remove,
    /// The row is removed, also if it is one of those that say that a deleted ancestor was finished. Not drawn.
    RemoveAny,
    /// Nobody owns it any more.
    Free,
    /// Nobody owns it any more, and the shard is to be read again from its beginning.
    Rewind,
}

impl StoreServer {
    /// An empty table.
    pub fn new(sim: Sim, trace: Trace, faults: FaultPlan, mutant: Mutant) -> Self {
        let (rows, history, calls, cut) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        let tokens = BTreeMap::new();
        let state = State { rows, history, calls, tokens, cut, busy_until: Duration::ZERO, native: None, faults };
        Self { sim, trace, mutant, state: Arc::new(Mutex::new(state)) }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The table as one node sees it.
    pub fn client(&self, node: NodeId) -> StoreClient {
        StoreClient::new(self.clone(), node)
    }

    /// Cuts a node off: what it sends does not arrive, and answers on their way are lost.
    pub fn cut(&self, node: NodeId) {
        self.trace.add(Event::Cut(node));
        self.state().cut.insert(node);
    }

    /// Ends a cut.
    pub fn join(&self, node: NodeId) {
        if self.state().cut.remove(&node) {
            self.trace.add(Event::Joined(node));
        }
    }

    /// Throttles every call until this moment.
    pub fn throttle_until(&self, until: Duration) {
        self.state().busy_until = until;
    }

    /// Java workers go native, or are rolled back.
    pub fn go_native(&self, native: bool) {
        self.trace.add(Event::Native(native));
        self.state().native = Some(native);
    }

    /// From now on no call meets a fault. What was delayed before still comes.
    pub fn heal(&self) {
        let mut state = self.state();
        state.faults = FaultPlan::default();
        state.busy_until = Duration::ZERO;
    }

    /// Somebody edits the nth row, counted round, by hand. A finished row is left alone.
    pub fn edit(&self, nth: u64, edit: Edit) {
        let now = self.sim.now();
        let mut state = self.state();
        // A row that is past its start says that its ancestors were finished, whose rows may be deleted: without it those are
        // read again, as they should be. That is left out here.
        let anything = matches!(edit, Edit::Free | Edit::RemoveAny);
        let editable = |row: &&Lease| !row.checkpoint.is_shard_end() && (anything || row.parents.is_empty());
        let rows: Vec<Lease> = state.rows.values().filter(editable).cloned().collect();
        let Some(count) = u64::try_from(rows.len()).ok().filter(|count| *count > 0) else { return };
        let Some(before) = rows.get(usize::try_from(nth % count).unwrap_or(0)).cloned() else { return };
        let after = match edit {
            Edit::Remove | Edit::RemoveAny => None,
            Edit::Free => Some(Lease { owner: None, counter: before.counter.next(), ..before.clone() }),
            // Only where reading began at the oldest record is that a place from which nothing is skipped.
            Edit::Rewind => {
                let (checkpoint, counter) = (Checkpoint::TrimHorizon, before.counter.next());
                Some(Lease { owner: None, counter, checkpoint, pending: None, ..before.clone() })
            }
        };
        state.set(now, &before.key, after.clone());
        drop(state);
        self.trace.add(Event::Edited(before.key.clone(), Some(before), after));
    }

    pub(super) fn next_call(&self, node: NodeId, api: Api) -> (u64, Fate) {
        let mut state = self.state();
        let calls = state.calls.entry((node, api)).or_default();
        *calls += 1;
        let nth = *calls;
        let fate = state.faults.fate(self.sim.seed(), Call { node, api, nth });
        drop(state);
        self.trace.add(Event::Called(node, api));
        if fate != Fate::Ok {
            self.trace.add(Event::Fault(node, api, nth, fate));
        }
        (nth, fate)
    }

    pub(super) fn is_cut(&self, node: NodeId) -> bool {
        self.state().cut.contains(&node)
    }

    pub(super) fn decide_write(&self, node: NodeId, sent: Duration, write: &LeaseWrite) -> WriteOutcome {
        let now = self.sim.now();
        let mut state = self.state();
        let before = state.rows.get(write.key()).cloned();
        if let (true, Ok(Some(after))) = (self.mutant.swallows(write), write.apply(before.as_ref())) {
            return WriteOutcome::Applied(after);
        }
        let token = state.tokens.get(&(node, write.key().clone())).copied();
        let twisted = self.mutant.twisted(write, before.as_ref(), token);
        let result = twisted.as_ref().unwrap_or(write).apply(before.as_ref());
        let applied = result.is_ok();
        let after = self.mutant.kept(write, before.as_ref(), result.ok().flatten());
        if applied {
            state.set(now, write.key(), after.clone());
            if let (Verb::Take, Some(token)) = (write.verb(), after.as_ref().and_then(|row| row.tenure)) {
                state.tokens.insert((node, write.key().clone()), token);
            }
        }
        drop(state);
        let outcome = match (applied, after.clone(), before.clone()) {
            (true, Some(row), _) | (true, None, Some(row)) => WriteOutcome::Applied(row),
            (_, _, current) => WriteOutcome::Rejected { current },
        };
        self.trace.add(Event::Write(Applied { node, sent, write: write.clone(), before, after, applied }));
        outcome
    }

    /// The same for a write of a Java worker: the row after it, if its condition holds.
    pub(super) fn decide_java(&self, node: NodeId, sent: Duration, version: JavaVersion, write: &JavaWrite) -> Option<Lease> {
        let (now, recorded) = (self.sim.now(), write.recorded());
        let mut state = self.state();
        let before = state.rows.get(recorded.key()).cloned();
        let decided = write.apply(version, before.as_ref());
        let (applied, after) = (decided.is_some(), decided.flatten());
        if after.is_none() && before.is_none() && applied {
            // The deletion of a row that is gone is no error, and nothing happens.
            return None;
        }
        if applied {
            state.set(now, recorded.key(), after.clone());
        }
        drop(state);
        self.trace.add(Event::Write(Applied { node, sent, write: recorded, before, after: after.clone(), applied }));
        after
    }

    pub(super) fn scan(&self, nth: u64, fate: Fate) -> LeaseScan {
        let state = self.state();
        let now = self.sim.now();
        let as_it_was = |most: Duration, index: u64, history: &[(Duration, Option<Lease>)]| {
            let age = time_between(self.sim.seed(), Stream::Fault, (nth, index, u64::MAX), Duration::ZERO, most);
            let moment = now.saturating_sub(age);
            history.iter().rev().find(|(since, _)| *since <= moment).and_then(|(_, row)| row.clone())
        };
        let leases = match fate {
            Fate::Stale(most) => {
                let rows = (0..).zip(state.history.values());
                rows.filter_map(|(index, history)| as_it_was(most, index, history)).collect()
            }
            _ => state.rows.values().cloned().collect(),
        };
        let foreign = UnreadableRow { key: "somebody-elses".to_owned(), reason: "no checkpoint".to_owned() };
        LeaseScan { leases, unreadable: if fate == Fate::ForeignRows { vec![foreign] } else { Vec::new() } }
    }
}

impl State {
    /// What Java workers say of themselves.
    pub(super) fn fleet(&self) -> FleetRows {
        let Some(native) = self.native else { return FleetRows::default() };
        let version = if native { "CLIENT_VERSION_3X_WITH_ROLLBACK" } else { "CLIENT_VERSION_2X" };
        let client_version = StoredState::Is(version.to_owned());
        let coordinator_table = CoordinatorTable::Present { table_migration: StoredState::Absent, client_version };
        FleetRows { coordinator_table, ..FleetRows::default() }
    }

    fn set(&mut self, now: Duration, key: &LeaseKey, row: Option<Lease>) {
        match &row {
            Some(row) => self.rows.insert(key.clone(), row.clone()),
            None => self.rows.remove(key),
        };
        self.history.entry(key.clone()).or_default().push((now, row));
    }
}
