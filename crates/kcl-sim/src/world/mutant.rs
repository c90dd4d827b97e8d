use kcl_core::{Change, Expectation, Lease, LeaseWrite, Verb};

/// A known defect at a seam, which an oracle must find.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mutant {
    /// None.
    #[default]
    Sound,
    /// M1: the store applies a checkpoint to any row.
    CheckpointUnconditional,
    /// M2: the store applies a checkpoint if the owner is the expected one, whatever the counter.
    CheckpointByOwner,
    /// The store answers every eighth checkpoint without storing it.
    CheckpointNotStored,
    /// M13: a reader that is opened again begins after the newest record.
    ReopenAtLatest,
}

impl Mutant {
    /// The write that the store decides instead of this one.
    pub(super) fn twisted(self, write: &LeaseWrite, row: Option<&Lease>) -> Option<LeaseWrite> {
        let (Verb::Checkpoint, Some(row), Change::Update(update)) = (write.verb(), row, write.change()) else { return None };
        let checkpoint = update.checkpoint.clone()?;
        let accepted = match (self, write.expectation()) {
            (Self::CheckpointUnconditional, _) => true,
            (Self::CheckpointByOwner, Expectation::Version { owner, .. }) => row.owner == *owner,
            _ => false,
        };
        accepted.then(|| LeaseWrite::checkpoint(row, checkpoint))
    }

    /// Whether the store only says that it applied this one.
    pub(super) fn swallows(self, write: &LeaseWrite) -> bool {
        let every_eighth = write.counter_after().is_some_and(|counter| counter.value().is_multiple_of(8));
        self == Self::CheckpointNotStored && write.verb() == Verb::Checkpoint && every_eighth
    }
}
