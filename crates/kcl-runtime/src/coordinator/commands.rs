use kcl_core::{Checkpoint, CheckpointError, HeldInput, LeaseKey, LeaseWrite, Measurement, OnPanic, RowChange, child_lease};

use super::Coordinator;
use super::tenures::Driver;
use crate::command::{Command, ConsumerEnd, Tenancy};
use crate::error::ConsumerError;

impl Coordinator {
    pub(super) fn command(&mut self, command: Command) {
        match command {
            Command::Change { tenancy, change, reply } => {
                if self.is_current(&tenancy) {
                    let request = self.request(reply);
                    self.input(&tenancy.key, HeldInput::ChangeRequested(change, Some(request)));
                } else {
                    // Whoever asked may have stopped waiting.
                    let _ = reply.send(Err(CheckpointError::LeaseLost));
                }
            }
            Command::CreateChildren { tenancy, children, reply } => {
                if self.is_current(&tenancy) {
                    let writes = children.iter().map(|child| LeaseWrite::create(child_lease(child))).collect();
                    self.change(&tenancy.key, RowChange::Describe(children.into_iter().map(|child| child.id).collect()));
                    self.creations.add_group(writes, reply);
                    self.send_creations(self.now());
                }
            }
            Command::ConsumerEnded { tenancy, end } => self.consumer_ended(&tenancy, end),
            Command::Listed(result) => self.listed(result),
        }
    }

    fn is_current(&self, tenancy: &Tenancy) -> bool {
        self.tenures.get(&tenancy.key).is_some_and(|tenure| tenure.id == tenancy.hold)
    }

    fn consumer_ended(&mut self, tenancy: &Tenancy, end: ConsumerEnd) {
        let key = &tenancy.key;
        match self.tenures.get_mut(key).filter(|tenure| tenure.id == tenancy.hold) {
            Some(tenure) => tenure.driver = Driver::Finished,
            None => return,
        }
        match end {
            ConsumerEnd::Ended | ConsumerEnd::LeaseLost => {}
            ConsumerEnd::ShutDown => self.input(key, HeldInput::ReleaseRequested),
            ConsumerEnd::ProcessorPanicked => self.processor_panicked(key),
            ConsumerEnd::DriverPanicked => {
                tracing::error!(shard = %key, "the driver of a shard panicked; this is a defect of the library, please report it");
                self.aversions.add(self.now(), key);
                self.input(key, HeldInput::ReleaseRequested);
            }
            // Nothing can be read from it any more: its children may start.
            ConsumerEnd::ShardGone => {
                self.measure(Measurement::count("ProcessTask", "UnreadShardsGone", 1.0).of_shard(&key.shard_id()));
                self.change(key, RowChange::Checkpoint(Checkpoint::ShardEnd));
            }
        }
        self.forget_if_over(key);
        if self.is_shutting_down() {
            self.release_idle();
        } else {
            self.take_round(self.now());
        }
    }

    /// A panic ends the tenure without a checkpoint; this worker leaves the shard alone for a while (P13).
    fn processor_panicked(&mut self, key: &LeaseKey) {
        let shard = key.shard_id();
        let pause = self.aversions.add(self.now(), key);
        self.measure(Measurement::count("ProcessTask", "ProcessorPanics", 1.0).of_shard(&shard));
        tracing::error!(shard = %shard, ?pause, "the processor panicked: the lease is given up without a checkpoint");
        self.input(key, HeldInput::ReleaseRequested);
        if self.parts.config.on_panic == OnPanic::StopConsumer {
            self.fail(ConsumerError::ProcessorPanicked { shard });
        }
    }
}
