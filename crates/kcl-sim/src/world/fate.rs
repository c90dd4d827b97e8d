use std::time::Duration;

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
    /// `LeaseStore::write`.
    Write,
    /// `StreamReader::list_shards`.
    List,
    /// `StreamReader::open`.
    Open,
    /// `ShardReader::next`.
    Next,
}

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fate {
    /// Nothing unusual.
    Ok,
    /// It is not sent.
    FailBefore,
    /// The service refuses it for now.
    Throttle,
    /// It is carried out, and the answer is lost.
    LoseReply,
    /// It is carried out so much later; the caller is told at once that the answer is lost.
    DelayApply(Duration),
    /// The answer comes so much later.
    SlowReply(Duration),
    /// A scan shows each row as it was up to so long ago.
    Stale(Duration),
    /// The iterator is too old.
    Expire,
}

/// How often each fault happens, in calls out of 10,000.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultMix {
    /// [`Fate::FailBefore`].
    pub fail: u64,
    /// [`Fate::Throttle`].
    pub throttle: u64,
    /// [`Fate::LoseReply`].
    pub lose: u64,
    /// [`Fate::DelayApply`], up to a minute.
    pub delay: u64,
    /// [`Fate::SlowReply`], up to twenty seconds.
    pub slow: u64,
    /// [`Fate::Stale`], up to ten seconds.
    pub stale: u64,
    /// [`Fate::Expire`].
    pub expire: u64,
}

impl FaultMix {
    /// Each kind with probability one half; how often, log-uniformly from one call in 5,000 to one in five.
    pub fn draw(seed: u64) -> Self {
        let intensity = |kind: u64| {
            let on = decide(seed, Stream::Config, (100, kind, 0)).is_multiple_of(2);
            let exponent = between(seed, Stream::Config, (100, kind, 1), 1, 10);
            let within = between(seed, Stream::Config, (100, kind, 2), 1 << exponent, 2 << exponent);
            if on { within } else { 0 }
        };
        Self {
            fail: intensity(1),
            throttle: intensity(2),
            lose: intensity(3),
            delay: intensity(4),
            slow: intensity(5),
            stale: intensity(6),
            expire: intensity(7),
        }
    }

    /// What happens to this node's nth call of this kind.
    pub fn fate(&self, seed: u64, node: NodeId, api: Api, nth: u64) -> Fate {
        let key = |kind: u64| (node.number(), (api as u64) << 8 | kind, nth);
        let happens = |kind: u64, often: u64| decide(seed, Stream::Fault, key(kind)) % 10_000 < often;
        let time = |kind: u64, most: u64| {
            time_between(seed, Stream::Fault, key(kind + 100), Duration::from_millis(10), Duration::from_secs(most))
        };
        let is_write = api == Api::Write;
        if happens(1, self.fail) {
            Fate::FailBefore
        } else if happens(2, self.throttle) {
            Fate::Throttle
        } else if is_write && happens(3, self.lose) {
            Fate::LoseReply
        } else if is_write && happens(4, self.delay) {
            Fate::DelayApply(time(4, 60))
        } else if happens(5, self.slow) {
            Fate::SlowReply(time(5, 20))
        } else if api == Api::Scan && happens(6, self.stale) {
            Fate::Stale(time(6, 10))
        } else if api == Api::Next && happens(7, self.expire) {
            Fate::Expire
        } else {
            Fate::Ok
        }
    }
}
