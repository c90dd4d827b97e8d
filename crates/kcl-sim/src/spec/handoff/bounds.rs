use crate::spec::Size;

/// How big the world is and what may happen in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// How many records there are.
    pub records: u8,
    /// How many writes may be on their way, those included that nobody waits for any more.
    pub in_flight: usize,
    /// How many workers, the first one being the owner at first, ask for the lease: those after it.
    pub requesters: u8,
    /// How often a process may die.
    pub deaths: u8,
    /// Whether a process that died is started again under its name.
    pub restarts: bool,
    /// How often an owner that lives is so late that others take it for dead.
    pub pauses: u8,
    /// How often a call of the application does not return while its owner drains.
    pub hangs: u8,
    /// Whether the first owner honours requests. Without it, it only says so.
    pub cooperative: bool,
    /// Whether the third worker is a Java worker: it takes, and keeps what it does not know.
    pub java: bool,
    /// Whether owners give up on purpose.
    pub releases: bool,
    /// Whether other things may happen between the moment at which the store decides and the one at which its answer is
    /// heard. Without it, answers come at once or are lost.
    pub slow_answers: bool,
}

impl Bounds {
    /// Three workers of ours, of which one asks; nobody dies.
    pub const PLAIN: Self = Self {
        records: 2,
        in_flight: 2,
        requesters: 1,
        deaths: 0,
        restarts: false,
        pauses: 0,
        hangs: 0,
        cooperative: true,
        java: false,
        releases: false,
        slow_answers: false,
    };

    /// The worlds to search, by name.
    pub const fn worlds(size: Size) -> [(&'static str, Self); 7] {
        let (records, in_flight) = match size {
            Size::Small => (1, 1),
            Size::Ci | Size::Nightly => (2, 2),
        };
        let (deaths, late) = match size {
            Size::Small => (1, 0),
            Size::Ci => (1, 1),
            Size::Nightly => (2, 2),
        };
        let base = Self { records, in_flight, ..Self::PLAIN };
        let two = Self { records: 1, in_flight, requesters: 2, ..Self::PLAIN };
        [
            ("plain", Self { releases: true, pauses: late, ..base }),
            ("two deaths", Self { deaths: 2, hangs: 1, ..base }),
            ("deaths and restarts", Self { records: 1, deaths, restarts: true, hangs: 1, ..base }),
            ("two who ask", Self { deaths, pauses: late, ..two }),
            ("an owner that does not answer", Self { records: 1, deaths, cooperative: false, ..base }),
            ("a Java worker", Self { records: 1, deaths, java: true, releases: true, pauses: late, ..base }),
            ("slow answers", Self { records: 1, in_flight: 1, slow_answers: true, deaths: 1, pauses: late, ..base }),
        ]
    }
}

/// A known mistake that an invariant, or the search for dead ends, must catch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// M29: whoever asked waits for ever.
    TargetNeverTimesOut,
    /// M29, the other side: an owner drains for ever.
    OwnerNeverTimesOut,
    /// A transfer leaves the counter as it is.
    TransferKeepsCounter,
    /// The owner goes on after it sent a transfer.
    DeliversAfterTransfer,
    /// The owner transfers before its last checkpoint is durable.
    TransfersBeforeCheckpoint,
    /// A request replaces another one.
    RequestReplaces,
    /// A request expects no version.
    RequestExpectsNothing,
    /// A take keeps the request.
    TakeKeepsRequest,
    /// A transfer expects the owner, and any counter.
    TransferExpectsOwnerOnly,
}
