use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use kcl_core::Mono;
use kcl_runtime::{SeededRng, TaskEnd};
use rand::SeedableRng;
use tokio::sync::oneshot;

use super::core::{Cancel, CheckedOut, Core, Polled, Stuck, Task};
use super::node::{Node, NodeState};
use super::ready::Ready;
use super::schedule::{Policy, Schedule};
use super::{ClockSpec, NodeId, Sleep};
use crate::keyed::{Stream, decide};

/// One simulation. A handle: clones share it.
#[derive(Clone)]
pub struct Sim {
    core: Arc<Mutex<Core>>,
    ready: Ready,
    seed: u64,
}

impl fmt::Debug for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sim").field("seed", &self.seed).finish_non_exhaustive()
    }
}

impl Sim {
    /// A simulation at time zero, with nothing but the world's node.
    pub fn new(seed: u64) -> Self {
        let core = Core::new(Schedule::new(seed));
        Self { core: Arc::new(Mutex::new(core)), ready: Ready::default(), seed }
    }

    fn core(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The seed that everything follows from.
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// The time since the start.
    pub fn now(&self) -> Duration {
        self.core().now
    }

    /// How many polls were made.
    pub fn polls(&self) -> u64 {
        self.core().polls
    }

    /// Completes after so much simulated time.
    pub fn sleep(&self, time: Duration) -> Sleep {
        self.sleep_until(self.now() + time)
    }

    /// Completes at this moment.
    pub fn sleep_until(&self, until: Duration) -> Sleep {
        Sleep { sim: self.clone(), until, timer: None }
    }

    /// Another node.
    pub fn node(&self, clock: ClockSpec) -> NodeId {
        let mut core = self.core();
        core.nodes.push(Node::new(clock));
        NodeId(core.nodes.len() - 1)
    }

    /// Which ready task runs next, from now on.
    pub fn set_policy(&self, policy: Policy) {
        self.core().schedule.set_policy(policy);
    }

    /// Drops a task at one of its polls instead of polling it.
    pub fn cancel_at(&self, cancel: Cancel) {
        self.core().cancel = Some(cancel);
    }

    /// Whether a task that was to be dropped has come to that poll.
    pub fn has_cancelled(&self) -> bool {
        self.core().cancel.is_none()
    }

    /// From now on counts the polls of every task.
    pub fn count_polls(&self) {
        self.core().polled.get_or_insert_default();
    }

    /// The polls that were counted, by task in the order of their start.
    pub fn polled(&self) -> Vec<Polled> {
        self.core().polled.iter().flat_map(|polled| polled.values().cloned()).collect()
    }

    /// What a node's monotonic clock shows; zero if there is no such node.
    pub fn mono(&self, node: NodeId) -> Mono {
        let core = self.core();
        core.nodes.get(node.0).map(|node| node.mono(core.now)).unwrap_or_default()
    }

    /// When a node's monotonic clock will show `at`, if it is not suspended before.
    pub(super) fn moment_of(&self, node: NodeId, at: Mono) -> Duration {
        let core = self.core();
        core.nodes.get(node.0).map_or(core.now, |node| node.moment_of(at))
    }

    /// How far a node's wall clock is ahead, in milliseconds.
    pub(super) fn wall_ahead(&self, node: NodeId) -> i64 {
        self.core().nodes.get(node.0).map_or(0, |node| node.clock.wall_ahead)
    }

    /// Sets a node's wall clock so far ahead, in milliseconds.
    pub fn jump_wall(&self, node: NodeId, ahead: i64) {
        if let Some(node) = self.core().nodes.get_mut(node.0) {
            node.clock.wall_ahead = ahead;
        }
    }

    /// Leaves one of the node's tasks alone until this moment: the nth, counted round, in the order of their start.
    pub fn starve(&self, node: NodeId, nth: u64, until: Duration) {
        self.core().starve(node, nth, until);
    }

    pub(super) fn rng(&self, node: NodeId) -> SeededRng {
        let mut core = self.core();
        let nth = core.nodes.get_mut(node.0).map_or(0, |node| {
            node.rngs += 1;
            node.rngs
        });
        SeededRng::seed_from_u64(decide(self.seed, Stream::Config, (u64::MAX, node.number(), nth)))
    }

    /// Starts a task. Its number, and where its end is told. On a dead node it never runs.
    pub fn spawn(&self, node: NodeId, name: &str, future: BoxFuture<'static, ()>) -> (u64, oneshot::Receiver<TaskEnd>) {
        let (done, end) = oneshot::channel();
        let mut core = self.core();
        core.last += 1;
        let (id, nth) = (core.last, core.count_name(node, name));
        core.tasks.insert(id, Task { node, name: name.to_owned(), nth, future: Some(future), done, aborted: false, polls: 0 });
        drop(core);
        self.ready.push(id);
        (id, end)
    }

    /// Drops a task; one that is being polled, after that.
    pub fn abort(&self, task: u64) {
        let mut core = self.core();
        let removed = match core.tasks.get_mut(&task) {
            Some(Task { future: None, aborted, .. }) => {
                *aborted = true;
                None
            }
            Some(_) => core.tasks.remove(&task),
            None => None,
        };
        // Its destructors may need the executor.
        drop(core);
        drop(removed);
    }

    /// Stops polling a node's tasks. Its timers keep firing, and its clocks run on.
    pub fn pause(&self, node: NodeId) {
        self.stop_polling(node, false);
    }

    /// As [`pause`](Self::pause), as a machine that is suspended: its monotonic clock stands still if it does so in suspend.
    pub fn suspend(&self, node: NodeId) {
        self.stop_polling(node, true);
    }

    fn stop_polling(&self, node: NodeId, suspended: bool) {
        let mut core = self.core();
        let now = core.now;
        if let Some(node) = core.nodes.get_mut(node.0).filter(|node| node.state == NodeState::Running) {
            node.state = NodeState::Paused((suspended && node.clock.stops_in_suspend).then_some(now));
        }
    }

    /// Lets a paused node go on: it sees everything at once that became ready meanwhile.
    pub fn resume(&self, node: NodeId) {
        let mut core = self.core();
        let now = core.now;
        let parked = core.nodes.get_mut(node.0).map(|node| node.resume(now)).unwrap_or_default();
        drop(core);
        parked.into_iter().for_each(|task| self.ready.push(task));
    }

    /// Ends a node as SIGKILL does: its futures are leaked, and no destructor runs.
    pub fn kill(&self, node: NodeId) {
        let mut core = self.core();
        if let Some(node) = core.nodes.get_mut(node.0) {
            node.state = NodeState::Dead;
            node.parked.clear();
        }
        let (dead, alive) = std::mem::take(&mut core.tasks).into_iter().partition(|(_, task)| task.node == node);
        core.tasks = alive;
        let dead: BTreeMap<u64, Task> = dead;
        std::mem::forget(dead);
    }

    /// Runs until the main task is done, for at most `limit` of simulated time.
    ///
    /// # Errors
    /// Why it could not go on.
    pub fn run<T: Send + 'static>(&self, limit: Duration, main: impl Future<Output = T> + Send + 'static) -> Result<T, Stuck> {
        let (report, mut result) = oneshot::channel();
        let main = async move {
            // The receiver lives as long as this call.
            let _ = report.send(main.await);
        };
        drop(self.spawn(NodeId::WORLD, "main", main.boxed()));
        let outcome = loop {
            if let Ok(result) = result.try_recv() {
                break Ok(result);
            }
            if let Err(stuck) = self.step(limit) {
                break Err(stuck);
            }
        };
        let (tasks, timers) = {
            let mut core = self.core();
            (std::mem::take(&mut core.tasks), std::mem::take(&mut core.timers))
        };
        drop((tasks, timers));
        outcome
    }

