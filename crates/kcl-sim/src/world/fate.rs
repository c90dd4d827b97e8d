use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kcl_core::{ErrorKind, Verb};

use crate::exec::NodeId;
use crate::keyed::{Stream, between, decide, time_between};

/// What is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Api {
    /// `LeaseStore::prepare`.
    Prepare,
    /// `LeaseStore::scan`.
    Scan,
    /// `LeaseStore::get`.
    Get,
    /// `LeaseStore::fleet`.
    Fleet,
    /// `LeaseStore::write` of this verb.
    Write(Verb),
    /// `StreamReader::list_shards`.
    List,
    /// `StreamReader::open`.
    Open,
    /// `ShardReader::next`.
    Next,
}

impl Api {
    /// A number that names it in decisions.
    pub(crate) const fn number(self) -> u64 {
        match self {
            Self::Prepare => 0,
            Self::Scan => 1,
            Self::Get => 2,
            Self::Fleet => 3,
            Self::List => 4,
            Self::Open => 5,
            Self::Next => 6,
            Self::Write(verb) => 16 + verb as u64,
        }
    }

    /// Whether the lease table is called.
    pub const fn is_store(self) -> bool {
        matches!(self, Self::Prepare | Self::Scan | Self::Get | Self::Fleet | Self::Write(_))
    }
}

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fate {
    /// Nothing unusual.
    Ok,
    /// It is not carried out; the caller gets an error of this kind.
    Fail(ErrorKind),
    /// It is carried out, and the answer is lost.
    LoseReply,
    /// It is carried out so much later; the caller is told at once that the answer is lost.
    DelayApply(Duration),
    /// It arrives twice, so much apart; the caller gets the second answer.
    ApplyTwice(Duration),
    /// The answer comes so much later.
    SlowReply(Duration),
    /// A scan shows each row as it was up to so long ago.
    Stale(Duration),
    /// A scan finds rows that are not leases.
    ForeignRows,
    /// A page without records, although there are some.
    EmptyPage,
    /// The end of the shard does not name the children.
    NoChildren,
    /// A listing shows the shards as they were so long ago.
    LateListing(Duration),
    /// A listing leaves out one shard in so many.
    PartialListing(u64),
    /// A listing names every shard twice.
    DoubleListing,
}

/// A kind of fault that calls meet. Each can be left out of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaultKind {
    /// The service cannot be reached.
    Unavailable,
    /// The service asks for fewer calls.
    Throttle,
    /// An error of any other kind.
    OddError,
    /// [`Fate::LoseReply`].
    LoseReply,
    /// [`Fate::DelayApply`], up to a minute.
    DelayApply,
    /// [`Fate::ApplyTwice`], up to five seconds apart.
    ApplyTwice,
    /// [`Fate::SlowReply`], up to twenty seconds.
    SlowReply,
    /// [`Fate::Stale`], up to ten seconds.
    StaleScan,
    /// [`Fate::ForeignRows`].
    ForeignRows,
    /// The iterator is too old.
    ExpiredIterator,
    /// [`Fate::EmptyPage`].
    EmptyPage,
    /// [`Fate::NoChildren`].
    NoChildren,
    /// [`Fate::LateListing`], up to twenty seconds.
    LateListing,
    /// [`Fate::PartialListing`].
    PartialListing,
    /// [`Fate::DoubleListing`].
    DoubleListing,
}

/// What a caller of either seam may be told besides the usual.
const ODD: [ErrorKind; 6] =
    [ErrorKind::NotReady, ErrorKind::Denied, ErrorKind::Corrupt, ErrorKind::Invalid, ErrorKind::NotFound, ErrorKind::Bug];

impl FaultKind {
    /// Every kind; of several that would happen to a call the first does.
    pub const ALL: [Self; 15] = [
        Self::Unavailable,
        Self::Throttle,
        Self::OddError,
        Self::LoseReply,
        Self::DelayApply,
        Self::ApplyTwice,
        Self::SlowReply,
        Self::StaleScan,
        Self::ForeignRows,
        Self::ExpiredIterator,
        Self::EmptyPage,
        Self::NoChildren,
        Self::LateListing,
        Self::PartialListing,
        Self::DoubleListing,
    ];

