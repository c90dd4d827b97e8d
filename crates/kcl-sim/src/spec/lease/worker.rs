use kcl_core::{Lease, LeaseWrite, WriteAnswer};

use super::tenure::Tenure;

/// One worker process.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Worker {
    /// It holds nothing and wants nothing.
    Idle,
    /// It waits for the answer to a take.
    Taking,
    /// The answer to its take was lost: the row decides.
    Unsure(LeaseWrite),
    /// It holds the lease, as far as it knows.
    Holding(Box<Tenure>),
}

impl Worker {
    pub(super) fn tenure(&self) -> Option<&Tenure> {
        match self {
            Self::Holding(tenure) => Some(tenure),
            _ => None,
        }
    }
}

/// A text that two workers share only if they behave alike.
///
/// The machines compare times with each other and with now, and numbers of writes for equality: how long a process has
/// lived makes no difference. So times are told relative to the clock, dates that are past and only waited for count as
/// now, and numbers and the count of failures, of which every back-off here is independent, are left out. A field that
/// this does not know is taken as it is, which costs states and never hides one.
pub(super) fn behaviour(worker: &Worker) -> String {
    let Some(clock) = worker.tenure().map(|tenure| tenure.clock.as_nanos()) else { return format!("{worker:?}") };
    let text = format!("{worker:?}");
    let mut key = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, from) = rest.split_at(at);
        let (digits, after) = from.split_at(from.find(|c: char| !c.is_ascii_digit()).unwrap_or(from.len()));
        key.push_str(before);
        let value: u64 = digits.parse().unwrap_or_default();
        if before.ends_with("Mono(") {
            let is_date = before.ends_with("next_renewal: Mono(") || before.ends_with("retry_at: Mono(");
            let value = if is_date { value.max(clock) } else { value };
            key.push_str(&(i128::from(value) - i128::from(clock)).to_string());
        } else if !["number: ", "failures: "].iter().any(|name| before.ends_with(name)) {
            key.push_str(digits);
        }
        rest = after;
    }
    key.push_str(rest);
    key
}

/// How the store answered.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Reply {
    Applied(Option<Lease>),
    Rejected(Option<Lease>),
}

impl Reply {
    /// As the machine hears it; a delete is answered with the row that was deleted.
    pub(super) fn into_answer(self, deleted: &Lease) -> WriteAnswer {
        match self {
            Self::Applied(row) => WriteAnswer::Applied(row.unwrap_or_else(|| deleted.clone())),
            Self::Rejected(current) => WriteAnswer::Rejected(current),
        }
    }
}

/// Where a write is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Leg {
    /// On its way to the store; its sender waits.
    Out,
    /// On its way to the store; nobody waits any more.
    Orphaned,
    /// Decided; the answer is on its way.
    Back(Box<Reply>),
}

/// Which take a write belongs to, or is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Origin {
    /// The one that its worker is about, or holds the lease by.
    Current,
    /// One that its worker has forgotten.
    Former {
        /// Whether no take was applied after it.
        latest: bool,
        /// Whether its tenure has ended by its own judgement.
        ended: bool,
    },
}

/// One write, from when it was sent until its answer was heard or lost.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Flight {
    pub(super) worker: u8,
    pub(super) origin: Origin,
    pub(super) write: LeaseWrite,
    pub(super) leg: Leg,
}

impl Flight {
    /// Whether it may still reach the store.
    pub(super) const fn is_pending(&self) -> bool {
        !matches!(self.leg, Leg::Back(_))
    }
}
