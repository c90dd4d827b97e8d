use std::sync::Arc;
use std::time::Duration;

use kcl_core::{ShardRecordProcessorFactory, Wall};

use super::draws::{Draws, Purpose};
use super::nemesis::Nemesis;
use super::options::Options;
use super::process::{Process, ProcessStart};
use super::producer::Producer;
use super::report::Violation;
use super::rule::Rule;
use super::settings::Settings;
use super::trace::{Event, Trace};
use super::watch::{Panics, Watched};
use super::world::World;
use crate::{FaultyStore, FaultyStream, MemoryLeaseStore, MemoryStream};

/// Processes live for at most so long before it is another one's turn: their clocks differ by no more.
const LONGEST_TURN: Duration = Duration::from_millis(100);

/// One seed's run: the stream, the lease table, and the processes that share them.
pub(super) struct Simulation<'a> {
    settings: &'a Settings,
    options: &'a Options,
    seed: u64,
    factory: &'a dyn Fn() -> Box<dyn ShardRecordProcessorFactory>,
    world: World,
    trace: Trace,
    stream: MemoryStream,
    store: MemoryLeaseStore,
    panics: Panics,
    schedule: Draws,
    now: Duration,
    processes: Vec<Process>,
    started: u64,
    /// When processes that replace others start.
    replacements: Vec<Duration>,
    /// Whether a process that has ended is replaced.
    replacing: bool,
    violations: Vec<Violation>,
}

impl<'a> Simulation<'a> {
    pub(super) fn new(
        settings: &'a Settings,
        options: &'a Options,
        world: World,
        trace: Trace,
        factory: &'a dyn Fn() -> Box<dyn ShardRecordProcessorFactory>,
    ) -> Self {
        let seed = world.seed();
        let stream = MemoryStream::new("stream", settings.shards);
        stream.set_records_per_read(options.config.max_records_per_call * 2);
        Self {
            settings,
            options,
            seed,
            factory,
            world,
            trace,
            stream,
            store: MemoryLeaseStore::new(),
            panics: Panics::new(Draws::new(seed, Purpose::Panics, 0), options.panics),
            schedule: Draws::new(seed, Purpose::Schedule, 0),
            now: Duration::ZERO,
            processes: Vec::new(),
            started: 0,
            replacements: vec![Duration::ZERO; settings.workers.max(1)],
            replacing: true,
            violations: Vec::new(),
        }
    }

    /// The whole run. What went wrong in a way that needs no audit.
    pub(super) fn run(mut self) -> Vec<Violation> {
        if let Err(error) = self.options.config.validate() {
            return vec![self.violation(Rule::Start, format!("the configuration is not valid: {error}"))];
        }
        let mut nemesis = Nemesis::new(self.options, self.seed, self.stream.clone(), self.trace.clone());
        let mut producer = Producer::new(self.settings, self.options, self.seed, self.stream.clone(), self.trace.clone());
        self.enter("faults");
        while self.now < self.settings.duration && self.violations.is_empty() {
            self.turn(&mut nemesis);
            nemesis.tick(self.now, &mut self.processes);
            self.replace();
            if let Err(error) = producer.tick(self.now) {
                self.fail(Rule::Start, format!("a record could not be put: {error}"));
            }
        }
        self.enter("no more faults");
        nemesis.heal(&mut self.processes);
        self.world.heal();
        self.panics.stop();
        self.settle(&mut nemesis);
        self.shut_down(&mut nemesis);
        self.violations
    }

    /// Lets every process live for a moment, in any order.
    fn turn(&mut self, nemesis: &mut Nemesis) {
        let longest = LONGEST_TURN.min(self.options.config.failover_time / 40).max(Duration::from_millis(2));
        self.now += self.schedule.time(Duration::from_millis(2), longest);
        self.trace.set_now(self.now);
        let millis = i64::try_from(self.now.as_millis()).unwrap_or(i64::MAX);
        self.stream.set_now(Wall::from_unix_millis(MemoryStream::START.unix_millis().saturating_add(millis)));
        for at in (0..self.replacements.len()).rev() {
            if self.replacements.get(at).is_some_and(|due| *due <= self.now) {
                self.replacements.swap_remove(at);
                self.start_one(nemesis);
            }
        }
        for at in (1..self.processes.len()).rev() {
            let other = self.schedule.below(at + 1);
            self.processes.swap(at, other);
        }
        let mut at = 0;
        while let Some(process) = self.processes.get_mut(at) {
            match process.live_until(self.now) {
                Some(outcome) => {
                    let ended = self.processes.remove(at);
                    self.ended(&ended, outcome);
                }
                None => at += 1,
            }
        }
    }

