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

    /// Every worker of this library hands off: a Java worker that took the row is known by its name alone.
    fn lease(self) -> Lease {
        let position = |records: u8| ExtendedSequenceNumber::new(SequenceNumber::from(u64::from(records)), 0);
        let checkpoint = if self.checkpoint == 0 { Checkpoint::TrimHorizon } else { Checkpoint::At(position(self.checkpoint)) };
        let mut lease = Lease::new(LeaseKey::from("shard"), checkpoint);
        let name = |worker: u8| NAMES.get(usize::from(worker)).map(|name| WorkerId::from(*name));
        lease.owner = name(self.owner);
        lease.hands_off = name(self.owner);
        lease.requested_by = name(self.request);
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
    // What was seen of the request makes no difference, but for who asks.
    let mut stored = row;
    if mutant == Some(Mutant::RequestReplaces) && write.verb == Verb::Request {
        (seen.request, stored.request) = (NOBODY, NOBODY);
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
        Verb::Request => LeaseWrite::request(&before, &name(write.by)?)?,
        Verb::Transfer(to, _) => LeaseWrite::transfer(&before, &name(to)?)?,
        Verb::Renew => LeaseWrite::renew(&before),
    };
    let after = shipped.apply(Some(&stored.lease())).ok()??;
    // A Java worker's take leaves what it does not know.
    let keeps_request = write.verb == Verb::Take && (is_java || mutant == Some(Mutant::TakeKeepsRequest));
    let number = |name: Option<WorkerId>| {
        let known = (0..).zip(NAMES).find(|(_, known)| name.as_ref().is_some_and(|name| name.as_str() == *known));
        known.map_or(NOBODY, |(number, _)| number)
    };
    let checkpoint = if let Verb::Checkpoint(at) = write.verb { at } else { row.checkpoint };
    let request = if keeps_request { row.request } else { number(after.requested_by) };
    let moved = matches!(write.verb, Verb::Take | Verb::Transfer(..));
    let stale = request != NOBODY && (row.stale || moved);
    let keeps_counter = mutant == Some(Mutant::TransferKeepsCounter) && matches!(write.verb, Verb::Transfer(..));
    let grown = if keeps_counter { 0 } else { after.counter.value() - NOW };
    let behind = if write.verb == Verb::Request { row.behind } else { 0 };
    Some((Row { owner: number(after.owner), checkpoint, request, stale, behind }, grown))
}
