//! The leases that this worker has asked their owners for.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::{Lease, LeaseKey, LeaseTiming, Mono, Settled, Standing, TenureToken, WorkerId};

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
    /// How long nothing is asked for after an owner has declined: it sees something that this worker does not see yet.
    rest: Duration,
    patience: Duration,
    asked: BTreeMap<LeaseKey, Asked>,
    /// Until when nothing is asked for, since an owner has declined.
    pause_until: Mono,
}

impl Requests {
    /// Nothing asked for; `hand_off` is how long an owner may take to finish its work.
    pub fn new(me: WorkerId, timing: LeaseTiming, hand_off: Duration) -> Self {
        let patience = hand_off + timing.renew * 2;
        let (pause, rest) = ((timing.failover / 20).max(Duration::from_millis(1)), timing.failover);
        Self { me, pause, rest, patience, asked: BTreeMap::new(), pause_until: Mono::ZERO }
    }

    /// The owner of `seen` is asked for it, by a request sent at `now`.
    pub fn sent(&mut self, now: Mono, seen: &Lease) {
        let asked = Asked { owner: seen.owner.clone(), tenure: seen.tenure, since: now, read_at: now + self.pause };
        self.asked.insert(seen.key.clone(), asked);
    }

    /// The lease is held now, or not wanted any more.
    pub fn over(&mut self, key: &LeaseKey) {
        self.asked.remove(key);
    }

