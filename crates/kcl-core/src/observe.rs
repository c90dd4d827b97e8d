use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::{Lease, LeaseKey, Mono};

/// Whether a lease may be taken, as this process has observed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// Nobody holds it.
    Unowned,
    /// Its counter has not changed for the failover time, and a strongly consistent read said so again.
    Expired,
    /// Its counter has not changed for the failover time, as far as scans tell. Nobody may take it before it was read.
    Due,
    /// Somebody holds it.
    Live,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Observed {
    lease: Lease,
    /// When an answer first showed this counter.
    since: Mono,
    /// When it counts as free if nothing is heard before.
    due_at: Mono,
    /// When the row is to be read again if nothing is heard before.
    read_at: Mono,
    /// Whether a read at or after `since + failover` showed the same counter.
    confirmed: bool,
}

/// What this process has seen of the lease table, on its own monotonic clock.
///
/// The timer of a counter starts at the *response* that first shows it; any change restarts it. When it runs out the
/// row is read again by itself by whoever is to take it: expiry is never left to the next scan (protocol rule P8). That holds for rows that name
/// this worker, too: one that it does not hold is a leftover of an earlier process of the same name.
///
/// Where the table is scanned more rarely than leases expire ([`new`](Self::new)'s `quiet`), every row would have run out
/// by the next scan. The timer is longer then, and runs out early for a row that a scan still shows as it was.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Observer {
    failover: Duration,
    quiet: Duration,
    rows: BTreeMap<LeaseKey, Observed>,
    /// The rows that wait for their timer, by when they are to be read.
    timers: BTreeSet<(Mono, LeaseKey)>,
}

impl Observer {
    /// An observer that has seen nothing; `quiet` is how long it may hear nothing of a row whose owner lives
    /// ([`LeaseTiming::quiet`](crate::LeaseTiming)).
    pub const fn new(failover: Duration, quiet: Duration) -> Self {
        Self { failover, quiet, rows: BTreeMap::new(), timers: BTreeSet::new() }
    }

    /// A complete scan was answered at `now`. Rows that it lacks are forgotten.
    pub fn see_scan(&mut self, now: Mono, mut leases: Vec<Lease>) {
        // Both in the order of the keys: one pass over the two, and maps that are built from sorted rows, cost a fraction
        // of as many look-ups and insertions.
        leases.sort_by(|a, b| a.key.cmp(&b.key));
        let mut before = std::mem::take(&mut self.rows).into_iter().peekable();
        let mut rows: Vec<(LeaseKey, Observed)> = Vec::with_capacity(leases.len());
        for lease in leases {
            let key = lease.key.clone();
            while before.next_if(|(known, _)| *known < key).is_some() {}
            let known = match before.next_if(|(known, _)| *known == key) {
                Some((_, known)) => Some(known),
                // A scan that names a row twice.
                None => rows.pop_if(|(last, _)| *last == key).map(|(_, known)| known),
            };
            let observed = match known {
                // A scan may be older than what was read since; an older version says nothing new.
                Some(known) if lease.counter < known.lease.counter => known,
                known => self.observed(now, known, lease, false),
            };
            rows.push((key, observed));
        }
        self.timers = rows.iter().filter(|(_, row)| row.awaits_expiry()).map(|(key, row)| (row.read_at, key.clone())).collect();
        self.rows = rows.into_iter().collect();
    }

    /// A strongly consistent answer showed this row at `now`; `None` if there is none.
    pub fn see_row(&mut self, now: Mono, key: &LeaseKey, row: Option<Lease>) {
        match row {
            Some(lease) => self.insert(now, lease, true),
            None => {
                if let Some(gone) = self.rows.remove(key) {
                    self.timers.remove(&(gone.read_at, key.clone()));
                }
            }
        }
    }

    fn insert(&mut self, now: Mono, lease: Lease, consistent: bool) {
        let key = lease.key.clone();
        let known = self.rows.remove(&key);
        if let Some(known) = &known {
            self.timers.remove(&(known.read_at, key.clone()));
        }
        let observed = self.observed(now, known, lease, consistent);
        if observed.awaits_expiry() {
            self.timers.insert((observed.read_at, key.clone()));
        }
        self.rows.insert(key, observed);
    }

