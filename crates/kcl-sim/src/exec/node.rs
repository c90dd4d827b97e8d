use std::fmt;

use super::ClockSpec;

/// One simulated process: a life of it, from its start to its end. A restarted process is another node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub(crate) usize);

impl NodeId {
    /// Where everything runs that is not a worker: servers, producers, the nemesis. It has no clock of its own.
    pub const WORLD: Self = Self(0);

    pub(crate) const fn number(self) -> u64 {
        self.0 as u64
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n{}", self.0)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NodeState {
    Running,
    Paused,
    Dead,
}

pub(super) struct Node {
    pub(super) clock: ClockSpec,
    pub(super) state: NodeState,
    /// Tasks that became ready while the node was paused.
    pub(super) parked: Vec<u64>,
    /// The simulated second that `polls` counts.
    pub(super) second: u64,
    pub(super) polls: u32,
    /// How many generators were handed out.
    pub(super) rngs: u64,
}

impl Node {
    pub(super) const fn new(clock: ClockSpec) -> Self {
        Self { clock, state: NodeState::Running, parked: Vec::new(), second: 0, polls: 0, rngs: 0 }
    }
}
