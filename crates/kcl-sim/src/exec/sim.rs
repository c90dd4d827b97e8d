use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use kcl_runtime::{SeededRng, TaskEnd};
use rand::{RngExt, SeedableRng};
use tokio::sync::oneshot;

use super::node::{Node, NodeState};
use super::ready::Ready;
use super::{ClockSpec, NodeId, Sleep};
use crate::keyed::{Stream, decide};

/// More polls of one node than this in one simulated second are a livelock.
const MOST_POLLS: u32 = 50_000;

/// Why a run could not go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stuck {
    /// Nothing is ready and no timer is set, but the main task is not done.
    Deadlock,
    /// This node does not stop working although no time passes.
    Livelock(NodeId),
    /// A task panicked outside of the application's code.
    Panicked(NodeId, String),
    /// The limit of simulated time has passed.
    TooLong,
}

/// One simulation. A handle: clones share it.
#[derive(Clone)]
pub struct Sim {
    core: Arc<Mutex<Core>>,
    ready: Ready,
    seed: u64,
}

struct Core {
    now: Duration,
    schedule: SeededRng,
    nodes: Vec<Node>,
    tasks: BTreeMap<u64, Task>,
    timers: BTreeMap<(Duration, u64), Waker>,
    last: u64,
    polls: u64,
    stuck: Option<Stuck>,
}

struct Task {
    node: NodeId,
    name: String,
    /// Absent while it is polled.
    future: Option<BoxFuture<'static, ()>>,
    done: oneshot::Sender<TaskEnd>,
    aborted: bool,
}

impl fmt::Debug for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sim").field("seed", &self.seed).finish_non_exhaustive()
    }
}

impl Sim {
    /// A simulation at time zero, with nothing but the world's node.
    pub fn new(seed: u64) -> Self {
        let schedule = SeededRng::seed_from_u64(decide(seed, Stream::Schedule, (0, 0, 0)));
        let nodes = vec![Node::new(ClockSpec::default())];
        let (tasks, timers) = (BTreeMap::new(), BTreeMap::new());
        let core = Core { now: Duration::ZERO, schedule, nodes, tasks, timers, last: 0, polls: 0, stuck: None };
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

    /// The clock of a node; the world's if there is no such node.
    pub fn clock(&self, node: NodeId) -> ClockSpec {
        self.core().nodes.get(node.0).map(|node| node.clock).unwrap_or_default()
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
        let id = core.last;
        core.tasks.insert(id, Task { node, name: name.to_owned(), future: Some(future), done, aborted: false });
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

    /// Stops polling a node's tasks. Its timers keep firing.
    pub fn pause(&self, node: NodeId) {
        self.enter(node, NodeState::Running, NodeState::Paused);
    }

    /// Lets a paused node go on: it sees everything at once that became ready meanwhile.
    pub fn resume(&self, node: NodeId) {
        self.enter(node, NodeState::Paused, NodeState::Running).into_iter().for_each(|task| self.ready.push(task));
    }

    fn enter(&self, node: NodeId, from: NodeState, to: NodeState) -> Vec<u64> {
        match self.core().nodes.get_mut(node.0) {
            Some(node) if node.state == from => {
                node.state = to;
                std::mem::take(&mut node.parked)
            }
            _ => Vec::new(),
        }
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
        let Some(id) = self.ready.take(|count| schedule.random_range(0..count)) else {
            return core.pass(limit).map(|due| {
                drop(core);
                due.into_iter().for_each(Waker::wake);
            });
        };
        let Some((node, future)) = core.checked_out(id) else { return Ok(()) };
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

impl Core {
    /// Moves to the next timer; everything that is due then.
    fn pass(&mut self, limit: Duration) -> Result<Vec<Waker>, Stuck> {
        let Some(((at, _), _)) = self.timers.first_key_value() else { return Err(Stuck::Deadlock) };
        self.now = self.now.max(*at);
        if self.now > limit {
            return Err(Stuck::TooLong);
        }
        let later = self.timers.split_off(&(self.now, u64::MAX));
        Ok(std::mem::replace(&mut self.timers, later).into_values().collect())
    }

    /// The task's future, to be polled; `None` if it is gone or its node does not run.
    fn checked_out(&mut self, id: u64) -> Option<(NodeId, BoxFuture<'static, ()>)> {
        let task = self.tasks.get_mut(&id)?;
        let node = self.nodes.get_mut(task.node.0)?;
        match node.state {
            NodeState::Running => Some((task.node, task.future.take()?)),
            NodeState::Paused => {
                node.parked.push(id);
                None
            }
            NodeState::Dead => None,
        }
    }

    fn count_poll(&mut self, id: NodeId) -> Result<(), Stuck> {
        self.polls += 1;
        let second = self.now.as_secs();
        let Some(node) = self.nodes.get_mut(id.0) else { return Ok(()) };
        if node.second != second {
            node.second = second;
            node.polls = 0;
        }
        node.polls += 1;
        if node.polls > MOST_POLLS { Err(Stuck::Livelock(id)) } else { Ok(()) }
    }
}
