//! Processors with and without the bugs that applications have.
#![allow(dead_code, unreachable_pub, missing_docs, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, clippy::missing_panics_doc, clippy::disallowed_methods, reason = "test support")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use kcl_core::{Checkpointer, ExtendedSequenceNumber, KinesisClientRecord, ShardRecordProcessor, ShardRecordProcessorFactory};
use kcl_testing::fleet::World;

/// What a processor does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// One record after the other, then a checkpoint.
    Correct,
    /// As `Correct`, but does not say what is processed.
    Silent,
    /// Spawns the work on each record and returns with a checkpoint.
    SpawnsAndCheckpoints,
    /// Checkpoints before the work.
    CheckpointsFirst,
    /// Gives up on a record that fails.
    Swallows,
    /// Tries to checkpoint when the lease is lost.
    CheckpointsAfterLoss,
    /// Does nothing in `shard_ended`.
    NeverEnds,
    /// Works on all records of a batch at once.
    OutOfOrder,
    /// A task of its own checkpoints every few moments.
    TimerCheckpoints,
    /// Does not return from `process_records` after the first record of a shard.
    Hangs,
    /// Never returns from `shutdown_requested`.
    HangsInShutdown,
    /// Calls `end` in `process_records`.
    EndsEarly,
    /// Works when it has seen enough records, and whenever it must; then checkpoints. Nothing is wrong with that.
    Buffers,
    /// As `Buffers`, but forgets what it has when the shard ends.
    BuffersAndForgets,
    /// Keeps the last position for all shards of a process together.
    MixesShards,
    /// Panics on one record of the stream.
    Poisoned,
}

/// The application's database: what it holds survives the processes. A handle.
#[derive(Clone, Debug, Default)]
pub struct Sink(Arc<Mutex<Vec<Vec<u8>>>>);

impl Sink {
    pub fn rows(&self) -> Vec<Vec<u8>> {
        self.0.lock().unwrap().clone()
    }

    fn write(&self, row: &[u8]) {
        self.0.lock().unwrap().push(row.to_vec());
    }
}

#[derive(Clone)]
pub struct TestFactory {
    world: World,
    behaviour: Behaviour,
    sink: Option<Sink>,
    /// The last position of any shard.
    last: Arc<Mutex<Option<ExtendedSequenceNumber>>>,
}

impl TestFactory {
    pub fn new(world: &World, behaviour: Behaviour, sink: Option<&Sink>) -> Self {
        Self { world: world.clone(), behaviour, sink: sink.cloned(), last: Arc::default() }
    }

    /// The work on one record takes its time, by the paused clock of its process, and is tried until it succeeds.
    async fn work(&self, record: &KinesisClientRecord) {
        if self.behaviour == Behaviour::Poisoned && record.record.data == b"7".as_slice() {
            // Without the hook, which would print it.
            std::panic::resume_unwind(Box::new("this record is poison"));
        }
        loop {
            tokio::time::sleep(self.world.delay()).await;
            if !self.world.fails() {
                break;
            }
            if self.behaviour == Behaviour::Swallows {
                return;
            }
        }
        match &self.sink {
            Some(sink) => sink.write(&record.record.data),
            None if self.behaviour == Behaviour::Silent => {}
            None => self.world.processed(record),
        }
    }
}

struct TestProcessor {
    factory: TestFactory,
    checkpointer: Checkpointer,
    timer: Option<tokio::task::JoinHandle<()>>,
    buffer: Mutex<Vec<KinesisClientRecord>>,
}

impl TestProcessor {
    /// Works on what is buffered, and checkpoints it.
    async fn flush(&self) {
        let records = std::mem::take(&mut *self.buffer.lock().unwrap());
        for record in &records {
            self.factory.work(record).await;
        }
        if let Some(last) = records.last() {
            let _ = self.checkpointer.checkpoint(last.extended_sequence_number()).await;
        }
    }
}

impl Drop for TestProcessor {
    fn drop(&mut self) {
        if let Some(timer) = self.timer.take() {
            timer.abort();
        }
    }
}

#[async_trait]
impl ShardRecordProcessorFactory for TestFactory {
    async fn initialize(&self, checkpointer: Checkpointer) -> Box<dyn ShardRecordProcessor> {
        let timer = (self.behaviour == Behaviour::TimerCheckpoints).then(|| {
            let checkpointer = checkpointer.clone();
            tokio::spawn(async move {
                let mut ticks = tokio::time::interval(Duration::from_millis(700));
                // The first tick comes at once.
                ticks.tick().await;
                loop {
                    ticks.tick().await;
                    let _ = checkpointer.checkpoint_latest().await;
                }
            })
        });
        Box::new(TestProcessor { factory: self.clone(), checkpointer, timer, buffer: Mutex::default() })
    }
}

#[async_trait]
impl ShardRecordProcessor for TestProcessor {
    async fn process_records(&self, records: Vec<KinesisClientRecord>, _millis_behind_latest: i64) {
        let last = records.last().unwrap().extended_sequence_number();
        match self.factory.behaviour {
            Behaviour::SpawnsAndCheckpoints => {
                for record in records {
                    let factory = self.factory.clone();
                    tokio::spawn(async move { factory.work(&record).await });
                }
            }
            Behaviour::CheckpointsFirst => {
                let _ = self.checkpointer.checkpoint(last.clone()).await;
                for record in &records {
                    self.factory.work(record).await;
                }
                return;
            }
            Behaviour::Buffers | Behaviour::BuffersAndForgets => {
                self.buffer.lock().unwrap().extend(records);
                if self.buffer.lock().unwrap().len() >= 10 {
                    self.flush().await;
                }
                return;
            }
            Behaviour::OutOfOrder => drop(join_all(records.iter().map(|record| self.factory.work(record))).await),
            _ => {
                for record in &records {
                    self.factory.work(record).await;
                }
            }
        }
        match self.factory.behaviour {
            Behaviour::TimerCheckpoints => return,
            Behaviour::Hangs => std::future::pending().await,
            Behaviour::EndsEarly => drop(self.checkpointer.end().await),
            Behaviour::MixesShards => {
                let highest = self.factory.last.lock().unwrap().take().max(Some(last)).unwrap();
                *self.factory.last.lock().unwrap() = Some(highest.clone());
                let _ = self.checkpointer.checkpoint(highest).await;
                return;
            }
            _ => {}
        }
        let _ = self.checkpointer.checkpoint(last).await;
    }

    async fn lease_lost(&self) {
        if self.factory.behaviour == Behaviour::CheckpointsAfterLoss {
            let _ = self.checkpointer.checkpoint_latest().await;
        }
    }

    async fn shard_ended(&self) {
        if self.factory.behaviour == Behaviour::Buffers {
            self.flush().await;
        }
        if self.factory.behaviour != Behaviour::NeverEnds {
            let _ = self.checkpointer.end().await;
        }
    }

    async fn shutdown_requested(&self) {
        if self.factory.behaviour == Behaviour::HangsInShutdown {
            std::future::pending::<()>().await;
        }
        self.flush().await;
    }
}
