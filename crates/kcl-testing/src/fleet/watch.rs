//! The application's factory and processors, watched: every callback and every checkpoint is recorded.

use std::future::Future;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use async_trait::async_trait;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use kcl_core::{Checkpointer, ExtendedSequenceNumber, KinesisClientRecord, ShardRecordProcessor, ShardRecordProcessorFactory};

use super::draws::Draws;
use super::faults::FaultKind;
use super::port::WatchedPort;
use super::trace::{Call, Event, Tenure, Trace};
use crate::MemoryLeaseStore;

/// Panics that are none of the application's. A handle: clones share the draws.
#[derive(Clone, Debug)]
pub(super) struct Panics {
    state: Arc<Mutex<(Draws, u64)>>,
}

impl Panics {
    /// So many batches out of 10,000.
    pub(super) fn new(draws: Draws, often: u64) -> Self {
        Self { state: Arc::new(Mutex::new((draws, often))) }
    }

    /// None from now on.
    pub(super) fn stop(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).1 = 0;
    }

    /// Whether this batch panics: `Some(true)` before the application sees it, `Some(false)` after.
    fn strike(&self) -> Option<bool> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let often = state.1;
        state.0.happens(often).then(|| state.0.happens(5_000))
    }
}

/// The application's factory in one process.
pub(super) struct Watched {
    pub(super) factory: Box<dyn ShardRecordProcessorFactory>,
    pub(super) worker: Arc<str>,
    pub(super) trace: Trace,
    pub(super) store: MemoryLeaseStore,
    pub(super) panics: Panics,
}

#[async_trait]
impl ShardRecordProcessorFactory for Watched {
    async fn initialize(&self, checkpointer: Checkpointer) -> Box<dyn ShardRecordProcessor> {
        let lease = checkpointer.lease().clone();
        let tenure = self.trace.next_tenure(&self.worker, lease.shard_id.clone());
        let watch = Arc::new(Watch {
            tenure,
            trace: self.trace.clone(),
            polled: AtomicBool::new(false),
            state: Mutex::new(State { delivered: None, open: Vec::new(), losing: false }),
        });
        let port = WatchedPort { inner: checkpointer, watch: Arc::clone(&watch), store: self.store.clone() };
        let made = self.factory.initialize(Checkpointer::new(Arc::new(port)));
        let inner = watch.call(Call::Initialize(lease.start_position), made).await;
        Box::new(WatchedProcessor { inner, watch, panics: self.panics.clone() })
    }
}

/// What is known of one tenure while it runs.
#[derive(Debug)]
pub(super) struct Watch {
    pub(super) tenure: Tenure,
    pub(super) trace: Trace,
    /// Whether a callback of this tenure is being polled right now: whoever calls then is that callback.
    polled: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    delivered: Option<ExtendedSequenceNumber>,
    /// Records of the call that has not returned and that it has not checkpointed.
    open: Vec<ExtendedSequenceNumber>,
    /// Whether `lease_lost` has begun.
    losing: bool,
}

impl Watch {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_in_callback(&self) -> bool {
        self.polled.load(Ordering::Relaxed)
    }

    pub(super) fn is_in_lease_lost(&self) -> bool {
        self.is_in_callback() && self.state().losing
    }

    pub(super) fn delivered(&self) -> Option<ExtendedSequenceNumber> {
        self.state().delivered.clone()
    }

    /// The first record whose call has not returned.
    pub(super) fn first_open(&self) -> Option<ExtendedSequenceNumber> {
        self.state().open.first().cloned()
    }

    /// The records up to here are accepted, whether or not their call has returned.
    pub(super) fn accept(&self, up_to: Option<&ExtendedSequenceNumber>) {
        let mut state = self.state();
        let count = up_to.map_or(state.open.len(), |last| state.open.partition_point(|position| position <= last));
        let accepted: Vec<_> = state.open.drain(..count).collect();
        drop(state);
        if !accepted.is_empty() {
            self.trace.add(Event::Accepted(self.tenure.clone(), accepted));
        }
    }

    /// Runs one callback and records it.
    async fn call<T>(&self, call: Call, callback: BoxFuture<'_, T>) -> T {
        {
            let mut state = self.state();
            state.losing = call == Call::LeaseLost;
            if let Call::Process(positions) = &call {
                state.delivered = positions.last().cloned().or_else(|| state.delivered.take());
                state.open.clone_from(positions);
            }
        }
        self.trace.add(Event::Begin(self.tenure.clone(), call));
        match AssertUnwindSafe(Polled { polled: &self.polled, callback }).catch_unwind().await {
            Ok(value) => {
                self.accept(None);
                self.trace.add(Event::End(self.tenure.clone()));
                value
            }
            Err(panic) => {
                self.state().open.clear();
                self.trace.add(Event::Panicked(self.tenure.clone()));
                resume_unwind(panic)
            }
        }
    }

    fn injected_panic(&self, what: &str) -> ! {
        self.trace.add(Event::Fault(FaultKind::Panics, format!("{} panics {what}", self.tenure)));
        // Without the hook, which would print it.
        resume_unwind(Box::new("a panic of the simulated fleet"))
    }
}

/// A callback that can be told from the other tasks of its process.
struct Polled<'a, T> {
    polled: &'a AtomicBool,
    callback: BoxFuture<'a, T>,
}

impl<T> Future for Polled<'_, T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        struct Reset<'a>(&'a AtomicBool);
        impl Drop for Reset<'_> {
            fn drop(&mut self) {
                self.0.store(false, Ordering::Relaxed);
            }
        }
        self.polled.store(true, Ordering::Relaxed);
        let _reset = Reset(self.polled);
        self.callback.as_mut().poll(context)
    }
}

struct WatchedProcessor {
    inner: Box<dyn ShardRecordProcessor>,
    watch: Arc<Watch>,
    panics: Panics,
}

#[async_trait]
impl ShardRecordProcessor for WatchedProcessor {
    async fn process_records(&self, records: Vec<KinesisClientRecord>, millis_behind_latest: i64) {
        let strike = self.panics.strike();
        if strike == Some(true) {
            self.watch.injected_panic("before it sees the records");
        }
        let positions = records.iter().map(KinesisClientRecord::extended_sequence_number).collect();
        self.watch.call(Call::Process(positions), self.inner.process_records(records, millis_behind_latest)).await;
        if strike == Some(false) {
            self.watch.injected_panic("after it has returned");
        }
    }

    async fn lease_lost(&self) {
        self.watch.call(Call::LeaseLost, self.inner.lease_lost()).await;
    }

    async fn shard_ended(&self) {
        self.watch.call(Call::ShardEnded, self.inner.shard_ended()).await;
    }

    async fn shutdown_requested(&self) {
        self.watch.call(Call::ShutdownRequested, self.inner.shutdown_requested()).await;
    }
}