    /// Whether something may be asked for.
    pub fn may_ask(&self, now: Mono) -> bool {
        now >= self.pause_until
    }

    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        self.asked.is_empty()
    }

    /// Whether this lease is asked for.
    pub fn contains(&self, key: &LeaseKey) -> bool {
        self.asked.contains_key(key)
    }

    /// What is asked for.
    pub fn keys(&self) -> impl Iterator<Item = &LeaseKey> {
        self.asked.keys()
    }

    /// The rows that are to be read now. Each is named once per pause.
    pub fn due(&mut self, now: Mono) -> Vec<LeaseKey> {
        let due = self.asked.iter_mut().filter(|(_, asked)| asked.read_at <= now);
        due.map(|(key, asked)| {
            asked.read_at = now + self.pause;
            key.clone()
        })
        .collect()
    }

    /// When [`due`](Self::due) has something to name next.
    pub fn deadline(&self) -> Option<Mono> {
        self.asked.values().map(|asked| asked.read_at).min()
    }

    /// A strongly consistent answer showed the row at `now`; `None` if there is none.
    pub fn row_seen(&mut self, now: Mono, key: &LeaseKey, row: Option<&Lease>) -> RequestStep {
        let Some(asked) = self.asked.get(key) else { return RequestStep::Nothing };
        let step = match row {
            Some(row) if row.owner.is_none() || row.is_owned_by(&self.me) => RequestStep::Take,
            Some(row)
                if row.owner == asked.owner && row.tenure == asked.tenure && row.requested_by.as_ref() == Some(&self.me) =>
            {
                match (now.since(asked.since) >= self.patience, row.checkpoint.is_shard_end()) {
                    (false, _) => RequestStep::Wait,
                    (true, false) => RequestStep::Take,
                    // The leases of finished shards stay with their owner, which declines.
                    (true, true) => RequestStep::Nothing,
                }
            }
            _ => RequestStep::Nothing,
        };
        if step == RequestStep::Nothing {
            if row.is_some_and(|row| row.owner == asked.owner && row.tenure == asked.tenure) {
                self.pause_until = now + self.rest;
            }
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
/// its own share of the `unfinished` ones, rounded down, whoever else may be asking; once nobody comes or goes any more,
/// nobody else does. `mine` counts the lease, `theirs` does not. Who asks goes by the same rule.
pub(crate) fn gives_away(mine: LeaseCount, theirs: LeaseCount, unfinished: usize, workers: usize, settled: Settled) -> bool {
    let floor = unfinished / workers.max(1);
    mine.excess_over(theirs) >= 2 && (settled == Settled::AllLeases || mine.unfinished > floor)
}

/// The same for the worker `by`, which is counted here: `mine` are the leases that this worker, `me`, holds and gives to nobody
/// yet, and `others` the rows of all that it does not, as observed.
pub fn gives_away_to<'a>(
    by: &'a WorkerId,
    me: &'a WorkerId,
    mine: LeaseCount,
    others: impl IntoIterator<Item = (&'a Lease, Standing)>,
    settled: Settled,
) -> bool {
    let (mut theirs, mut unfinished, mut workers) = (LeaseCount::default(), mine.unfinished, BTreeSet::from([me, by]));
    for (lease, standing) in others {
        let Some(heir) = lease.heir().filter(|_| standing == Standing::Live) else { continue };
        workers.insert(heir);
        unfinished += usize::from(!lease.checkpoint.is_shard_end());
        if heir == by {
            theirs.add(lease);
        }
    }
    gives_away(mine, theirs, unfinished, workers.len(), settled)
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

    fn finished() -> Lease {
        Lease { checkpoint: Checkpoint::ShardEnd, ..row(Some("owner"), Some("me")) }
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
            (
                36_000,
                Some(finished()),
                RequestStep::Nothing,
                "declined: nobody takes the lease of a finished shard from its owner",
            ),
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
            let declined = why.starts_with("declined");
            assert_eq!((requests.may_ask(at(millis)), requests.may_ask(at(millis + 9_000))), (!declined, true), "{why}");
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
        // mine, theirs, unfinished, workers -> before and after everybody is known
        let cases = [
            (of(16, 0), of(0, 0), 16, 2, true, true),
            (of(9, 0), of(7, 0), 16, 2, true, true),
            (of(8, 0), of(8, 0), 16, 2, false, false),
            (of(8, 0), of(7, 0), 16, 2, false, false),
            (of(6, 0), of(0, 0), 16, 3, true, true),
            (of(5, 0), of(0, 0), 16, 3, false, true),
            (of(1, 0), of(0, 0), 1, 2, false, false),
            (of(2, 0), of(0, 0), 2, 2, true, true),
            (of(6, 5), of(0, 0), 1, 2, false, false),
            (of(6, 4), of(0, 0), 2, 2, true, true),
            (of(7, 5), of(5, 5), 4, 3, true, true),
        ];
        for (mine, theirs, unfinished, workers, at_first, settled) in cases {
            let gives = |settled| gives_away(mine, theirs, unfinished, workers, settled);
            assert_eq!(gives(Settled::Nothing), gives(Settled::FreeLeases), "of free leases that says nothing");
            assert_eq!(
                (gives(Settled::Nothing), gives(Settled::AllLeases)),
                (at_first, settled),
                "{mine:?} {theirs:?} {unfinished} {workers}"
            );
        }
    }

    #[test]
    fn whom_an_owner_gives_a_lease() {
        // Rows by who is to have them, capitals of finished shards; `.` has expired. This worker has four others.
        let cases = [
            ("", "b", true, "who has nothing"),
            ("bbb", "b", false, "who has nearly as many"),
            ("bBB", "b", false, "also if some of them are finished: all count"),
            ("b..", "b", true, "what has expired does not count"),
            ("bcc", "b", true, "four of seven and three workers"),
            ("cdefgh", "b", true, "four of ten and eight workers"),
            ("bcdefg", "h", true, "the newcomer is one of them"),
        ];
        let lease = |letter: char| {
            let mut lease = row(Some(letter.to_lowercase().to_string().as_str()), None);
            if letter.is_uppercase() {
                lease.checkpoint = Checkpoint::ShardEnd;
            }
            (lease, if letter == '.' { Standing::Expired } else { Standing::Live })
        };
        let mine = LeaseCount { all: 4, unfinished: 4 };
        for (rows, by, gives, why) in cases {
            let rows: Vec<_> = rows.chars().map(lease).collect();
            let others = rows.iter().map(|(lease, standing)| (lease, *standing));
            assert_eq!(gives_away_to(&by.into(), &"me".into(), mine, others, Settled::Nothing), gives, "{rows:?} {by}: {why}");
        }
    }
}
