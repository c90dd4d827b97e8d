//! A small fleet of workers around an application's own processor, in simulated time, with faults, from a seed.
//!
//! ```
//! use async_trait::async_trait;
//! use kcl_core::{Checkpointer, KinesisClientRecord, ShardRecordProcessor, ShardRecordProcessorFactory};
//! use kcl_testing::fleet::{Faults, Fleet, World};
//!
//! struct Factory(World);
//! struct Processor(World, Checkpointer);
//!
//! #[async_trait]
//! impl ShardRecordProcessorFactory for Factory {
//!     async fn initialize(&self, checkpointer: Checkpointer) -> Box<dyn ShardRecordProcessor> {
//!         Box::new(Processor(self.0.clone(), checkpointer))
//!     }
//! }
//!
//! #[async_trait]
//! impl ShardRecordProcessor for Processor {
//!     async fn process_records(&self, records: Vec<KinesisClientRecord>, _millis_behind_latest: i64) {
//!         for record in &records {
//!             tokio::time::sleep(self.0.delay()).await; // the work: say, a row in a database
//!             self.0.processed(record); // optional: it is done
//!         }
//!         let _ = self.1.checkpoint_latest().await;
//!     }
//!     async fn lease_lost(&self) {}
//!     async fn shard_ended(&self) {
//!         let _ = self.1.end().await;
//!     }
//!     async fn shutdown_requested(&self) {}
//! }
//!
//! let fleet = Fleet::new().workers(2).shards(2).records(100).faults(Faults::all()).seeds(0..2);
//! fleet.run(|world| Factory(world.clone())).assert_clean();
//! ```
//!
//! # What it does
//!
//! For each seed it makes a stream and a lease table in memory and starts *processes*: each has a tokio runtime of its own
//! with a paused clock, and the worker that runs in production on it. Processes take turns of at most 100 ms of simulated
//! time. While records are put, faults happen: what the seed picks of [`Faults`]. Then the faults stop, the fleet must
//! process everything within a bound, and it is shut down. [`Rule`] says what is checked of every run, and a [`Report`]
//! says which rules did not hold, what happened before, and how to run that seed alone.
//!
//! A killed process loses what it spawned with `tokio::spawn`, too. What must survive it, such as the database that the
//! application writes to, belongs outside: see [`Fleet::run_with`].
//!
//! # What it does not do
//!
//! - Its processors live in simulated time: `tokio::time` works and costs nothing, but there is no real I/O (the runtimes
//!   have no I/O driver), and whoever waits for real time, as `std::thread::sleep` or a blocking thread, holds up everything.
//! - The same seed gives the same run as long as the application does nothing that depends on anything but its input and
//!   tokio's clock. Not from the seed are: `tokio::select!` without `biased`, the order of a `HashMap`, real clocks,
//!   entropy, other threads. Tasks of one process run in the order in which tokio wakes them, which may change with its
//!   version.
//! - Processes are killed and stopped only where their tasks wait, and a killed one's destructors run.
//! - It begins with the oldest record always; retention, hand-made edits of the table and mixed configurations are not
//!   tried.

mod clock;
mod draws;
mod faults;
mod latency;
mod nemesis;
mod options;
mod oracle;
mod port;
mod process;
mod producer;
mod report;
mod rule;
mod run;
mod settings;
mod simulation;
mod trace;
mod watch;
mod world;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use kcl_core::{ShardRecordProcessorFactory, WorkerConfig};

pub use self::faults::{FaultKind, Faults};
pub use self::report::{Report, Violation};
pub use self::rule::Rule;
pub use self::run::{PutRecord, Run};
pub use self::world::World;

use self::options::Options;
use self::settings::Settings;
use self::simulation::Simulation;
use self::trace::Trace;

/// After so many seeds with violations no more are run.
const MOST_FAILING: usize = 3;

/// A fleet to be simulated. See the [module](self) for what it does.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Fleet {
    settings: Settings,
}

