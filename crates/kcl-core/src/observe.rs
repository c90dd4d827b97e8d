use std::collections::BTreeMap;
use std::time::Duration;

use crate::{Lease, LeaseKey, Mono, WorkerId};

/// Whether a lease may be taken, as this process has observed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// Nobody holds it.
    Unowned,
    /// Its counter has not changed for the failover time, and a strongly consistent read said so again.
    Expired,
    /// Somebody holds it.
    Live,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Observed {
    lease: Lease,
    /// When an answer first showed this counter.
    since: Mono,
    /// When the row is to be read again if nothing is heard before.
    read_at: Mono,
    /// Whether a read at or after `since + failover` showed the same counter.
    confirmed: bool,
}

/// What this process has seen of the lease table, on its own monotonic clock.
///
/// The timer of a counter starts at the *response* that first shows it; any change restarts it. When it runs out the
/// row is read again by itself: expiry is never left to the next scan (protocol rule P8).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Observer {
    failover: Duration,
    rows: BTreeMap<LeaseKey, Observed>,
}

impl Observer {
    /// An observer that has seen nothing.
    pub const fn new(failover: Duration) -> Self {
        Self { failover, rows: BTreeMap::new() }
    }

    /// A complete scan was answered at `now`. Rows that it lacks are forgotten.
    pub fn see_scan(&mut self, now: Mono, leases: Vec<Lease>) {
        let before = std::mem::take(&mut self.rows);
        for lease in leases {
            if let Some(known) = before.get(&lease.key) {
                self.rows.insert(lease.key.clone(), known.clone());
                // A scan may be older than what was read since; an older version says nothing new.
                if lease.counter < known.lease.counter {
                    continue;
                }
            }
            self.insert(now, lease, false);
        }
    }

    /// A strongly consistent answer showed this row at `now`; `None` if there is none.
    pub fn see_row(&mut self, now: Mono, key: &LeaseKey, row: Option<Lease>) {
        match row {
            Some(lease) => self.insert(now, lease, true),
            None => {
                self.rows.remove(key);
            }
        }
    }

    fn insert(&mut self, now: Mono, lease: Lease, consistent: bool) {
        let failover = self.failover;
        match self.rows.get_mut(&lease.key) {
            Some(known) if known.lease.counter == lease.counter && known.lease.owner == lease.owner => {
                known.confirmed |= consistent && now >= known.since + failover;
                known.lease = lease;
            }
            _ => {
                let observed = Observed { since: now, read_at: now + failover, confirmed: false, lease };
                self.rows.insert(observed.lease.key.clone(), observed);
            }
        }
    }

    /// The leases whose timer has run out and that are to be read again now. Each is named once per `retry`.
    pub fn due(&mut self, now: Mono, me: &WorkerId, retry: Duration) -> Vec<LeaseKey> {
        let failover = self.failover;
        let mut due = Vec::new();
        for (key, observed) in &mut self.rows {
            if observed.awaits_expiry(me) && now >= observed.read_at {
                observed.read_at = now + retry.max(failover / 20);
                due.push(key.clone());
            }
        }
        due
    }

    /// When [`due`](Self::due) has something to name next.
    pub fn deadline(&self, me: &WorkerId) -> Option<Mono> {
        self.rows.values().filter(|observed| observed.awaits_expiry(me)).map(|observed| observed.read_at).min()
    }

    /// What is known of a lease.
    pub fn lease(&self, key: &LeaseKey) -> Option<&Lease> {
        self.rows.get(key).map(|observed| &observed.lease)
    }

    /// Every lease that was seen, in the order of the keys, with its standing and how long its counter has stood still.
    pub fn leases(&self, now: Mono) -> impl Iterator<Item = (&Lease, Standing, Duration)> {
        self.rows.values().map(move |observed| (&observed.lease, observed.standing(), now.since(observed.since)))
    }
}

impl Observed {
    fn awaits_expiry(&self, me: &WorkerId) -> bool {
        !self.confirmed && self.lease.actual_owner().is_some_and(|owner| owner != me)
    }

    const fn standing(&self) -> Standing {
        match (self.lease.actual_owner(), self.confirmed) {
            (None, _) => Standing::Unowned,
            (Some(_), true) => Standing::Expired,
            (Some(_), false) => Standing::Live,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Checkpoint, LeaseCounter};

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
        let me = WorkerId::from("me");
        let mut observer = Observer::new(FAILOVER);
        observer.see_scan(at(5), vec![lease(Some("other"), 1)]);
        observer.see_scan(at(14), vec![lease(Some("other"), 1)]);
        assert_eq!(observer.deadline(&me), Some(at(15)));
        assert!(observer.due(at(14), &me, FAILOVER).is_empty());
        observer.see_scan(at(16), vec![lease(Some("other"), 1)]);
        assert_eq!(standing(&observer), Standing::Live, "a scan may be stale: it never proves expiry");
        assert_eq!(observer.due(at(16), &me, FAILOVER), [LeaseKey::from("shard")]);
        assert!(observer.due(at(16), &me, FAILOVER).is_empty(), "asked once");
        observer.see_row(at(17), &"shard".into(), Some(lease(Some("other"), 1)));
        assert_eq!(standing(&observer), Standing::Expired);
        observer.see_row(at(18), &"shard".into(), Some(lease(Some("other"), 2)));
        assert_eq!(standing(&observer), Standing::Live, "it came back");
        assert_eq!(observer.deadline(&me), Some(at(28)));
    }

    #[test]
    fn older_versions_in_a_scan_say_nothing() {
        let mut observer = Observer::new(FAILOVER);
        observer.see_row(at(1), &"shard".into(), Some(lease(Some("other"), 7)));
        observer.see_scan(at(2), vec![lease(None, 6)]);
        assert_eq!(observer.lease(&"shard".into()).unwrap().counter, LeaseCounter::new(7));
        assert_eq!(standing(&observer), Standing::Live);
        observer.see_row(at(3), &"shard".into(), Some(lease(None, 0)));
        assert_eq!(standing(&observer), Standing::Unowned, "a consistent read is believed even if the counter is smaller");
    }

    #[test]
    fn own_and_unowned_leases_are_not_waited_for() {
        let me = WorkerId::from("other");
        let mut observer = Observer::new(FAILOVER);
        observer.see_scan(at(1), vec![lease(Some("other"), 1)]);
        assert_eq!(observer.deadline(&me), None);
        observer.see_scan(at(2), vec![lease(None, 2)]);
        assert_eq!(observer.deadline(&"me".into()), None);
        observer.see_scan(at(3), vec![]);
        assert!(observer.lease(&"shard".into()).is_none());
    }
}
