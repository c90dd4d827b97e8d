use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt;
use futures_util::future::select;
use kcl_core::{
    Checkpoint, CheckpointError, Checkpointer, ExtendedSequenceNumber, KinesisClientRecord, ShardRecordProcessor,
    ShardRecordProcessorFactory,
};

use super::Behaviour;
use super::behaviour::Whim;
use crate::exec::{NodeId, Sim};
use crate::trace::{Answer, Call, Event, Tenure, Trace};

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
    teller: Teller,
    last: Mutex<Option<ExtendedSequenceNumber>>,
    batches: AtomicU64,
    /// How often the end was refused.
    refused: AtomicU32,
}

/// A checkpointer whose calls are written down.
#[derive(Clone)]
struct Teller {
    trace: Trace,
    tenure: Tenure,
    checkpointer: Checkpointer,
}

impl Teller {
    async fn store(&self, checkpoint: Checkpoint) {
        self.trace.add(Event::Asked(self.tenure.clone(), checkpoint.clone()));
        let result: Result<(), CheckpointError> = match &checkpoint {
            Checkpoint::At(position) => self.checkpointer.checkpoint(position.clone()).await,
            _ => self.checkpointer.end().await,
        };
        self.trace.add(Event::Answered(self.tenure.clone(), checkpoint, Answer::from(&result)));
    }
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
        Box::new(Processor {
            of: self.clone(),
            teller: Teller { trace: self.trace.clone(), tenure, checkpointer },
            last: Mutex::new(None),
            batches: AtomicU64::new(0),
            refused: AtomicU32::new(0),
        })
    }
}

impl Processor {
    fn begin(&self, call: Call) {
        self.of.trace.add(Event::Begin(self.teller.tenure.clone(), call));
    }

    fn end(&self) {
        self.of.trace.add(Event::End(self.teller.tenure.clone()));
    }

    fn last(&self) -> Option<ExtendedSequenceNumber> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn store_last(&self) {
        if let Some(last) = self.last() {
            self.teller.store(Checkpoint::At(last)).await;
        }
    }

    fn panic(&self) -> ! {
        self.of.trace.add(Event::Panic(self.teller.tenure.clone()));
        // Without the hook, which would print it.
        std::panic::resume_unwind(Box::new("a planned panic"));
    }

    /// Uses the checkpointer in a way that it must stand or refuse.
    async fn misuse(&self, whim: Whim, first: ExtendedSequenceNumber) {
        match whim {
            Whim::CheckpointAhead => {
                let ahead = ExtendedSequenceNumber::new(u64::MAX.into(), 0);
                self.teller.store(Checkpoint::At(ahead)).await;
            }
            Whim::CheckpointBack => self.teller.store(Checkpoint::At(first)).await,
            Whim::EndEarly => self.teller.store(Checkpoint::ShardEnd).await,
            Whim::Detached => {
                let (teller, last) = (self.teller.clone(), self.last());
                let store = async move {
                    if let Some(last) = last {
                        teller.store(Checkpoint::At(last)).await;
                    }
                };
                drop(self.of.sim.spawn(self.of.node, "detached", store.boxed()));
            }
            Whim::Twice => {
                self.store_last().await;
                self.store_last().await;
            }
            Whim::None | Whim::Panic | Whim::Hang | Whim::GiveUp => {}
        }
    }
}

#[async_trait]
impl ShardRecordProcessor for Processor {
    async fn process_records(&self, records: Vec<KinesisClientRecord>, _millis_behind_latest: i64) {
        let positions: Vec<_> = records.iter().map(KinesisClientRecord::extended_sequence_number).collect();
        let (first, last) = (positions.first().cloned(), positions.last().cloned());
        self.begin(Call::Process(positions));
        let batch = self.batches.fetch_add(1, Ordering::Relaxed) + 1;
        let Processors { sim, behaviour, .. } = &self.of;
        let number = self.teller.tenure.number;
        sim.sleep(behaviour.duration(sim.seed(), number, batch)).await;
        let whim = behaviour.whim(sim.seed(), sim.now(), number, batch);
        match whim {
            Whim::Panic => self.panic(),
            Whim::Hang => sim.sleep_until(behaviour.calm_at).await,
            _ => {}
        }
        // Processed from here on, also if the process is killed before the callback returns.
        self.of.trace.add(Event::Processed(self.teller.tenure.clone()));
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = last;
        if whim == Whim::GiveUp {
            let patience = sim.sleep(Behaviour::patience(sim.seed(), number, batch));
            // What of it was under way still happens; the next checkpoint must be answered truthfully all the same.
            drop(select(Box::pin(self.store_last()), Box::pin(patience)).await);
        }
        if whim == Whim::GiveUp || batch.is_multiple_of(behaviour.checkpoint_every.max(1)) {
            self.store_last().await;
        }
        if let Some(first) = first {
            self.misuse(whim, first).await;
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
        if self.refused.fetch_add(1, Ordering::Relaxed) >= self.of.behaviour.ends_late {
            self.teller.store(Checkpoint::ShardEnd).await;
        }
        self.end();
    }

    async fn shutdown_requested(&self) {
        self.begin(Call::ShutdownRequested);
        self.store_last().await;
        self.end();
    }
}
