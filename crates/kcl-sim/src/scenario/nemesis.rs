use std::collections::BTreeMap;
use std::time::Duration;

use kcl_core::ShardId;

use super::Options;
use crate::exec::NodeId;
use crate::keyed::{Stream, between, time_between};
use crate::trace::Event;
use crate::world::Host;

/// No more shards than this are open at a time.
const MOST_SHARDS: usize = 16;

/// What makes trouble until the heal.
pub(super) struct Nemesis {
    pub(super) host: Host,
    pub(super) options: Options,
    /// The processes that run, and until when they are paused or cut off.
    pub(super) nodes: BTreeMap<NodeId, Trouble>,
    /// How many processes were started.
    pub(super) started: u64,
}

#[derive(Default)]
pub(super) struct Trouble {
    paused_until: Option<Duration>,
    cut_until: Option<Duration>,
}

impl Nemesis {
    fn draw(&self, nth: u64, what: u64, low: u64, high: u64) -> u64 {
        between(self.host.sim.seed(), Stream::Nemesis, (nth, what, 0), low, high)
    }

    pub(super) fn start_one(&mut self) {
        self.started += 1;
        let node = self.host.start(self.options.clock(self.host.sim.seed(), self.started));
        self.nodes.insert(node, Trouble::default());
    }

    /// Does something every few seconds until this moment.
    pub(super) async fn run(&mut self, until: Duration) {
        let sim = self.host.sim.clone();
        let mut nth = 0;
        while sim.now() < until {
            nth += 1;
            let pause = Duration::from_millis(self.draw(nth, 1, 500, 15_000));
            sim.sleep(pause).await;
            self.relieve(sim.now());
            let count = self.nodes.len() as u64;
            let victim = self.nodes.keys().copied().nth(usize::try_from(self.draw(nth, 2, 0, count.max(1) - 1)).unwrap_or(0));
            let Some(victim) = victim else { continue };
            match self.draw(nth, 3, 0, 3) {
                0 if self.options.pauses => self.pause(victim, nth),
                1 if self.options.kills => self.kill(victim),
                2 if self.options.cuts => self.cut(victim, nth),
                3 if self.options.reshards => self.reshard(nth),
                _ => {}
            }
        }
        self.relieve(Duration::MAX);
    }

    fn how_long(&self, nth: u64) -> Duration {
        let key = (nth, 4, 0);
        let until =
            time_between(self.host.sim.seed(), Stream::Nemesis, key, Duration::from_millis(500), self.options.failover * 3);
        self.host.sim.now() + until
    }

    fn pause(&mut self, node: NodeId, nth: u64) {
        let until = self.how_long(nth);
        if let Some(trouble) = self.nodes.get_mut(&node).filter(|trouble| trouble.paused_until.is_none()) {
            trouble.paused_until = Some(until);
            self.host.trace.add(Event::Paused(node));
            self.host.sim.pause(node);
        }
    }

    fn cut(&mut self, node: NodeId, nth: u64) {
        let until = self.how_long(nth);
        if let Some(trouble) = self.nodes.get_mut(&node).filter(|trouble| trouble.cut_until.is_none()) {
            trouble.cut_until = Some(until);
            self.host.store.cut(node);
        }
    }

    fn kill(&mut self, node: NodeId) {
        self.host.trace.add(Event::Killed(node));
        self.host.sim.kill(node);
        self.nodes.remove(&node);
        self.start_one();
    }

    /// Ends every pause and cut that is over by now.
    fn relieve(&mut self, now: Duration) {
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

    fn reshard(&self, nth: u64) {
        let open: Vec<ShardId> = self.host.stream.open_shards();
        let at = usize::try_from(self.draw(nth, 5, 0, open.len().max(1) as u64 - 1)).unwrap_or(0);
        let Some(shard) = open.get(at) else { return };
        match open.get(at + 1) {
            Some(next) if open.len() >= MOST_SHARDS || self.draw(nth, 6, 0, 1) == 0 => self.host.stream.merge(shard, next),
            _ if open.len() < MOST_SHARDS => self.host.stream.split(shard),
            _ => {}
        }
    }
}