    /// Whether it can happen to this call.
    pub const fn concerns(self, api: Api) -> bool {
        match self {
            Self::Unavailable | Self::Throttle | Self::SlowReply => true,
            // A stream that does not exist for one call is a fault of its own, and no reader fails in other ways.
            Self::OddError => !matches!(api, Api::List | Api::Open | Api::Next),
            Self::LoseReply | Self::DelayApply | Self::ApplyTwice => matches!(api, Api::Write(_)),
            Self::StaleScan | Self::ForeignRows => matches!(api, Api::Scan),
            Self::ExpiredIterator | Self::EmptyPage | Self::NoChildren => matches!(api, Api::Next),
            Self::LateListing | Self::PartialListing | Self::DoubleListing => matches!(api, Api::List),
        }
    }

    fn fate(self, draw: impl Fn(u64, u64) -> u64, time: impl Fn(u64) -> Duration) -> Fate {
        match self {
            Self::Unavailable => Fate::Fail(ErrorKind::Unavailable),
            Self::Throttle => Fate::Fail(ErrorKind::Throttled),
            Self::OddError => {
                let nth = usize::try_from(draw(0, ODD.len() as u64 - 1)).unwrap_or(0);
                Fate::Fail(ODD.get(nth).copied().unwrap_or(ErrorKind::Bug))
            }
            Self::LoseReply => Fate::LoseReply,
            Self::DelayApply => Fate::DelayApply(time(60)),
            Self::ApplyTwice => Fate::ApplyTwice(time(5)),
            Self::SlowReply => Fate::SlowReply(time(20)),
            Self::StaleScan => Fate::Stale(time(10)),
            Self::ForeignRows => Fate::ForeignRows,
            Self::ExpiredIterator => Fate::Fail(ErrorKind::Expired),
            Self::EmptyPage => Fate::EmptyPage,
            Self::NoChildren => Fate::NoChildren,
            Self::LateListing => Fate::LateListing(time(20)),
            Self::PartialListing => Fate::PartialListing(draw(2, 6)),
            Self::DoubleListing => Fate::DoubleListing,
        }
    }
}

/// How often each kind of fault happens, in calls out of 10,000.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FaultMix(pub BTreeMap<FaultKind, u64>);

impl FaultMix {
    /// Each kind with probability one half; how often, log-uniformly from one call in 5,000 to one in five.
    pub fn draw(seed: u64) -> Self {
        let intensity = |kind: FaultKind| {
            let key = kind as u64;
            let on = decide(seed, Stream::Config, (100, key, 0)).is_multiple_of(2);
            let exponent = between(seed, Stream::Config, (100, key, 1), 1, 10);
            let within = between(seed, Stream::Config, (100, key, 2), 1 << exponent, 2 << exponent);
            on.then_some((kind, within))
        };
        Self(FaultKind::ALL.into_iter().filter_map(intensity).collect())
    }

    /// What happens to this node's nth call of this kind.
    pub fn fate(&self, seed: u64, call: Call) -> Fate {
        let Call { node, api, nth } = call;
        let key = |kind: FaultKind, part: u64| (node.number(), api.number() << 16 | (kind as u64) << 8 | part, nth);
        let happens = |(kind, often): (&FaultKind, &u64)| {
            let here = kind.concerns(api) && decide(seed, Stream::Fault, key(*kind, 1)) % 10_000 < *often;
            here.then_some(*kind)
        };
        let Some(kind) = self.0.iter().find_map(happens) else { return Fate::Ok };
        let draw = |low, high| between(seed, Stream::Fault, key(kind, 2), low, high);
        let time = |most| time_between(seed, Stream::Fault, key(kind, 3), Duration::from_millis(10), Duration::from_secs(most));
        kind.fate(draw, time)
    }
}

/// One call of one node: the name of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Call {
    /// Who calls.
    pub node: NodeId,
    /// What.
    pub api: Api,
    /// The how many'th call of this kind by this node, from 1.
    pub nth: u64,
}

/// What happens to every call: a mix, and the calls that are decided otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FaultPlan {
    /// By chance.
    pub mix: FaultMix,
    /// These calls meet this fate, whatever chance says.
    pub decided: BTreeMap<Call, Fate>,
    /// These calls meet no fault.
    pub spared: BTreeSet<Call>,
}

impl FaultPlan {
    /// What happens to this call.
    pub fn fate(&self, seed: u64, call: Call) -> Fate {
        if let Some(fate) = self.decided.get(&call) {
            *fate
        } else if self.spared.contains(&call) {
            Fate::Ok
        } else {
            self.mix.fate(seed, call)
        }
    }
}