    fn step(&self, limit: Duration) -> Result<(), Stuck> {
        let mut core = self.core();
        let Core { schedule, .. } = &mut *core;
        let Some(id) = self.ready.take(|ready| schedule.pick(ready)) else {
            return core.pass(limit).map(|due| {
                drop(core);
                due.into_iter().for_each(Waker::wake);
            });
        };
        let (node, future) = match core.checked_out(id, &self.ready) {
            CheckedOut::NotNow => return Ok(()),
            CheckedOut::Poll(node, future) => (node, future),
            CheckedOut::Cancelled(Task { future, done, .. }) => {
                // Its destructors may need the executor.
                drop(core);
                drop(future);
                let _ = done.send(TaskEnd::Aborted);
                return Ok(());
            }
        };
        core.count_poll(node)?;
        drop(core);
        self.poll(id, node, future);
        self.core().stuck.take().map_or(Ok(()), Err)
    }

    fn poll(&self, id: u64, node: NodeId, mut future: BoxFuture<'static, ()>) {
        let waker = self.ready.waker(id);
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut Context::from_waker(&waker))));
        let mut core = self.core();
        let end = match polled {
            Ok(Poll::Pending) => match core.tasks.get_mut(&id) {
                Some(task) if !task.aborted => {
                    task.future = Some(future);
                    return;
                }
                _ => TaskEnd::Aborted,
            },
            Ok(Poll::Ready(())) => TaskEnd::Done,
            Err(_) => TaskEnd::Panicked,
        };
        let task = core.tasks.remove(&id);
        if let Some(task) = task.as_ref().filter(|_| end == TaskEnd::Panicked) {
            core.stuck = Some(Stuck::Panicked(node, task.name.clone()));
        }
        drop(core);
        drop(future);
        if let Some(task) = task {
            // Nobody may be waiting for it.
            let _ = task.done.send(end);
        }
    }

    pub(super) fn set_timer(&self, before: Option<(Duration, u64)>, at: Duration, waker: &Waker) -> Option<(Duration, u64)> {
        let mut core = self.core();
        if let Some(before) = before {
            core.timers.remove(&before);
        }
        if core.now >= at {
            return None;
        }
        core.last += 1;
        let key = (at, core.last);
        core.timers.insert(key, waker.clone());
        Some(key)
    }

    pub(super) fn clear_timer(&self, timer: (Duration, u64)) {
        self.core().timers.remove(&timer);
    }
}
