//! The shutdown: whoever asks for it, whoever waits for its end, and whoever only drops the worker.
//!
//! This runs a whole worker over a stream of one shard: the shipped start, coordinator, supervisor and driver, each a task of
//! the explorer. The latch itself is a `CancellationToken` and a `watch`, whose insides the explorer cannot see: what is covered
//! is the order of calls and polls, not the memory under them.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use kcl_core::{Mono, Verb};
use kcl_testing::MemoryLeaseStore;
use shuttle::future::block_on;
use shuttle::thread;
use tokio::sync::watch;

use super::explore::{explore, is_found};
use super::surroundings::{Explored, Idle, backends, config};
use crate::status::{ConsumerState, StatusBoard};
use crate::sync::Mutex;
use crate::worker::Worker;

/// What the test asks of a worker, so that it can be given a broken one.
trait Stoppable: Send + Sync {
    fn shutdown(&self) -> BoxFuture<'_, bool>;
    fn wait(&self) -> BoxFuture<'_, bool>;
    fn state(&self) -> ConsumerState;
}

impl Stoppable for Worker {
    fn shutdown(&self) -> BoxFuture<'_, bool> {
        self.shutdown().map(|result| result.is_ok()).boxed()
    }

    fn wait(&self) -> BoxFuture<'_, bool> {
        self.wait().map(|result| result.is_ok()).boxed()
    }

    fn state(&self) -> ConsumerState {
        self.status().state
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// Who waits looks at the result first, and then at changes from now on.
    LooksThenWaits,
    /// The result is told before the state is entered.
    TellsTooEarly,
    /// Whether it was asked for is read in one lock scope, where to wake in the next.
    AsksThenRegisters,
}

/// A worker in miniature with one thing wrong.
struct BrokenWorker {
    fault: Fault,
    stop: Arc<Latch>,
    result: watch::Sender<Option<bool>>,
    board: Arc<StatusBoard>,
}

/// A latch in place of the `CancellationToken`.
#[derive(Default)]
struct Latch {
    state: Mutex<(bool, Option<std::task::Waker>)>,
}

impl Latch {
    fn cancel(&self) {
        let mut state = self.state.lock().unwrap();
        state.0 = true;
        state.1.take().into_iter().for_each(std::task::Waker::wake);
    }

    async fn cancelled(&self, in_two_scopes: bool) {
        std::future::poll_fn(|context| {
            let mut state = self.state.lock().unwrap();
            if state.0 {
                return std::task::Poll::Ready(());
            }
            if in_two_scopes {
                drop(state);
                state = self.state.lock().unwrap();
            }
            state.1 = Some(context.waker().clone());
            std::task::Poll::Pending
        })
        .await;
    }
}

impl BrokenWorker {
    fn start(fault: Fault) -> Self {
        let (stop, board, result) = (Arc::new(Latch::default()), Arc::new(StatusBoard::default()), watch::Sender::new(None));
        let (asked, told, states) = (Arc::clone(&stop), result.clone(), Arc::clone(&board));
        let supervisor = async move {
            asked.cancelled(fault == Fault::AsksThenRegisters).await;
            states.enter(ConsumerState::ShuttingDown);
            if fault == Fault::TellsTooEarly {
                told.send_replace(Some(true));
            }
            states.enter(ConsumerState::Stopped);
            told.send_replace(Some(true));
        };
        drop(shuttle::future::spawn(supervisor));
        Self { fault, stop, result, board }
    }
}

impl Stoppable for BrokenWorker {
    fn shutdown(&self) -> BoxFuture<'_, bool> {
        self.stop.cancel();
        self.wait()
    }

    fn wait(&self) -> BoxFuture<'_, bool> {
        async {
            if self.fault == Fault::LooksThenWaits {
                if let Some(result) = *self.result.borrow() {
                    return result;
                }
                shuttle::future::yield_now().await;
                let mut changes = self.result.subscribe();
                changes.changed().await.unwrap();
                return changes.borrow().unwrap();
            }
            let mut result = self.result.subscribe();
            result.wait_for(Option::is_some).await.unwrap().unwrap()
        }
        .boxed()
    }

    fn state(&self) -> ConsumerState {
        let status = self.board.status(Mono::ZERO, "me".into());
        status.state
    }
}

/// Two ask for the shutdown, one only waits, one looks.
fn asked<W: Stoppable>(worker: &W) {
    let over = |result: bool| {
        assert!(result);
        assert_eq!(worker.state(), ConsumerState::Stopped, "as soon as anybody is told");
    };
    thread::scope(|threads| {
        threads.spawn(|| over(block_on(worker.shutdown())));
        threads.spawn(|| over(block_on(worker.shutdown())));
        threads.spawn(|| over(block_on(worker.wait())));
        let rank = |state| {
            [ConsumerState::Running, ConsumerState::ShuttingDown, ConsumerState::Stopped].iter().position(|s| *s == state)
        };
        let mut last = rank(worker.state());
        for _ in 0..3 {
            let now = rank(worker.state());
            assert!(now >= last, "the state went back");
            last = now;
        }
    });
    over(block_on(worker.wait()));
}

fn start(env: Explored, store: &MemoryLeaseStore) -> Worker {
    block_on(Worker::start(config(), backends(env, store), Arc::new(Idle))).unwrap()
}

#[test]
fn everybody_hears_once_that_the_worker_has_stopped() {
    explore(|| {
        let store = MemoryLeaseStore::new();
        asked(&start(Explored::default(), &store));
        assert!(store.leases().iter().all(|lease| lease.owner.is_none()), "every lease is released");
        let [takes, releases] = [Verb::Take, Verb::Release].map(|verb| store.writes_of(verb).applied);
        assert_eq!(releases, takes, "once");
    });
}

#[test]
fn dropping_the_worker_ends_its_tasks() {
    explore(|| {
        let env = Explored::default();
        let mut tasks = env.tasks();
        let worker = start(env, &MemoryLeaseStore::new());
        thread::scope(|threads| {
            threads.spawn(move || drop(worker));
            threads.spawn(move || drop(block_on(tasks.wait_for(|running| *running == 0)).unwrap()));
        });
    });
}

#[test]
fn mutant_who_waits_looks_and_then_waits() {
    is_found(|| asked(&BrokenWorker::start(Fault::LooksThenWaits)));
}

#[test]
fn mutant_the_result_is_told_before_the_state() {
    is_found(|| asked(&BrokenWorker::start(Fault::TellsTooEarly)));
}

#[test]
fn mutant_the_latch_is_read_in_one_lock_scope_and_waited_on_in_the_next() {
    is_found(|| asked(&BrokenWorker::start(Fault::AsksThenRegisters)));
}
