use std::fmt;
use std::time::Duration;

use kcl_core::Mono;

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
    /// Its tasks are not polled. Since when its monotonic clock stands still, if it does.
    Paused(Option<Duration>),
    Dead,
}

pub(super) struct Node {
    pub(super) clock: ClockSpec,
    pub(super) state: NodeState,
    /// For how long its monotonic clock stood still.
    pub(super) stood_still: Duration,
    /// Tasks that became ready while the node was paused.
    pub(super) parked: Vec<u64>,
    /// The simulated second that `polls` counts.
    second: u64,
    polls: u32,
    /// How many generators were handed out.
    pub(super) rngs: u64,
}

impl Node {
    pub(super) const fn new(clock: ClockSpec) -> Self {
        let state = NodeState::Running;
        Self { clock, state, stood_still: Duration::ZERO, parked: Vec::new(), second: 0, polls: 0, rngs: 0 }
    }

    /// What its monotonic clock shows.
    pub(super) fn mono(&self, now: Duration) -> Mono {
        let now = if let NodeState::Paused(Some(since)) = self.state { since } else { now };
        self.clock.local(now.saturating_sub(self.stood_still))
    }

    /// When its monotonic clock will show `at`, if it does not stand still before.
    pub(super) fn moment_of(&self, at: Mono) -> Duration {
        self.clock.global(at).saturating_add(self.stood_still)
    }

    /// Goes on after a pause: the tasks that became ready meanwhile.
    pub(super) fn resume(&mut self, now: Duration) -> Vec<u64> {
        let NodeState::Paused(still_since) = self.state else { return Vec::new() };
        if let Some(since) = still_since {
            self.stood_still += now.saturating_sub(since);
        }
        self.state = NodeState::Running;
        std::mem::take(&mut self.parked)
    }

    /// Counts a poll in this simulated second: how many there were in it.
    pub(super) const fn count_poll(&mut self, second: u64) -> u32 {
        if self.second != second {
            self.second = second;
            self.polls = 0;
        }
        self.polls += 1;
        self.polls
    }
}
