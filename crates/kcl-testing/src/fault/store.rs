use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use kcl_core::{ErrorKind, FleetRows, Lease, LeaseKey, LeaseScan, LeaseStore, LeaseWrite, StoreError, Verb, WriteOutcome};

use super::{Fault, FaultCall, FaultHandle, FaultPlan, FaultTarget};

/// A call of a [`LeaseStore`], for planning faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StoreCall {
    /// [`LeaseStore::prepare`].
    Prepare,
    /// [`LeaseStore::scan`].
    Scan,
    /// [`LeaseStore::get`].
    Get,
    /// [`LeaseStore::fleet`].
    Fleet,
    /// [`LeaseStore::write`] with this verb.
    Write(Verb),
    /// [`LeaseStore::write`] with any verb.
    AnyWrite,
}

impl StoreCall {
    /// Only calls for this lease key. `Prepare`, `Scan` and `Fleet` are for none.
    pub fn of(self, lease_key: impl Into<String>) -> FaultTarget<Self> {
        FaultTarget::of(self, lease_key.into())
    }
}

impl FaultCall for StoreCall {
    fn covers(self, call: Self) -> bool {
        self == call || matches!((self, call), (Self::AnyWrite, Self::Write(_)))
    }
}

/// A lease store with faults that a test plans. A handle: clones share the store and the plan.
///
/// ```
/// use kcl_testing::{Fault, FaultyStore, MemoryLeaseStore, StoreCall};
/// # use kcl_core::{Checkpoint, Lease, LeaseStore, LeaseWrite, Verb};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let memory = MemoryLeaseStore::new();
/// let store = FaultyStore::new(memory.clone());
/// store.faults().next(StoreCall::Write(Verb::Create), Fault::LoseReply);
///
/// let create = LeaseWrite::create(Lease::new("shardId-0".into(), Checkpoint::TrimHorizon));
/// assert!(!store.write(&create).await.unwrap_err().had_no_effect());
/// assert_eq!(memory.leases().len(), 1);
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct FaultyStore {
    inner: Arc<dyn LeaseStore>,
    plan: FaultPlan<StoreCall>,
    late: Arc<Mutex<Vec<LeaseWrite>>>,
}

impl FaultyStore {
    /// Wraps a store; without faults at first.
    pub fn new(store: impl LeaseStore) -> Self {
        Self::over(Arc::new(store))
    }

    /// Wraps a store that is shared; without faults at first.
    pub fn over(store: Arc<dyn LeaseStore>) -> Self {
        Self { inner: store, plan: FaultPlan::new(), late: Arc::default() }
    }

    /// The faults that are still to happen.
    pub const fn faults(&self) -> &FaultPlan<StoreCall> {
        &self.plan
    }

    /// Carries out the writes that [`Fault::ApplyLate`] held back, in the order they were sent, and gives what the store
    /// said. If the future is dropped, those it had not finished are lost.
    pub async fn apply_late(&self) -> Vec<Result<WriteOutcome, StoreError>> {
        let writes = std::mem::take(&mut *self.late());
        let mut answers = Vec::with_capacity(writes.len());
        for write in writes {
            answers.push(self.inner.write(&write).await);
        }
        answers
    }

    fn late(&self) -> MutexGuard<'_, Vec<LeaseWrite>> {
        self.late.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn meet(&self, call: StoreCall, subject: &str) -> Met {
        Met { call, subject: subject.to_owned(), fault: self.plan.meet(call, subject) }
    }
}

/// One call and the fault it met.
struct Met {
    call: StoreCall,
    subject: String,
    fault: Option<(Fault, FaultHandle)>,
}

impl Met {
    async fn around<T: Send>(self, inner: impl Future<Output = Result<T, StoreError>> + Send) -> Result<T, StoreError> {
        let Some((fault, handle)) = &self.fault else {
            return inner.await;
        };
        match fault {
            Fault::Delay => {
                handle.released().await;
                inner.await
            }
            Fault::DelayReply => {
                let answer = inner.await;
                handle.released().await;
                answer
            }
            Fault::Throttle => Err(self.error(ErrorKind::Throttled)),
            Fault::FailBefore(kind) => Err(self.error(*kind)),
            Fault::LoseReply => {
                drop(inner.await);
                Err(self.error(self.kind_of_lost_answer()))
            }
            Fault::ApplyLate if matches!(self.call, StoreCall::Write(_)) => Err(self.error(ErrorKind::Indeterminate)),
            Fault::ApplyLate => Err(self.error(ErrorKind::Unavailable)),
        }
    }

    const fn kind_of_lost_answer(&self) -> ErrorKind {
        match self.call {
            StoreCall::Scan | StoreCall::Get | StoreCall::Fleet => ErrorKind::Unavailable,
            StoreCall::Prepare | StoreCall::Write(_) | StoreCall::AnyWrite => ErrorKind::Indeterminate,
        }
    }

    fn error(&self, kind: ErrorKind) -> StoreError {
        let operation = match self.call {
            StoreCall::Prepare => "prepare",
            StoreCall::Scan => "scan",
            StoreCall::Get => "get",
            StoreCall::Fleet => "fleet",
            StoreCall::Write(verb) => verb.name(),
            StoreCall::AnyWrite => "write",
        };
        StoreError::new(kind, operation, self.subject.as_str()).with_hint("a planned fault")
    }
}

#[async_trait]
impl LeaseStore for FaultyStore {
    async fn prepare(&self) -> Result<(), StoreError> {
        self.meet(StoreCall::Prepare, "").around(self.inner.prepare()).await
    }

    async fn scan(&self) -> Result<LeaseScan, StoreError> {
        self.meet(StoreCall::Scan, "").around(self.inner.scan()).await
    }

    async fn get(&self, key: &LeaseKey) -> Result<Option<Lease>, StoreError> {
        self.meet(StoreCall::Get, key).around(self.inner.get(key)).await
    }

    async fn write(&self, write: &LeaseWrite) -> Result<WriteOutcome, StoreError> {
        let met = self.meet(StoreCall::Write(write.verb()), write.key());
        if let Some((Fault::ApplyLate, _)) = met.fault {
            self.late().push(write.clone());
        }
        met.around(self.inner.write(write)).await
    }

    async fn fleet(&self) -> Result<FleetRows, StoreError> {
        self.meet(StoreCall::Fleet, "").around(self.inner.fleet()).await
    }
}

impl fmt::Debug for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultyStore").field("plan", &self.plan).finish_non_exhaustive()
    }
}