impl Fleet {
    /// Three workers, four shards, 500 records of 20 keys in two minutes, every kind of fault, seeds 0 to 19.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many processes there are, each with one worker: killed ones are replaced after a while. 0 counts as 1.
    pub fn workers(mut self, workers: usize) -> Self {
        self.settings.workers = workers;
        self
    }

    /// How many shards the stream has at first. 0 counts as 1.
    pub fn shards(mut self, shards: u32) -> Self {
        self.settings.shards = shards;
        self
    }

    /// How many records are put.
    pub fn records(mut self, records: usize) -> Self {
        self.settings.records = records;
        self
    }

    /// How many partition keys they have: `key-0`, `key-1` and so on. 0 counts as 1.
    pub fn keys(mut self, keys: usize) -> Self {
        self.settings.keys = keys;
        self
    }

    /// Which seeds are run, one after the other. Each is a fleet of its own: other faults at other times, and other settings.
    pub fn seeds(mut self, seeds: impl IntoIterator<Item = u64>) -> Self {
        self.settings.seeds = seeds.into_iter().collect();
        self
    }

    /// Which kinds of trouble there may be. Each seed leaves out about half of them.
    pub fn faults(mut self, faults: Faults) -> Self {
        self.settings.faults = faults;
        self
    }

    /// For how much simulated time faults happen and records are put. Two minutes at first.
    pub fn duration(mut self, duration: Duration) -> Self {
        self.settings.duration = duration;
        self
    }

    /// How much simulated time the fleet has to process everything once the faults have stopped. At first two minutes and
    /// 15 failover times, and 11 minutes more in a run with panics, because a shard is left alone for up to five minutes
    /// after several of them. A longer bound costs nothing where all is well.
    pub const fn settle(mut self, settle: Duration) -> Self {
        self.settings.settle = Some(settle);
        self
    }

    /// Whether half of the seeds put a part of the records as aggregates, as the Kinesis Producer Library does. They do at
    /// first.
    pub const fn aggregates(mut self, aggregates: bool) -> Self {
        self.settings.aggregates = aggregates;
        self
    }

    /// Makes payloads that the application can read, from the partition key and the record's number in its run. At first
    /// it is the number in decimal digits.
    pub fn payload(mut self, payload: impl Fn(&str, usize) -> Vec<u8> + Send + Sync + 'static) -> Self {
        self.settings.payload = Arc::new(payload);
        self
    }

    /// Changes the workers' settings after the seed has picked the times and the batch size. Names and start position are
    /// the fleet's whatever this says.
    pub fn configure(mut self, configure: impl Fn(&mut WorkerConfig) + Send + Sync + 'static) -> Self {
        self.settings.configure = Arc::new(configure);
        self
    }

    /// Runs every seed, or until three of them had violations. `factory` is called for each process that starts, in that
    /// process.
    pub fn run<F>(&self, factory: impl Fn(&World) -> F + Sync) -> Report
    where
        F: ShardRecordProcessorFactory + 'static,
    {
        self.run_with(World::clone, factory, |_, _| Ok(()))
    }