    /// What is known of a row after an answer at `now` that showed it as `lease`.
    fn observed(&self, now: Mono, known: Option<Observed>, lease: Lease, consistent: bool) -> Observed {
        // A row that was removed and created again may have come back to the same counter: its token tells.
        let is_same =
            |known: &Lease| known.counter == lease.counter && known.owner == lease.owner && known.tenure == lease.tenure;
        match known {
            Some(mut known) if is_same(&known.lease) => {
                let is_silent = now >= known.since + self.failover;
                known.confirmed |= consistent && is_silent;
                if is_silent && now < known.due_at {
                    (known.due_at, known.read_at) = (now, now);
                }
                known.lease = lease;
                known
            }
            _ => {
                let due_at = now + self.quiet;
                Observed { since: now, due_at, read_at: due_at, confirmed: false, lease }
            }
        }
    }

    /// The leases whose timer has run out: a round of taking decides which of them to read. Each is named once per `retry`.
    /// Leases that this process holds are judged by their tenures and never named.
    pub fn due(&mut self, now: Mono, is_held: impl Fn(&LeaseKey) -> bool, retry: Duration) -> Vec<LeaseKey> {
        let mut due = Vec::new();
        while let Some((read_at, key)) = self.timers.first().filter(|(read_at, _)| *read_at <= now).cloned() {
            self.timers.remove(&(read_at, key.clone()));
            let Some(observed) = self.rows.get_mut(&key) else { continue };
            observed.read_at = now + retry.max(self.failover / 20);
            self.timers.insert((observed.read_at, key.clone()));
            if !is_held(&key) {
                due.push(key);
            }
        }
        due
    }

    /// When [`due`](Self::due) has something to name next, at the earliest.
    pub fn deadline(&self) -> Option<Mono> {
        self.timers.first().map(|(read_at, _)| *read_at)
    }

    /// What is known of a lease.
    pub fn lease(&self, key: &LeaseKey) -> Option<&Lease> {
        self.rows.get(key).map(|observed| &observed.lease)
    }

    /// Every lease that was seen, in the order of the keys, with its standing and how long its counter has stood still.
    pub fn leases(&self, now: Mono) -> impl Iterator<Item = (&Lease, Standing, Duration)> {
        self.rows.values().map(move |observed| (&observed.lease, observed.standing(now), now.since(observed.since)))
    }
}

impl Observed {
    const fn awaits_expiry(&self) -> bool {
        !self.confirmed && self.lease.actual_owner().is_some()
    }

