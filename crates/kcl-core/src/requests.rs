//! The leases that this worker has asked their owners for.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::{Lease, LeaseKey, LeaseTiming, Mono, TenureToken, WorkerId};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Asked {
    owner: Option<WorkerId>,
    tenure: Option<TenureToken>,
    since: Mono,
    read_at: Mono,
}

/// What to do about a lease that was asked for, now that its row was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RequestStep {
    /// Nothing: it was not asked for, or its owner declined, or it went elsewhere.
    Nothing,
    /// Wait: the owner has not answered yet, or is finishing its work.
    Wait,
    /// Take it: it was transferred or released, or the owner has had its time.
    Take,
}

/// The leases that this worker has asked their owners for, until it holds them or they went elsewhere.
///
/// The owner sees the request in the answer to its next write, lets the application finish, and transfers the lease. It may
/// take as long as a hand-off may take, and a renewal at each end. An owner that has said nothing by then is not believed
/// any more: the lease is taken as from any other worker. Meanwhile the row is read twenty times per failover time: so long
/// is the shard at rest at most between the transfer and the take.
#[derive(Clone, Debug)]
pub struct Requests {
    me: WorkerId,
    pause: Duration,
    patience: Duration,
    asked: BTreeMap<LeaseKey, Asked>,
    timers: BTreeSet<(Mono, LeaseKey)>,
}

impl Requests {
    /// Nothing asked for; `hand_off` is how long an owner may take to finish its work.
    pub fn new(me: WorkerId, timing: LeaseTiming, hand_off: Duration) -> Self {
        let patience = hand_off + timing.renew * 2;
        Self { me, pause: timing.failover / 20, patience, asked: BTreeMap::new(), timers: BTreeSet::new() }
    }

    /// The owner of `seen` is asked for it, by a request sent at `now`.
    pub fn sent(&mut self, now: Mono, seen: &Lease) {
        self.over(&seen.key);
        let asked = Asked { owner: seen.owner.clone(), tenure: seen.tenure, since: now, read_at: now + self.pause };
        self.timers.insert((asked.read_at, seen.key.clone()));
        self.asked.insert(seen.key.clone(), asked);
    }

    /// The lease is held now, or not wanted any more.
    pub fn over(&mut self, key: &LeaseKey) {
        if let Some(gone) = self.asked.remove(key) {
            self.timers.remove(&(gone.read_at, key.clone()));
        }
    }

    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        self.asked.is_empty()
    }

    /// What is asked for.
    pub fn keys(&self) -> impl Iterator<Item = &LeaseKey> {
        self.asked.keys()
    }

    /// The rows that are to be read now. Each is named once per pause.
    pub fn due(&mut self, now: Mono) -> Vec<LeaseKey> {
        let mut due = Vec::new();
        while let Some((at, key)) = self.timers.first().filter(|(at, _)| *at <= now).cloned() {
            self.timers.remove(&(at, key.clone()));
            let Some(asked) = self.asked.get_mut(&key) else { continue };
            asked.read_at = now + self.pause.max(Duration::from_millis(1));
            self.timers.insert((asked.read_at, key.clone()));
            due.push(key);
        }
        due
    }

    /// When [`due`](Self::due) has something to name next.
    pub fn deadline(&self) -> Option<Mono> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// A strongly consistent answer showed the row at `now`; `None` if there is none.
    pub fn row_seen(&mut self, now: Mono, key: &LeaseKey, row: Option<&Lease>) -> RequestStep {
        let Some(asked) = self.asked.get(key) else { return RequestStep::Nothing };
        let step = match row {
            Some(row) if row.owner.is_none() || row.is_owned_by(&self.me) => RequestStep::Take,
            Some(row)
                if row.owner == asked.owner && row.tenure == asked.tenure && row.requested_by.as_ref() == Some(&self.me) =>
            {
                if now.since(asked.since) >= self.patience { RequestStep::Take } else { RequestStep::Wait }
            }
            _ => RequestStep::Nothing,
        };
        if step == RequestStep::Nothing {
            self.over(key);
        }
        step
    }
}

/// How many leases a worker has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct LeaseCount {
    /// All of them: what a KCL worker counts.
    pub all: usize,
    /// Those of shards that are not finished.
    pub unfinished: usize,
}

impl LeaseCount {
    /// One more.
    pub fn add(&mut self, lease: &Lease) {
        self.all += 1;
        self.unfinished += usize::from(!lease.checkpoint.is_shard_end());
    }

    /// One less.
    pub fn remove(&mut self, lease: &Lease) {
        self.all = self.all.saturating_sub(1);
        self.unfinished = self.unfinished.saturating_sub(usize::from(!lease.checkpoint.is_shard_end()));
    }