    fn start_one(&mut self, nemesis: &mut Nemesis) {
        self.started += 1;
        let name: Arc<str> = format!("worker-{}", self.started).into();
        let (store, stream) = (FaultyStore::new(self.store.clone()), FaultyStream::new(self.stream.clone()));
        nemesis.watch(store.clone());
        let start = ProcessStart {
            name: Arc::clone(&name),
            at: self.now,
            config: self.options.config.clone(),
            store,
            stream,
            latency: self.options.latency,
            draws: Draws::new(self.seed, Purpose::Process, self.started),
        };
        self.trace.add(Event::Started(Arc::clone(&name)));
        let watched = || -> Arc<dyn ShardRecordProcessorFactory> {
            Arc::new(Watched {
                factory: (self.factory)(),
                worker: name,
                trace: self.trace.clone(),
                store: self.store.clone(),
                panics: self.panics.clone(),
            })
        };
        match Process::start(start, watched) {
            Ok(process) => self.processes.push(process),
            Err(error) => self.fail(Rule::Start, format!("a process could not be made: {error}")),
        }
    }

    fn ended(&mut self, process: &Process, outcome: Result<(), String>) {
        self.trace.add(Event::Stopped(Arc::clone(&process.name), outcome.clone()));
        if let (false, Err(reason)) = (self.replacing, outcome) {
            self.fail(Rule::Shutdown, format!("the shutdown of {} was not clean: {reason}", process.name));
        }
    }

    /// Plans a successor for every process that is gone.
    fn replace(&mut self) {
        while self.replacing && self.processes.len() + self.replacements.len() < self.settings.workers.max(1) {
            let after = self.schedule.time(Duration::ZERO, self.options.config.failover_time * 2);
            self.replacements.push(self.now + after);
        }
    }

    /// Waits until everything is processed, and a while longer.
    fn settle(&mut self, nemesis: &mut Nemesis) {
        let limit = self.now + self.options.settle;
        let quiet = self.options.config.failover_time * 2;
        let mut since = None;
        while self.now < limit && self.violations.is_empty() {
            self.turn(nemesis);
            self.replace();
            if self.trace.all_processed() && self.all_ended() {
                if self.now >= *since.get_or_insert(self.now) + quiet {
                    break;
                }
            } else {
                since = None;
            }
        }
    }

    /// Whether every shard that is closed is finished.
    fn all_ended(&self) -> bool {
        let ended = |lease: kcl_core::Lease| lease.checkpoint.is_shard_end();
        self.stream.shards().iter().filter(|shard| !shard.is_open()).all(|shard| self.store.lease(&shard.id).is_none_or(ended))
    }

    fn shut_down(&mut self, nemesis: &mut Nemesis) {
        self.enter("shutdown");
        self.replacing = false;
        self.replacements.clear();
        self.processes.iter().for_each(Process::stop);
        let limit = self.now + self.options.shutdown_limit();
        while self.now < limit && !self.processes.is_empty() {
            self.turn(nemesis);
        }
        for process in std::mem::take(&mut self.processes) {
            let what = format!("{} has not stopped within {:?}", process.name, self.options.shutdown_limit());
            self.fail(Rule::Shutdown, what);
        }
        self.enter("end");
    }

    fn enter(&self, part: &'static str) {
        self.trace.add(Event::Enter(part));
    }

    fn violation(&self, rule: Rule, what: String) -> Violation {
        Violation { rule, seed: self.seed, what, entry: None }
    }

    fn fail(&mut self, rule: Rule, what: String) {
        let violation = self.violation(rule, what);
        self.violations.push(violation);
    }
}
