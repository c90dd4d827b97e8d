use std::collections::BTreeMap;
use std::time::Duration;

use kcl_core::{ShardId, WorkerId};

use super::{Action, Options, Replacement};
use crate::exec::NodeId;
use crate::trace::Event;
use crate::world::{Host, JavaVersion};

/// No more shards than this are open at a time.
const MOST_SHARDS: usize = 24;
/// No more processes than this run at a time.
const MOST_WORKERS: usize = 10;

/// What makes trouble until the heal.
pub(super) struct Nemesis {
    pub(super) host: Host,
    pub(super) options: Options,
    /// The processes that run, and until when they are paused or cut off.
    nodes: BTreeMap<NodeId, Trouble>,
    /// How many processes were started.
    started: u64,
    native_until: Option<Duration>,
}

struct Trouble {
    id: WorkerId,
    paused_until: Option<Duration>,
    cut_until: Option<Duration>,
    stopping: bool,
    java: Option<JavaVersion>,
}

impl Trouble {
    const fn is_well(&self) -> bool {
        self.paused_until.is_none() && self.cut_until.is_none() && !self.stopping
    }
}

impl Nemesis {
    pub(super) const fn new(host: Host, options: Options) -> Self {
        Self { host, options, nodes: BTreeMap::new(), started: 0, native_until: None }
    }

    /// Starts the next process under a new name.
    pub(super) fn start_one(&mut self) {
        let java = self.options.java.version(self.started + 1);
        self.start_as(None, java);
    }

    fn start_as(&mut self, id: Option<WorkerId>, java: Option<JavaVersion>) {
        self.started += 1;
        let (nth, options) = (self.started, &self.options);
        let (config, clock) = (options.config(nth), options.clock(self.host.sim.seed(), nth));
        let later = if nth <= options.workers { options.java.first_by } else { Duration::ZERO };
        let (node, id) = match java {
            Some(version) => self.host.start_java(&config, clock, id, version),
            None => self.host.start(config, clock, id, later),
        };
        self.nodes.insert(node, Trouble { id, paused_until: None, cut_until: None, stopping: false, java });
    }

    /// Does what is planned, each at its time, until this moment.
    pub(super) async fn run(&mut self, actions: &[(Duration, Action)], until: Duration) {
        let sim = self.host.sim.clone();
        for (at, action) in actions.iter().filter(|(at, _)| *at < until) {
            self.wait(*at).await;
            self.host.trace.add(Event::Nemesis(action.clone()));
            self.act(action, sim.now());
        }
        self.wait(until).await;
    }

    /// Until this moment: ends every pause and cut that is over.
    async fn wait(&mut self, until: Duration) {
        loop {
            let now = self.host.sim.now();
            self.relieve(now);
            if now >= until {
                return;
            }
            let ends = self.nodes.values().flat_map(|trouble| [trouble.paused_until, trouble.cut_until]).flatten();
            let next = ends.chain(self.native_until).min().map_or(until, |end| end.min(until));
            self.host.sim.sleep_until(next).await;
        }
    }

    fn act(&mut self, action: &Action, now: Duration) {
        match action {
            Action::Pause(nth, time) => self.pause(*nth, now + *time, false),
            Action::Suspend(nth, time) => self.pause(*nth, now + *time, true),
            Action::Kill(nth, replacement) => self.kill(*nth, *replacement),
            Action::Twin(nth) => {
                // Two Java processes of one name adopt each other's renewals, and one sets the other's checkpoints back.
                let victim = self.victim(*nth).and_then(|node| self.nodes.get(&node)).filter(|trouble| trouble.java.is_none());
                if let Some(id) = victim.map(|trouble| trouble.id.clone()).filter(|_| self.nodes.len() < MOST_WORKERS) {
                    self.start_as(Some(id), None);
                }
            }
            Action::Stop(nth) => self.stop(*nth),
            Action::Cut(nth, time) => self.cut(*nth, now + *time),
            Action::Starve(nth, task, time) => {
                if let Some(node) = self.victim(*nth) {
                    self.host.sim.starve(node, *task, now + *time);
                }
            }
            Action::JumpWall(nth, ahead) => {
                if let Some(node) = self.victim(*nth) {
                    self.host.sim.jump_wall(node, *ahead);
                }
            }
            Action::ThrottleStore(time) => self.host.store.throttle_until(now + *time),
            Action::StreamGone(time) => self.host.stream.gone_until(now + *time),
            Action::Split(nth) => self.reshard(*nth, false),
            Action::Merge(nth) => self.reshard(*nth, true),
            Action::Trim(age) => {
                self.host.stream.trim(*age);
                // A Java worker takes a shard that is gone for finished, and knows of no children.
                if self.options.java.is_empty() {
                    self.host.stream.forget(*age);
                }
            }
            Action::Edit(nth, edit) => self.host.store.edit(*nth, *edit),
            Action::GoNative(time) => {
                self.native_until = Some(now + *time);
                self.host.store.go_native(true);
            }
        }
    }

