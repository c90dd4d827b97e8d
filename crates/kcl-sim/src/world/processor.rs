use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use kcl_core::{
    Checkpoint, CheckpointError, Checkpointer, ExtendedSequenceNumber, KinesisClientRecord, ShardRecordProcessor,
    ShardRecordProcessorFactory,
};

use crate::exec::{NodeId, Sim};
use crate::keyed::{Stream, decide, time_between};
use crate::trace::{Answer, Call, Event, Tenure, Trace};

/// What the application does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behaviour {
    /// It checkpoints after every so many batches; at least 1.
    pub checkpoint_every: u64,
    /// The longest that a batch takes.
    pub slowest: Duration,
    /// How many batches out of 10,000 panic, until the heal.
    pub panics: u64,
    /// Until when.
    pub panics_until: Duration,
}

/// Makes the processors of one node. All of a run share the count of tenures.
#[derive(Clone, Debug)]
pub struct Processors {
    /// The simulation.
    pub sim: Sim,
    /// Where it is written down.
    pub trace: Trace,
    /// The process.
    pub node: NodeId,
    /// What they do.
    pub behaviour: Behaviour,
    /// How many tenures began in this run.
    pub tenures: Arc<AtomicU64>,
}

struct Processor {
    of: Processors,
    tenure: Tenure,
    checkpointer: Checkpointer,
    last: Mutex<Option<ExtendedSequenceNumber>>,
    batches: AtomicU64,
}

#[async_trait]
impl ShardRecordProcessorFactory for Processors {
    async fn initialize(&self, checkpointer: Checkpointer) -> Box<dyn ShardRecordProcessor> {
        let number = self.tenures.fetch_add(1, Ordering::Relaxed) + 1;
        let lease = checkpointer.lease();
        let tenure = Tenure { node: self.node, shard: lease.shard_id.clone(), number };
        self.trace.add(Event::Begin(tenure.clone(), Call::Initialize(lease.start_position.clone())));
        self.sim.sleep(Duration::from_millis(1)).await;
        self.trace.add(Event::End(tenure.clone()));
        Box::new(Processor { of: self.clone(), tenure, checkpointer, last: Mutex::new(None), batches: AtomicU64::new(0) })
    }
}

impl Processor {
    fn begin(&self, call: Call) {
        self.of.trace.add(Event::Begin(self.tenure.clone(), call));
    }

    fn end(&self) {
        self.of.trace.add(Event::End(self.tenure.clone()));
    }

    async fn store(&self, checkpoint: Checkpoint) {
        self.of.trace.add(Event::Asked(self.tenure.clone(), checkpoint.clone()));
        let result: Result<(), CheckpointError> = match &checkpoint {
            Checkpoint::At(position) => self.checkpointer.checkpoint(position.clone()).await,
            _ => self.checkpointer.end().await,
        };
        self.of.trace.add(Event::Answered(self.tenure.clone(), checkpoint, Answer::from(&result)));
    }

    async fn store_last(&self) {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(last) = last {
            self.store(Checkpoint::At(last)).await;
        }
    }
}

#[async_trait]
impl ShardRecordProcessor for Processor {
    async fn process_records(&self, records: Vec<KinesisClientRecord>, _millis_behind_latest: i64) {
        let positions: Vec<_> = records.iter().map(KinesisClientRecord::extended_sequence_number).collect();
        let last = positions.last().cloned();
        self.begin(Call::Process(positions));
        let batch = self.batches.fetch_add(1, Ordering::Relaxed) + 1;
        let Processors { sim, behaviour, .. } = &self.of;
        let key = |what| (what, self.tenure.number, batch);
        sim.sleep(time_between(sim.seed(), Stream::Workload, key(1), Duration::ZERO, behaviour.slowest)).await;
        let unlucky = decide(sim.seed(), Stream::Workload, key(2)) % 10_000 < behaviour.panics;
        if unlucky && sim.now() < behaviour.panics_until {
            self.of.trace.add(Event::Panic(self.tenure.clone()));
            // Without the hook, which would print it.
            std::panic::resume_unwind(Box::new("a planned panic"));
        }
        // Processed from here on, also if the process is killed before the callback returns.
        self.of.trace.add(Event::Processed(self.tenure.clone()));
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = last;
        if batch.is_multiple_of(behaviour.checkpoint_every.max(1)) {
            self.store_last().await;
        }
        self.end();
    }

    async fn lease_lost(&self) {
        self.begin(Call::LeaseLost);
        self.store_last().await;
        self.end();
    }

    async fn shard_ended(&self) {
        self.begin(Call::ShardEnded);
        self.store(Checkpoint::ShardEnd).await;
        self.end();
    }

    async fn shutdown_requested(&self) {
        self.begin(Call::ShutdownRequested);
        self.store_last().await;
        self.end();
    }
}
