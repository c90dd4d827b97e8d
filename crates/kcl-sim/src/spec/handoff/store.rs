use kcl_core::{Checkpoint, ExtendedSequenceNumber, Lease, LeaseCounter, LeaseKey, LeaseWrite, SequenceNumber, WorkerId};

use super::bounds::Mutant;

/// Tokens tell takes of one worker apart whose answers were lost; here every answer tells.
const NO_TOKEN: kcl_core::TenureToken = kcl_core::TenureToken::new(0);

/// Names of the workers.
pub(super) const NAMES: [&str; 3] = ["a", "b", "c"];
/// No worker.
pub(super) const NOBODY: u8 = u8::MAX;
/// The counter of the row as it is. All others are told by how far they are behind: how often a row was written before
/// makes no difference.
const NOW: u64 = 100;
/// The longest way behind that is told apart.
pub(super) const LONG_AGO: u8 = 4;

/// The row, or as somebody saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Row {
    pub(super) owner: u8,
    /// How many records are processed.
    pub(super) checkpoint: u8,
    /// Who asks for the lease.
    pub(super) request: u8,
    /// Whether that was asked of a former tenure. Known to nobody.
    pub(super) stale: bool,
    /// How many versions ago.
    pub(super) behind: u8,
}

impl Row {
    /// The same, after one more version.
    pub(super) const fn aged(self) -> Self {
        Self { behind: later(self.behind), ..self }
    }

    fn lease(self) -> Lease {
        let position = |records: u8| ExtendedSequenceNumber::new(SequenceNumber::from(u64::from(records)), 0);
        let checkpoint = if self.checkpoint == 0 { Checkpoint::TrimHorizon } else { Checkpoint::At(position(self.checkpoint)) };
        let mut lease = Lease::new(LeaseKey::from("shard"), checkpoint);
        lease.owner = NAMES.get(usize::from(self.owner)).map(|name| WorkerId::from(*name));
        lease.counter = LeaseCounter::new(NOW - u64::from(self.behind));
        lease
    }
}

pub(super) const fn later(behind: u8) -> u8 {
    if behind < LONG_AGO { behind + 1 } else { LONG_AGO }
}

/// What a write is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Verb {
    Renew,
    /// That so many records are processed.
    Checkpoint(u8),
    Release,
    Take,
    Request,
    /// To whom, and how many records the sender has handed over. The latter is known to the sender alone.
    Transfer(u8, u8),
}

/// A write: by whom, and of which version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Write {
    pub(super) by: u8,
    pub(super) verb: Verb,
    /// The owner that is expected.
    pub(super) owner: u8,
    /// How far the expected counter is behind.
    pub(super) behind: u8,
}

/// The row after a write and by how much its counter grew; `None` if it was not as expected.
pub(super) fn apply(mutant: Option<Mutant>, is_java: bool, write: Write, row: Row) -> Option<(Row, u64)> {
    let mut seen = Row { owner: write.owner, behind: write.behind, ..row };
    match (mutant, write.verb) {
        (Some(Mutant::TransferExpectsOwnerOnly), Verb::Transfer(..)) => seen.behind = row.behind,
        (Some(Mutant::RequestExpectsNothing), Verb::Request) => seen = row,
        _ => {}
    }
    if write.verb == Verb::Request {
        let is_free = row.request == NOBODY || mutant == Some(Mutant::RequestReplaces);
        let is_expected = (seen.owner, seen.behind) == (row.owner, row.behind) && is_free;
        return is_expected.then_some((Row { request: write.by, ..row }, 0));
    }
    let name = |worker: u8| NAMES.get(usize::from(worker)).map(|name| WorkerId::from(*name));
    let before = seen.lease();
    let shipped = match write.verb {
        Verb::Checkpoint(at) => {
            let wanted = Row { checkpoint: at, ..seen }.lease();
            LeaseWrite::checkpoint(&before, wanted.checkpoint)
        }
        Verb::Release => LeaseWrite::release(&before),
        Verb::Take => LeaseWrite::take(&before, &name(write.by)?, NO_TOKEN),
        // What it is to be: the effect of a take, sent by the owner.
        Verb::Transfer(to, _) => LeaseWrite::take(&before, &name(to)?, NO_TOKEN),
        Verb::Renew | Verb::Request => LeaseWrite::renew(&before),
    };
    let after = shipped.apply(Some(&row.lease())).ok()??;
    let keeps_request = match write.verb {
        Verb::Take => is_java || mutant == Some(Mutant::TakeKeepsRequest),
        Verb::Transfer(..) => false,
        _ => true,
    };
    let owner = (0..).zip(NAMES).find(|(_, name)| after.owner.as_ref().is_some_and(|owner| owner.as_str() == *name));
    let checkpoint = if let Verb::Checkpoint(at) = write.verb { at } else { row.checkpoint };
    let request = if keeps_request { row.request } else { NOBODY };
    let moved = matches!(write.verb, Verb::Take | Verb::Transfer(..));
    let stale = request != NOBODY && (row.stale || moved);
    let keeps_counter = mutant == Some(Mutant::TransferKeepsCounter) && matches!(write.verb, Verb::Transfer(..));
    let grown = if keeps_counter { 0 } else { after.counter.value() - NOW };
    Some((Row { owner: owner.map_or(NOBODY, |(number, _)| number), checkpoint, request, stale, behind: 0 }, grown))
}