    /// As [`run`](Self::run), with something outside of the processes that survives them, such as a database in memory.
    ///
    /// `outside` makes it, once for each seed and outside of any runtime. `factory` gets it for each process that starts,
    /// in that process. `check` looks at it when everything has stopped and says what is wrong, by an error or a panic;
    /// [`Run::expect_all`] and [`Run::expect_key_order`] say it for most.
    ///
    /// ```
    /// # use async_trait::async_trait;
    /// # use kcl_core::{Checkpointer, KinesisClientRecord, ShardRecordProcessor, ShardRecordProcessorFactory};
    /// # use std::sync::{Arc, Mutex};
    /// # #[derive(Clone, Default)]
    /// # struct Table(Arc<Mutex<Vec<Vec<u8>>>>);
    /// # struct Factory(Table);
    /// # struct Processor(Table, Checkpointer);
    /// # impl Table {
    /// #     fn rows(&self) -> Vec<Vec<u8>> {
    /// #         self.0.lock().unwrap().clone()
    /// #     }
    /// # }
    /// # #[async_trait]
    /// # impl ShardRecordProcessorFactory for Factory {
    /// #     async fn initialize(&self, checkpointer: Checkpointer) -> Box<dyn ShardRecordProcessor> {
    /// #         Box::new(Processor(self.0.clone(), checkpointer))
    /// #     }
    /// # }
    /// # #[async_trait]
    /// # impl ShardRecordProcessor for Processor {
    /// #     async fn process_records(&self, records: Vec<KinesisClientRecord>, _: i64) {
    /// #         self.0.0.lock().unwrap().extend(records.iter().map(|record| record.record.data.to_vec()));
    /// #         let _ = self.1.checkpoint_latest().await;
    /// #     }
    /// #     async fn lease_lost(&self) {}
    /// #     async fn shard_ended(&self) {
    /// #         let _ = self.1.end().await;
    /// #     }
    /// #     async fn shutdown_requested(&self) {}
    /// # }
    /// use kcl_testing::fleet::Fleet;
    ///
    /// let fleet = Fleet::new().records(50).seeds(0..2);
    /// let report = fleet.run_with(
    ///     |_world| Table::default(),
    ///     |table| Factory(table.clone()),
    ///     |table, run| {
    ///         run.expect_all(table.rows())?;
    ///         run.expect_key_order(table.rows())
    ///     },
    /// );
    /// report.assert_clean();
    /// ```
    pub fn run_with<W, F>(
        &self,
        outside: impl Fn(&World) -> W + Sync,
        factory: impl Fn(&W) -> F + Sync,
        check: impl Fn(&W, &Run) -> Result<(), String> + Sync,
    ) -> Report
    where
        F: ShardRecordProcessorFactory + 'static,
    {
        let mut report = Report::new(self.settings.clone());
        for &seed in &self.settings.seeds {
            // On a thread of its own, because a test may call this from a runtime.
            let ran = thread::scope(|scope| {
                scope
                    .spawn(|| self.run_seed(seed, &outside, &factory, &check))
                    .join()
                    .unwrap_or_else(|panic| resume_unwind(panic))
            });
            report.add(&ran.options, ran.records, &ran.entries, ran.violations);
            if report.failing() >= MOST_FAILING {
                break;
            }
        }
        report
    }

    fn run_seed<W, F>(
        &self,
        seed: u64,
        outside: &impl Fn(&World) -> W,
        factory: &impl Fn(&W) -> F,
        check: &impl Fn(&W, &Run) -> Result<(), String>,
    ) -> Ran
    where
        F: ShardRecordProcessorFactory + 'static,
    {
        let options = Options::draw(&self.settings, seed);
        let trace = Trace::default();
        let world = World::new(seed, trace.clone(), &options);
        let outside = outside(&world);
        let factory = || -> Box<dyn ShardRecordProcessorFactory> { Box::new(factory(&outside)) };
        let mut violations = Simulation::new(&self.settings, &options, world, trace.clone(), &factory).run();
        let (records, entries) = trace.take();
        violations.extend(oracle::audit(seed, &records, &entries));
        let run = Run { seed, records };
        let checked = catch_unwind(AssertUnwindSafe(|| check(&outside, &run))).unwrap_or_else(|panic| Err(message(&*panic)));
        if let Err(what) = checked {
            violations.push(Violation { rule: Rule::Check, seed, what, entry: None });
        }
        Ran { options, records: run.records.len(), entries, violations }
    }
}

/// One seed's run.
struct Ran {
    options: Options,
    records: usize,
    entries: Vec<trace::Entry>,
    violations: Vec<Violation>,
}

/// What a panic said.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "the check panicked".to_owned())
}