    fn victim(&self, nth: u64) -> Option<NodeId> {
        let count = u64::try_from(self.nodes.len()).ok().filter(|count| *count > 0)?;
        self.nodes.keys().nth(usize::try_from(nth % count).unwrap_or(0)).copied()
    }

    fn pause(&mut self, nth: u64, until: Duration, suspended: bool) {
        let Some(node) = self.victim(nth) else { return };
        let Some(trouble) = self.nodes.get_mut(&node).filter(|trouble| trouble.paused_until.is_none()) else { return };
        trouble.paused_until = Some(until);
        if suspended {
            self.host.trace.add(Event::Suspended(node));
            self.host.sim.suspend(node);
        } else {
            self.host.trace.add(Event::Paused(node));
            self.host.sim.pause(node);
        }
    }

    fn cut(&mut self, nth: u64, until: Duration) {
        let Some(node) = self.victim(nth) else { return };
        if let Some(trouble) = self.nodes.get_mut(&node).filter(|trouble| trouble.cut_until.is_none()) {
            trouble.cut_until = Some(until);
            self.host.store.cut(node);
        }
    }

    fn kill(&mut self, nth: u64, replacement: Replacement) {
        let Some(node) = self.victim(nth) else { return };
        self.end(node);
        let Some(dead) = self.nodes.remove(&node) else { return };
        let is_last = self.nodes.values().all(|trouble| trouble.stopping);
        match replacement {
            Replacement::New => self.start_one(),
            Replacement::SameName => self.start_as(Some(dead.id), dead.java),
            Replacement::Nobody if is_last => self.start_one(),
            Replacement::Nobody => {}
        }
    }

    fn end(&self, node: NodeId) {
        self.host.trace.add(Event::Killed(node));
        self.host.sim.kill(node);
    }

    fn stop(&mut self, nth: u64) {
        let Some(node) = self.victim(nth) else { return };
        if let Some(trouble) = self.nodes.get_mut(&node).filter(|trouble| !trouble.stopping) {
            trouble.stopping = true;
            self.host.stop(node);
            self.start_one();
        }
    }

    /// Ends every pause and cut that is over by now.
    fn relieve(&mut self, now: Duration) {
        self.roll_back(now);
        for (node, trouble) in &mut self.nodes {
            if trouble.paused_until.take_if(|until| *until <= now).is_some() {
                self.host.trace.add(Event::Resumed(*node));
                self.host.sim.resume(*node);
            }
            if trouble.cut_until.take_if(|until| *until <= now).is_some() {
                self.host.store.join(*node);
            }
        }
    }

    fn roll_back(&mut self, now: Duration) {
        if self.native_until.take_if(|until| *until <= now).is_some() {
            self.host.store.go_native(false);
        }
    }

    /// Ends all trouble, or that of one worker only, if the others may stay in theirs for ever. Of several processes
    /// with one name all but the newest end: such a fleet is not expected to settle.
    pub(super) fn heal(&mut self) {
        self.host.trace.add(Event::Enter(crate::trace::Stage::Heal));
        self.host.store.heal();
        self.host.stream.heal();
        self.roll_back(Duration::MAX);
        let newest: BTreeMap<WorkerId, NodeId> = self.nodes.iter().map(|(node, trouble)| (trouble.id.clone(), *node)).collect();
        let older: Vec<NodeId> =
            self.nodes.keys().filter(|node| !newest.values().any(|newest| newest == *node)).copied().collect();
        for node in older {
            self.end(node);
            self.nodes.remove(&node);
        }
        if !(self.options.abandons && self.nodes.values().any(Trouble::is_well)) {
            self.relieve(Duration::MAX);
        }
        if self.nodes.values().all(|trouble| trouble.stopping) {
            self.start_one();
        }
    }

    pub(super) fn stop_all(&self) {
        self.nodes.keys().for_each(|node| self.host.stop(*node));
    }

    fn reshard(&self, nth: u64, merge: bool) {
        let open: Vec<ShardId> = self.host.stream.open_shards();
        let Some(count) = u64::try_from(open.len()).ok().filter(|count| *count > 0) else { return };
        let at = usize::try_from(nth % count).unwrap_or(0);
        let Some(shard) = open.get(at) else { return };
        if merge {
            // Any other one that is its neighbour.
            open.iter().filter(|other| *other != shard).for_each(|other| self.host.stream.merge(shard, other));
        } else if open.len() < MOST_SHARDS {
            self.host.stream.split(shard);
        }
    }
}
