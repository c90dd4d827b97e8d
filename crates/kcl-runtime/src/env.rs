use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use kcl_core::{Mono, Wall};

/// The generator that every component gets one of. Seeded, so that a simulated run can be repeated.
pub type SeededRng = rand::rngs::ChaCha8Rng;

/// Where a task runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TaskClass {
    /// Observing, renewing and checkpointing leases: never delayed by the application's code.
    Coordination,
    /// Reading records and the application's code.
    Work,
}

/// Time, sleep, tasks and randomness: everything that this crate takes from its surroundings besides the seams.
///
/// [`TokioEnv`](crate::TokioEnv) is the one for production.
pub trait Env: Send + Sync + 'static {
    /// The monotonic clock. Lease ownership is judged by it; it should count time in which the machine is suspended.
    fn now(&self) -> Mono;

    /// The wall clock, for start positions, lag and metrics.
    fn wall(&self) -> Wall;

    /// Completes at or after `at`.
    fn sleep_until(&self, at: Mono) -> BoxFuture<'static, ()>;

    /// Starts a task. Dropping the handle leaves it running.
    fn spawn(&self, class: TaskClass, name: &str, task: BoxFuture<'static, ()>) -> TaskHandle;

    /// A generator of its own for each caller.
    fn rng(&self) -> SeededRng;
}

/// How a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TaskEnd {
    /// It ran to its end.
    Done,
    /// It panicked.
    Panicked,
    /// It was aborted, or its executor went away.
    Aborted,
}

/// A task that was started: a future of its end.
pub struct TaskHandle {
    end: BoxFuture<'static, TaskEnd>,
    abort: Aborter,
}

/// Aborts a task; apart from its handle, so that somebody else can wait for its end.
#[derive(Clone)]
pub struct Aborter(std::sync::Arc<dyn Fn() + Send + Sync>);

impl Aborter {
    /// Drops the task's future at its next await. Does nothing if it has ended.
    pub fn abort(&self) {
        (self.0)();
    }
}

impl fmt::Debug for Aborter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aborter").finish_non_exhaustive()
    }
}

impl TaskHandle {
    /// A handle from a future of the end and a function that aborts the task.
    pub fn new(end: BoxFuture<'static, TaskEnd>, abort: impl Fn() + Send + Sync + 'static) -> Self {
        Self { end, abort: Aborter(std::sync::Arc::new(abort)) }
    }

    /// Drops the task's future at its next await. Does nothing if it has ended.
    pub fn abort(&self) {
        self.abort.abort();
    }

    /// What aborts the task, for somebody who does not wait for its end.
    pub fn aborter(&self) -> Aborter {
        self.abort.clone()
    }
}

impl Future for TaskHandle {
    type Output = TaskEnd;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<TaskEnd> {
        self.end.as_mut().poll(context)
    }
}

impl fmt::Debug for TaskHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskHandle").finish_non_exhaustive()
    }
}
