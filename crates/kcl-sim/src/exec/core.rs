use std::collections::BTreeMap;
use std::fmt;
use std::task::Waker;
use std::time::Duration;

use futures_util::future::BoxFuture;
use kcl_runtime::TaskEnd;
use tokio::sync::oneshot;

use super::NodeId;
use super::node::{Node, NodeState};
use super::ready::Ready;
use super::schedule::Schedule;

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

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deadlock => f.write_str("deadlock: nothing is ready and no timer is set"),
            Self::Livelock(node) => write!(f, "livelock: {node:?} works without time passing"),
            Self::Panicked(node, task) => write!(f, "the task {task:?} of {node:?} panicked"),
            Self::TooLong => f.write_str("the limit of simulated time has passed"),
        }
    }
}

/// A task to be dropped at one of its polls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cancel {
    /// Where it runs.
    pub node: NodeId,
    /// Its name.
    pub task: String,
    /// The how many'th task of this name on the node, from 1.
    pub nth: u32,
    /// Which poll does not happen any more, from 1.
    pub poll: u32,
}

/// How often a task was polled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Polled {
    /// Where it runs.
    pub node: NodeId,
    /// Its name.
    pub task: String,
    /// The how many'th task of this name on the node, from 1.
    pub nth: u32,
    /// So often.
    pub polls: u32,
}

pub(super) struct Task {
    pub(super) node: NodeId,
    pub(super) name: String,
    /// The how many'th of this name on the node.
    pub(super) nth: u32,
    /// Absent while it is polled.
    pub(super) future: Option<BoxFuture<'static, ()>>,
    pub(super) done: oneshot::Sender<TaskEnd>,
    pub(super) aborted: bool,
    pub(super) polls: u32,
}

/// A task that the scheduler leaves alone for a while.
struct Starved {
    node: NodeId,
    nth: u64,
    until: Duration,
}

pub(super) struct Core {
    pub(super) now: Duration,
    pub(super) schedule: Schedule,
    pub(super) nodes: Vec<Node>,
    pub(super) tasks: BTreeMap<u64, Task>,
    pub(super) timers: BTreeMap<(Duration, u64), Waker>,
    pub(super) last: u64,
    pub(super) polls: u64,
    pub(super) stuck: Option<Stuck>,
    pub(super) cancel: Option<Cancel>,
    /// How often each task was polled, if anybody wants to know.
    pub(super) polled: Option<BTreeMap<u64, Polled>>,
    /// How many tasks of which name were started on nodes of workers.
    names: BTreeMap<(NodeId, String), u32>,
    starved: Vec<Starved>,
}

/// What became of a task that wanted to be polled.
pub(super) enum CheckedOut {
    /// It is gone, or its node does not run, or the scheduler leaves it alone.
    NotNow,
    /// To be polled.
    Poll(NodeId, BoxFuture<'static, ()>),
    /// To be dropped instead.
    Cancelled(Task),
}

impl Core {
    pub(super) fn new(schedule: Schedule) -> Self {
        let nodes = vec![Node::new(super::ClockSpec::default())];
        let (tasks, timers) = (BTreeMap::new(), BTreeMap::new());
        let (now, names) = (Duration::ZERO, BTreeMap::new());
        let (stuck, cancel, polled) = (None, None, None);
        Self { now, schedule, nodes, tasks, timers, last: 0, polls: 0, stuck, cancel, polled, names, starved: Vec::new() }
    }

    /// One more task of this name on this node; those of the world are not counted.
    pub(super) fn count_name(&mut self, node: NodeId, name: &str) -> u32 {
        if node == NodeId::WORLD {
            return 0;
        }
        let count = self.names.entry((node, name.to_owned())).or_default();
        *count += 1;
        *count
    }

    /// Moves to the next timer; everything that is due then.
    pub(super) fn pass(&mut self, limit: Duration) -> Result<Vec<Waker>, Stuck> {
        let Some(((at, _), _)) = self.timers.first_key_value() else { return Err(Stuck::Deadlock) };
        self.now = self.now.max(*at);
        if self.now > limit {
            return Err(Stuck::TooLong);
        }
        let later = self.timers.split_off(&(self.now, u64::MAX));
        Ok(std::mem::replace(&mut self.timers, later).into_values().collect())
    }

    /// Leaves the node's nth task, in the order of their start, alone until this moment.
    pub(super) fn starve(&mut self, node: NodeId, nth: u64, until: Duration) {
        let of_node = self.tasks.iter().filter(|(_, task)| task.node == node).map(|(id, _)| *id);
        let tasks: Vec<u64> = of_node.collect();
        let Some(count) = u64::try_from(tasks.len()).ok().filter(|count| *count > 0) else { return };
        let nth = usize::try_from(nth % count).unwrap_or(0);
        self.starved.extend(tasks.get(nth).map(|task| Starved { node, nth: *task, until }));
    }

    /// The task's future, to be polled.
    pub(super) fn checked_out(&mut self, id: u64, ready: &Ready) -> CheckedOut {
        let Some(task) = self.tasks.get_mut(&id) else { return CheckedOut::NotNow };
        let Some(node) = self.nodes.get_mut(task.node.0) else { return CheckedOut::NotNow };
        match node.state {
            NodeState::Running => {}
            NodeState::Paused(_) => {
                node.parked.push(id);
                return CheckedOut::NotNow;
            }
            NodeState::Dead => return CheckedOut::NotNow,
        }
        let now = self.now;
        self.starved.retain(|starved| starved.until > now);
        if let Some(starved) = self.starved.iter().find(|starved| starved.node == task.node && starved.nth == id) {
            self.timers.insert((starved.until, id), ready.waker(id));
            return CheckedOut::NotNow;
        }
        task.polls += 1;
        if let Some(polled) = &mut self.polled {
            let new = || Polled { node: task.node, task: task.name.clone(), nth: task.nth, polls: 0 };
            polled.entry(id).or_insert_with(new).polls = task.polls;
        }
        let is_task = |cancel: &Cancel| cancel.node == task.node && cancel.nth == task.nth && cancel.task == task.name;
        let here = |cancel: &Cancel| cancel.poll == task.polls && is_task(cancel);
        if self.cancel.take_if(|cancel| here(cancel)).is_some() {
            return self.tasks.remove(&id).map_or(CheckedOut::NotNow, CheckedOut::Cancelled);
        }
        let node = task.node;
        task.future.take().map_or(CheckedOut::NotNow, |future| CheckedOut::Poll(node, future))
    }

    pub(super) fn count_poll(&mut self, id: NodeId) -> Result<(), Stuck> {
        self.polls += 1;
        let second = self.now.as_secs();
        let polls = self.nodes.get_mut(id.0).map_or(0, |node| node.count_poll(second));
        if polls > MOST_POLLS { Err(Stuck::Livelock(id)) } else { Ok(()) }
    }
}