    fn standing(&self, now: Mono) -> Standing {
        match (self.lease.actual_owner(), self.confirmed) {
            (None, _) => Standing::Unowned,
            (Some(_), true) => Standing::Expired,
            (Some(_), false) if now >= self.due_at => Standing::Due,
            (Some(_), false) => Standing::Live,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Checkpoint, LeaseCounter, WorkerId};

    const FAILOVER: Duration = Duration::from_secs(10);

    fn lease(owner: Option<&str>, counter: u64) -> Lease {
        let mut lease = Lease::new("shard".into(), Checkpoint::TrimHorizon);
        lease.owner = owner.map(WorkerId::from);
        lease.counter = LeaseCounter::new(counter);
        lease
    }

    fn at(seconds: u64) -> Mono {
        Mono::from_millis(seconds * 1000)
    }

    fn standing(observer: &Observer) -> Standing {
        observer.leases(Mono::ZERO).next().unwrap().1
    }

    #[test]
    fn expiry_is_judged_from_the_first_answer_and_confirmed_by_a_read() {
        let held = |_: &LeaseKey| false;
        let mut observer = Observer::new(FAILOVER, FAILOVER);
        observer.see_scan(at(5), vec![lease(Some("other"), 1)]);
        observer.see_scan(at(14), vec![lease(Some("other"), 1)]);
        assert_eq!(observer.deadline(), Some(at(15)));
        assert!(observer.due(at(14), held, FAILOVER).is_empty());
        observer.see_scan(at(16), vec![lease(Some("other"), 1)]);
        assert_eq!(standing(&observer), Standing::Live, "a scan may be stale: it never proves expiry");
        assert_eq!(observer.leases(at(16)).next().unwrap().1, Standing::Due, "which is a reason to read the row");
        assert_eq!(observer.due(at(16), held, FAILOVER), [LeaseKey::from("shard")]);
        assert!(observer.due(at(16), held, FAILOVER).is_empty(), "asked once");
        observer.see_row(at(17), &"shard".into(), Some(lease(Some("other"), 1)));
        assert_eq!(standing(&observer), Standing::Expired);
        observer.see_row(at(18), &"shard".into(), Some(lease(Some("other"), 2)));
        assert_eq!(standing(&observer), Standing::Live, "it came back");
        assert_eq!(observer.deadline(), Some(at(28)));
    }

    #[test]
    fn another_life_of_the_row_at_the_same_counter_is_not_the_same_version() {
        let mut observer = Observer::new(FAILOVER, FAILOVER);
        observer.see_row(at(1), &"shard".into(), Some(lease(Some("other"), 7)));
        let again = Lease { tenure: Some(crate::TenureToken::new(2)), ..lease(Some("other"), 7) };
        observer.see_row(at(30), &"shard".into(), Some(again));
        assert_eq!(standing(&observer), Standing::Live);
    }

    #[test]
    fn older_versions_in_a_scan_say_nothing() {
        let mut observer = Observer::new(FAILOVER, FAILOVER);
        observer.see_row(at(1), &"shard".into(), Some(lease(Some("other"), 7)));
        observer.see_scan(at(2), vec![lease(None, 6)]);
        assert_eq!(observer.lease(&"shard".into()).unwrap().counter, LeaseCounter::new(7));
        assert_eq!(standing(&observer), Standing::Live);
        observer.see_row(at(3), &"shard".into(), Some(lease(None, 0)));
        assert_eq!(standing(&observer), Standing::Unowned, "a consistent read is believed even if the counter is smaller");
    }

    #[test]
    fn held_and_unowned_leases_are_not_waited_for() {
        let mut observer = Observer::new(FAILOVER, FAILOVER);
        observer.see_scan(at(1), vec![lease(Some("me"), 1)]);
        assert!(observer.due(at(11), |_| true, FAILOVER).is_empty(), "held");
        assert_eq!(observer.due(at(21), |_| false, FAILOVER).len(), 1, "a leftover under the same name");
        observer.see_scan(at(22), vec![lease(None, 2)]);
        assert_eq!(observer.deadline(), None);
        observer.see_scan(at(23), vec![]);
        assert!(observer.lease(&"shard".into()).is_none());
    }

    #[test]
    fn a_row_that_is_gone_waits_for_nothing() {
        let mut observer = Observer::new(FAILOVER, FAILOVER);
        observer.see_scan(at(1), vec![lease(Some("other"), 1)]);
        observer.see_row(at(2), &"shard".into(), None);
        assert_eq!(observer.deadline(), None);
        observer.see_scan(at(3), vec![lease(Some("other"), 1)]);
        observer.see_scan(at(4), vec![]);
        assert_eq!(observer.deadline(), None);
    }

    #[test]
    fn where_scans_are_rare_a_live_owner_is_not_read_for_and_a_silent_one_soon() {
        let mut observer = Observer::new(FAILOVER, Duration::from_secs(23));
        observer.see_scan(at(0), vec![lease(Some("other"), 1)]);
        assert_eq!(standing_at(&observer, 15), Standing::Live, "nobody has looked since");
        observer.see_scan(at(20), vec![lease(Some("other"), 7)]);
        assert_eq!((standing_at(&observer, 42), observer.deadline()), (Standing::Live, Some(at(43))));
        observer.see_scan(at(24), vec![lease(Some("other"), 7)]);
        assert_eq!(standing_at(&observer, 42), Standing::Live, "the failover time is not over");
        observer.see_scan(at(40), vec![lease(Some("other"), 7)]);
        assert_eq!((standing_at(&observer, 40), observer.deadline()), (Standing::Due, Some(at(40))));
        observer.see_row(at(41), &"shard".into(), Some(lease(Some("other"), 7)));
        assert_eq!(standing_at(&observer, 41), Standing::Expired);

        let mut unheard = Observer::new(FAILOVER, Duration::from_secs(23));
        unheard.see_scan(at(0), vec![lease(Some("other"), 1)]);
        assert_eq!(standing_at(&unheard, 23), Standing::Due, "the scan that was to tell is missing");
    }

    fn standing_at(observer: &Observer, seconds: u64) -> Standing {
        observer.leases(at(seconds)).next().unwrap().1
    }
}