    /// By how much it is more than `other`, by either count: the smaller of the two. To move a lease makes the counts more
    /// even if that is at least two.
    pub fn excess_over(self, other: Self) -> usize {
        self.all.saturating_sub(other.all).min(self.unfinished.saturating_sub(other.unfinished))
    }
}

/// Whether an owner gives a lease to the worker that asks for it: only if that makes the counts more even, and if it keeps
/// its own share, rounded down, whoever else may be asking. `mine` counts the lease, `theirs` does not.
pub fn gives_away(mine: LeaseCount, theirs: LeaseCount, leases: usize, workers: usize) -> bool {
    let floor = if workers == 0 { 0 } else { leases / workers };
    mine.excess_over(theirs) >= 2 && mine.all > floor
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Checkpoint, LeaseCounter};

    fn row(owner: Option<&str>, requested_by: Option<&str>) -> Lease {
        let mut row = Lease::new("shard".into(), Checkpoint::TrimHorizon);
        row.owner = owner.map(WorkerId::from);
        row.counter = LeaseCounter::new(3);
        row.tenure = Some(TenureToken::new(1));
        row.hands_off = Some("owner".into());
        row.requested_by = requested_by.map(WorkerId::from);
        row
    }

    fn at(millis: u64) -> Mono {
        Mono::from_millis(millis)
    }

    fn asked() -> Requests {
        let timing = LeaseTiming::from_failover(Duration::from_secs(9));
        let mut requests = Requests::new("me".into(), timing, Duration::from_secs(30));
        requests.sent(at(0), &row(Some("owner"), None));
        requests
    }

    #[test]
    fn what_a_row_says_about_a_request() {
        let others = Lease { tenure: Some(TenureToken::new(2)), ..row(Some("owner"), Some("me")) };
        let cases = [
            (0, Some(row(Some("owner"), Some("me"))), RequestStep::Wait, "not answered yet"),
            (35_999, Some(row(Some("owner"), Some("me"))), RequestStep::Wait, "it may take as long as a hand-off may"),
            (36_000, Some(row(Some("owner"), Some("me"))), RequestStep::Take, "and no longer"),
            (1, Some(row(Some("me"), None)), RequestStep::Take, "transferred"),
            (1, Some(row(None, Some("me"))), RequestStep::Take, "released"),
            (1, Some(row(Some("owner"), None)), RequestStep::Nothing, "declined"),
            (1, Some(row(Some("owner"), Some("third"))), RequestStep::Nothing, "declined, and somebody else asks"),
            (1, Some(row(Some("third"), Some("me"))), RequestStep::Nothing, "taken by another"),
            (1, Some(others), RequestStep::Nothing, "another tenure of the same name"),
            (1, None, RequestStep::Nothing, "deleted"),
        ];
        for (millis, row, step, why) in cases {
            let mut requests = asked();
            assert_eq!(requests.row_seen(at(millis), &"shard".into(), row.as_ref()), step, "{why}");
            assert_eq!(requests.is_empty(), step == RequestStep::Nothing, "{why}");
        }
        assert_eq!(asked().row_seen(at(1), &"other".into(), Some(&row(None, None))), RequestStep::Nothing, "not asked for");
    }

    #[test]
    fn the_row_is_read_until_it_is_over() {
        let mut requests = asked();
        assert_eq!(requests.deadline(), Some(at(450)));
        assert!(requests.due(at(449)).is_empty());
        assert_eq!(requests.due(at(450)), [LeaseKey::from("shard")]);
        assert_eq!((requests.due(at(450)).len(), requests.deadline()), (0, Some(at(900))));
        requests.over(&"shard".into());
        assert_eq!((requests.deadline(), requests.is_empty()), (None, true));
    }

    #[test]
    fn what_an_owner_gives_away() {
        let of = |all, finished| LeaseCount { all, unfinished: all - finished };
        // mine, theirs, leases, workers
        let cases = [
            (of(16, 0), of(0, 0), 16, 2, true),
            (of(9, 0), of(7, 0), 16, 2, true),
            (of(8, 0), of(8, 0), 16, 2, false),
            (of(8, 0), of(7, 0), 16, 2, false),
            (of(6, 0), of(0, 0), 16, 3, true),
            (of(5, 0), of(0, 0), 16, 3, false),
            (of(1, 0), of(0, 0), 1, 2, false),
            (of(2, 0), of(0, 0), 2, 2, true),
            (of(6, 5), of(0, 0), 6, 2, false),
            (of(6, 4), of(0, 0), 6, 2, true),
        ];
        for (mine, theirs, leases, workers, gives) in cases {
            assert_eq!(gives_away(mine, theirs, leases, workers), gives, "{mine:?} {theirs:?} {leases} {workers}");
        }
    }
}
