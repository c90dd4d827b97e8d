//! The times that the published protocol promises, from a run's settings and its record; not from the library's own.

use std::time::Duration;

use super::Run;
use crate::exec::NodeId;
use crate::scenario::Action;
use crate::trace::{Entry, Event, Stage};
use crate::world::{Api, Fate};

/// The longest that a call of the store takes when nothing fails, there and back.
pub(super) const LATENCY: Duration = Duration::from_millis(50);
/// How long a scan that gets no answer is waited for. Reading a shard is given up sooner.
const SCAN_LIMIT: Duration = Duration::from_secs(60);
/// The longest pause that failures leave behind: that of reads, and of a start that is tried again.
const BACK_OFF: Duration = Duration::from_secs(12);
/// How long a worker leaves a shard alone at most after a panic.
pub(super) const AVERSION: Duration = Duration::from_secs(300);
/// How long a worker that was asked to stop waits for its processors.
const SHUTDOWN: Duration = Duration::from_secs(30);
/// Intervals are shortened by up to so much, so that a fleet does not act in step.
const JITTER: f64 = 0.9;

impl Run<'_> {
    /// What a clock that is too slow by as much as this run allows shows late.
    pub(super) fn slack(&self, time: Duration) -> Duration {
        time.mul_f64(1.0 + 2.0 * f64::from(self.options.rate_ppm) / 1e6)
    }

    /// How long a holder acts on a renewal (P9).
    pub(super) fn hold(&self) -> Duration {
        self.options.failover * 9 / 10
    }

    /// How often a lease is renewed.
    pub(super) fn renew(&self) -> Duration {
        self.options.failover / 3
    }

    /// How often the table is read. An interval that is set is the shortest.
    pub(super) fn scan(&self) -> Duration {
        self.options.scan.map_or(self.options.failover / 2, |shortest| shortest.div_f64(JITTER))
    }

    /// After how long a row of which nothing is heard is read by itself.
    fn quiet(&self) -> Duration {
        self.options.failover.max(self.options.scan.map_or(Duration::ZERO, |_| self.scan() + self.options.failover / 3))
    }

    /// The longest interval between two shard syncs of any worker.
    pub(super) fn sync(&self) -> Duration {
        self.options.sync * if self.options.mixed { 2 } else { 1 }
    }

    /// V1: within this time every lease has a live owner.
    ///
    /// A share of the free leases is dealt to Java workers, and those look every two failover times: in the round in which they see a
    /// lease for the first time, in the next, in which it may not have expired yet by what they saw, or in the one after that, in
    /// which it is very old, and theirs whatever their share.
    pub(super) fn x(&self) -> Duration {
        self.own_x() + if self.options.java.is_empty() { Duration::ZERO } else { self.take_every() * 3 }
    }

    /// X among workers of this library.
    pub(super) fn own_x(&self) -> Duration {
        self.slack(self.quiet()) + self.scan() + self.renew() + LATENCY * 4
    }

    /// How often a node does something in this time at most, if it does it once per `interval` of its own clock.
    pub(super) fn times(&self, node: NodeId, interval: Duration, in_time: Duration) -> f64 {
        let rate = self.options.clock(self.seed, node.number()).rate_ppm;
        in_time.as_secs_f64() * (1.0 + f64::from(rate) / 1e6) / interval.as_secs_f64() + 1.0
    }

    /// The same for an interval that is shortened at random.
    pub(super) fn jittered_times(&self, node: NodeId, interval: Duration, in_time: Duration) -> f64 {
        self.times(node, interval.mul_f64(JITTER), in_time)
    }

    /// When the last trouble is over: the heal, and what was on its way then. `None` if there was no heal.
    pub(super) fn calm(&self) -> Option<Duration> {
        let heal = self.entries.get(self.stage(Stage::Heal))?.at;
        let mut calm = heal;
        for Entry { at, event } in self.entries {
            let ends = match event {
                Event::Fault(_, api, _, fate) if *at <= heal => *at + trouble(*api, *fate),
                Event::Nemesis(Action::Starve(_, _, time)) => *at + *time + LATENCY,
                // What hung while it was cut off is given up; what failed is tried again.
                Event::Cut(_) | Event::Joined(_) if *at <= heal => *at + SCAN_LIMIT,
                // It was asked before, or else nobody would.
                Event::Stopped(..) if *at <= heal + SHUTDOWN + self.renew() + BACK_OFF => *at,
                Event::Enter(Stage::Heal) => *at + BACK_OFF,
                _ => continue,
            };
            calm = calm.max(ends);
        }
        Some(calm)
    }

    /// When no panic before this moment keeps anybody from a shard any more.
    pub(super) fn unafraid(&self) -> Duration {
        let panics = self.entries.iter().filter(|entry| matches!(entry.event, Event::Panic(_)));
        panics.last().map_or(Duration::ZERO, |last| last.at + self.slack(AVERSION))
    }
}

/// How long the effect of a fault may last.
fn trouble(api: Api, fate: Fate) -> Duration {
    let extra = match fate {
        Fate::DelayApply(time) | Fate::ApplyTwice(time) | Fate::SlowReply(time) => time,
        _ => Duration::ZERO,
    };
    extra.min(if api == Api::Scan { SCAN_LIMIT } else { Duration::MAX }) + LATENCY
}
