use kcl_core::{Change, Expectation, Lease, LeaseWrite, TenureToken, Verb};

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
    /// M3: a take leaves the counter as it is.
    TakeKeepsCounter,
    /// M5: the store applies a renewal if the owner is the expected one, whatever the counter.
    RenewByOwner,
    /// The store answers every eighth checkpoint without storing it.
    CheckpointNotStored,
    /// M48: the store applies renewals and checkpoints if the row shows the token of the sender's last take, which a Java worker's
    /// take leaves there.
    ByTokenAlone,
    /// M13: a reader that is opened again begins after the newest record.
    ReopenAtLatest,
}

impl Mutant {
    /// The write that the store decides instead of this one.
    /// `token`: that of the sender's last take.
    pub(super) fn twisted(self, write: &LeaseWrite, row: Option<&Lease>, token: Option<TenureToken>) -> Option<LeaseWrite> {
        let (Some(row), Change::Update(update)) = (row, write.change()) else { return None };
        let owner_is_expected = matches!(write.expectation(), Expectation::Version { owner, .. } if row.owner == *owner);
        match (self, write.verb()) {
            (Self::CheckpointUnconditional, Verb::Checkpoint) => Some(LeaseWrite::checkpoint(row, update.checkpoint.clone()?)),
            (Self::CheckpointByOwner, Verb::Checkpoint) if owner_is_expected => {
                Some(LeaseWrite::checkpoint(row, update.checkpoint.clone()?))
            }
            (Self::ByTokenAlone, Verb::Checkpoint) if token.is_some() && row.tenure == token => {
                Some(LeaseWrite::checkpoint(row, update.checkpoint.clone()?))
            }
            (Self::ByTokenAlone, Verb::Renew) if token.is_some() && row.tenure == token => Some(LeaseWrite::renew(row)),
            (Self::RenewByOwner, Verb::Renew) if owner_is_expected => Some(LeaseWrite::renew(row)),
            _ => None,
        }
    }

    /// The row that the store keeps instead of this one.
    pub(super) fn kept(self, write: &LeaseWrite, before: Option<&Lease>, after: Option<Lease>) -> Option<Lease> {
        match (before, after) {
            (Some(before), Some(after)) if self == Self::TakeKeepsCounter && write.verb() == Verb::Take => {
                Some(Lease { counter: before.counter, ..after })
            }
            (_, after) => after,
        }
    }

    /// Whether the store only says that it applied this one.
    pub(super) fn swallows(self, write: &LeaseWrite) -> bool {
        let every_eighth = write.counter_after().is_some_and(|counter| counter.value().is_multiple_of(8));
        self == Self::CheckpointNotStored && write.verb() == Verb::Checkpoint && every_eighth
    }
}
