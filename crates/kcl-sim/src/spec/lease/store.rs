use kcl_core::{Change, Checkpoint, Expectation, Lease, LeaseKey, LeaseWrite, Verb};

use super::bounds::Mutant;
use super::rule::Rule;
use super::semantics::specified;

/// The row at the beginning, and the one that a mutant creates again.
pub(super) fn new_row() -> Lease {
    Lease::new(LeaseKey::from("shard"), Checkpoint::TrimHorizon)
}

/// What the store does with a write: `None` if the row is not as expected.
pub(super) fn apply(mutant: Option<Mutant>, write: &LeaseWrite, row: Option<&Lease>) -> Option<Option<Lease>> {
    match (mutant, write.verb(), row) {
        (Some(Mutant::UnconditionalCheckpoint), Verb::Checkpoint, Some(row)) => retarget(write, row),
        (Some(Mutant::CheckpointExpectsOwnerOnly), Verb::Checkpoint, Some(row)) => match write.expectation() {
            Expectation::Version { owner, .. } if *owner == row.owner => retarget(write, row),
            _ => None,
        },
        (Some(Mutant::TakeKeepsCounter), Verb::Take, Some(row)) => {
            let mut after = write.apply(Some(row)).ok()??;
            after.counter = row.counter;
            Some(Some(after))
        }
        _ => {
            let after = write.apply(row).ok();
            assert!(after == specified(write, row), "the library and the specification differ: {write:?} of {row:?}");
            after
        }
    }
}

/// The same checkpoint, as if the row as it is had been expected.
fn retarget(write: &LeaseWrite, row: &Lease) -> Option<Option<Lease>> {
    let Change::Update(update) = write.change() else { return None };
    LeaseWrite::checkpoint(row, update.checkpoint.clone()?).apply(Some(row)).ok()
}

/// The rules about rows that an applied write breaks, as bits.
pub(super) fn judge(verb: Verb, before: Option<&Lease>, after: Option<&Lease>) -> u16 {
    let (Some(before), Some(after)) = (before, after) else { return 0 };
    let mut broken = 0;
    if after.checkpoint < before.checkpoint {
        broken |= Rule::S5.bit();
    }
    let expected = if verb == Verb::Describe { before.counter } else { before.counter.next() };
    if after.counter != expected {
        broken |= Rule::S8.bit();
    }
    broken
}
