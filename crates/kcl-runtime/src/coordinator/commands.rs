use kcl_core::{
    Checkpoint, CheckpointError, HeldInput, HoldId, LeaseKey, LeaseWrite, Measurement, OnPanic, RowChange, child_lease,
};

use super::Coordinator;
use super::tenures::{Driver, Tenure};
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
                // Where another parent of a merge has no row yet it is asked again: a Java worker would not wait for that one.
                if self.is_current(&tenancy) && !self.lacks_a_parent(&tenancy, &children) {
                    let parent = self.tenures.get(&tenancy.key).map(|tenure| tenure.cell.lease().checkpoint);
                    let parent = parent.unwrap_or(Checkpoint::TrimHorizon);
                    let writes = children.iter().map(|child| LeaseWrite::create(child_lease(child, &parent))).collect();
                    if !children.is_empty() {
                        self.change(&tenancy.key, RowChange::Describe(children.into_iter().map(|child| child.id).collect()));
                    }
                    self.creations.add_group(self.now(), writes, reply);
                    self.send_creations(self.now());
                }
            }
            Command::Listed(at, result) => self.listed(at, result),
        }
    }

    fn is_current(&self, tenancy: &Tenancy) -> bool {
        self.tenures.get(&tenancy.key).is_some_and(|tenure| tenure.id == tenancy.hold)
    }

    pub(super) fn driver_ended(&mut self, key: &LeaseKey, hold: HoldId, end: Option<ConsumerEnd>) {
        match self.tenures.get_mut(key).filter(|tenure| tenure.id == hold && matches!(tenure.driver, Driver::Running(_))) {
            Some(tenure) => tenure.driver = Driver::Finished,
            None => return,
        }
        let leaving = self.tenures.get(key).is_some_and(Tenure::is_leaving);
        match end.unwrap_or(ConsumerEnd::DriverGone) {
            ConsumerEnd::Ended | ConsumerEnd::LeaseLost => {}
            ConsumerEnd::ShutDown if leaving && !self.is_shutting_down() => self.input(key, HeldInput::Drained),
            ConsumerEnd::ShutDown => self.input(key, HeldInput::ReleaseRequested),
            ConsumerEnd::ProcessorPanicked => self.processor_panicked(key),
            ConsumerEnd::DriverGone => {
                tracing::error!(shard = %key, "the task of a shard is gone: its runtime has ended, or the library has a defect");
                self.aversions.add(self.now(), key);
                self.input(key, HeldInput::Abandoned);
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
            self.round_due = true;
        }
    }

    /// A panic ends the tenure without a checkpoint; this worker leaves the shard alone for a while (P13).
    fn processor_panicked(&mut self, key: &LeaseKey) {
        let shard = key.shard_id();
        let pause = self.aversions.add(self.now(), key);
        self.measure(Measurement::count("ProcessTask", "ProcessorPanics", 1.0).of_shard(&shard));
        tracing::error!(shard = %shard, ?pause, "the processor panicked: the lease is given up without a checkpoint");
        self.input(key, HeldInput::Abandoned);
        if self.parts.config.on_panic == OnPanic::StopConsumer {
            self.fail(ConsumerError::ProcessorPanicked { shard });
        }
    }
}
