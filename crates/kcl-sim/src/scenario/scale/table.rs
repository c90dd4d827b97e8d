use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use kcl_core::{FleetRows, Lease, LeaseKey, LeaseScan, LeaseStore, LeaseWrite, StoreError, WorkerId, WriteOutcome};

use super::tally::Tally;
use crate::exec::{NodeId, Sim};
use crate::keyed::{Stream, time_between};

/// One way of a request to the table, or of its answer.
const LEG: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(10));
/// What a scan takes besides, for each row: a page of 3,000 rows in 30 ms.
const ROW_SCANNED: Duration = Duration::from_micros(10);

/// A lease table that keeps sums instead of a record of everything, and that never fails. A handle: clones share it.
#[derive(Clone, Debug)]
pub(in crate::scenario) struct Table {
    sim: Sim,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    rows: BTreeMap<LeaseKey, Lease>,
    /// How many rows each owner has.
    owned: BTreeMap<WorkerId, usize>,
    tally: Tally,
}

/// How the leases lie.
#[derive(Clone, Debug)]
pub(in crate::scenario) struct Spread {
    /// All rows.
    pub(in crate::scenario) rows: usize,
    /// How many rows each owner has.
    pub(in crate::scenario) owned: BTreeMap<WorkerId, usize>,
}

impl Spread {
    /// Whether there are so many rows and these workers own all of them.
    pub(in crate::scenario) fn is_owned(&self, workers: &BTreeSet<WorkerId>, rows: usize) -> bool {
        let owned: usize = workers.iter().filter_map(|worker| self.owned.get(worker)).sum();
        self.rows == rows && owned == rows
    }

    /// Whether, besides, the counts of any two of them differ by at most one.
    pub(in crate::scenario) fn is_balanced(&self, workers: &BTreeSet<WorkerId>, rows: usize) -> bool {
        let counts = || workers.iter().map(|worker| self.owned.get(worker).copied().unwrap_or(0));
        let even = counts().max().unwrap_or(0) - counts().min().unwrap_or(0) <= 1;
        even && self.is_owned(workers, rows)
    }
}

impl Table {
    pub(in crate::scenario) fn new(sim: Sim) -> Self {
        Self { sim, state: Arc::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The table as one node sees it.
    pub(in crate::scenario) fn client(&self, node: NodeId) -> TableClient {
        TableClient { table: self.clone(), node, calls: Arc::default() }
    }

    pub(in crate::scenario) fn spread(&self) -> Spread {
        let state = self.state();
        Spread { rows: state.rows.len(), owned: state.owned.clone() }
    }

    /// What happened since the last call.
    pub(in crate::scenario) fn take_tally(&self) -> Tally {
        std::mem::take(&mut self.state().tally)
    }

    fn write(&self, write: &LeaseWrite) -> WriteOutcome {
        let mut state = self.state();
        let before = state.rows.get(write.key()).cloned();
        let Ok(after) = write.apply(before.as_ref()) else {
            state.tally.rejected(write.verb());
            return WriteOutcome::Rejected { current: before };
        };
        state.tally.applied(write, before.as_ref());
        let (was, is) = (before.as_ref().and_then(|row| row.owner.clone()), after.as_ref().and_then(|row| row.owner.clone()));
        if was != is {
            state.change_owner(was, is);
        }
        match &after {
            Some(row) => state.rows.insert(write.key().clone(), row.clone()),
            None => state.rows.remove(write.key()),
        };
        after.or(before).map_or(WriteOutcome::Rejected { current: None }, WriteOutcome::Applied)
    }
}

impl State {
    fn change_owner(&mut self, was: Option<WorkerId>, is: Option<WorkerId>) {
        if let Some(count) = was.as_ref().and_then(|was| self.owned.get_mut(was)) {
            *count -= 1;
        }
        self.owned.retain(|_, count| *count > 0);
        if let Some(is) = is {
            *self.owned.entry(is).or_default() += 1;
        }
    }
}

/// The table as one node sees it: requests and answers take their time.
#[derive(Clone, Debug)]
pub(in crate::scenario) struct TableClient {
    table: Table,
    node: NodeId,
    calls: Arc<AtomicU64>,
}

impl TableClient {
    /// One way; the first number that is passed tells ways there from ways back.
    async fn leg(&self, way: u64, more: Duration) {
        let nth = self.calls.fetch_add(1, Ordering::Relaxed);
        let key = (self.node.number(), way, nth);
        self.table.sim.sleep(time_between(self.table.sim.seed(), Stream::Latency, key, LEG.0, LEG.1) + more).await;
    }
}

#[async_trait]
impl LeaseStore for TableClient {
    async fn prepare(&self) -> Result<(), StoreError> {
        self.leg(1, Duration::ZERO).await;
        Ok(())
    }

    async fn scan(&self) -> Result<LeaseScan, StoreError> {
        self.leg(1, Duration::ZERO).await;
        let leases: Vec<Lease> = {
            let mut state = self.table.state();
            state.tally.scans += 1;
            state.rows.values().cloned().collect()
        };
        let rows = u32::try_from(leases.len()).unwrap_or(u32::MAX);
        self.leg(2, ROW_SCANNED * rows).await;
        Ok(LeaseScan { leases, unreadable: Vec::new() })
    }

    async fn get(&self, key: &LeaseKey) -> Result<Option<Lease>, StoreError> {
        self.leg(1, Duration::ZERO).await;
        let row = {
            let mut state = self.table.state();
            state.tally.gets += 1;
            state.rows.get(key).cloned()
        };
        self.leg(2, Duration::ZERO).await;
        Ok(row)
    }

    async fn write(&self, write: &LeaseWrite) -> Result<WriteOutcome, StoreError> {
        self.leg(1, Duration::ZERO).await;
        let outcome = self.table.write(write);
        self.leg(2, Duration::ZERO).await;
        Ok(outcome)
    }

    /// No Java worker is there. Not counted: it is one small read a minute.
    async fn fleet(&self) -> Result<FleetRows, StoreError> {
        self.leg(1, Duration::ZERO).await;
        self.leg(2, Duration::ZERO).await;
        Ok(FleetRows::default())
    }
}
