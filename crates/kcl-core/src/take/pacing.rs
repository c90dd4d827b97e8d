use std::collections::BTreeSet;

use rand::Rng;

use super::{TakeInput, TakePlan, plan_takes};
use crate::WorkerId;

/// Keeps a worker from taking what is not its share because its view is not complete yet, or not any more.
///
/// The table shows a worker only once it owns something. Of workers that start together each is alone at first, and its
/// fair share is the whole table. So who has nothing takes one lease, which shows it to the others, and looks again. While
/// a look shows owners that the one before did not it takes at most as many as it holds, while it shows nobody else at most
/// four times as many. The look right after its first take comes too soon to tell whether anybody new appears, and counts
/// as one that does. Once nobody new appears there is no such limit, and there never is one for a fleet of which workers
/// only disappear.
///
/// To take a lease from a live owner is a move that nobody needs if it was planned with an old view: it is done only in the
/// round that follows a scan, if this worker has gained and lost nothing since that scan began. The same holds for asking for
/// one, and who has nothing asks for one lease first, which shows it to the others, too. Nor is either done right after
/// an owner has disappeared. Workers that are lost together disappear one after another, by as much as two scans are apart,
/// and meanwhile what the others have taken of the first ones' leases looks like an excess.
#[derive(Clone, Debug)]
pub struct TakePacing {
    others: BTreeSet<WorkerId>,
    /// Whether this worker had something at the scan before.
    was_visible: bool,
    /// Whether the table was scanned since the last round.
    scanned: bool,
    /// How many free leases may be taken until the next scan.
    left: usize,
    /// How many scans in a row have shown no owner less, and no new owner.
    since_loss: u8,
    since_arrival: u8,
    /// How many have shown no free lease.
    since_free: u8,
    /// Whether this worker has gained or lost a lease since the last scan began.
    changed: bool,
}

/// How many scans have to show no owner less before anything is taken from live owners.
const AFTER_LOSS: u8 = 2;
/// How many scans have to show no new owner before those that take less than their share of what is free are thought to want
/// no more: enough for each of them to have had two without a limit.
const AFTER_ARRIVAL: u8 = 3;
/// How many have to before those that ask for less than their share are thought so, too. A new owner waits after a loss before
/// it asks for anything, begins with one lease, and sees the last loss as much as two scans later than others do. So many scans
/// have to show no free lease, either: a process that starts under the name of a dead one is no new owner, and has nothing.
const BEFORE_THE_REST: u8 = 6;

/// Of which leases whoever has less than its share is thought to want no more, because no owner has come or gone for some
/// scans.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Settled {
    /// Of none: somebody has come or gone lately.
    #[default]
    Nothing,
    /// Of those that are free.
    FreeLeases,
    /// Of those that others have, too.
    AllLeases,
}

/// When a round of taking goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NextRound {
    /// When something has changed.
    AsEver,
    /// After a scan soon: once what it planned is taken.
    AfterScan,
}

impl Default for TakePacing {
    /// Nothing taken, nothing seen.
    fn default() -> Self {
        let (others, since_loss) = (BTreeSet::new(), AFTER_LOSS);
        Self { others, was_visible: false, scanned: false, left: 0, since_loss, since_arrival: 0, since_free: 0, changed: false }
    }
}

impl TakePacing {
    /// Nothing taken, nothing seen.
    pub fn new() -> Self {
        Self::default()
    }

    /// A scan of the table begins.
    pub const fn scan_begins(&mut self) {
        self.changed = false;
    }

    /// This worker gained or lost a lease.
    pub const fn held_leases_changed(&mut self) {
        self.changed = true;
    }

    /// For how long no owner has come or gone, and no lease was free: of which leases whoever has less than its share wants no more.
    pub const fn settled(&self) -> Settled {
        match (self.since_loss, self.since_arrival, self.since_free) {
            (AFTER_LOSS.., BEFORE_THE_REST.., BEFORE_THE_REST..) => Settled::AllLeases,
            (AFTER_LOSS.., AFTER_ARRIVAL.., _) => Settled::FreeLeases,
            _ => Settled::Nothing,
        }
    }

    /// What a round takes and asks for, before it is [admitted](Self::admit). If the table shows that somebody has come or gone
    /// since the round before nothing counts as settled.
    pub fn plan(&self, input: &TakeInput<'_>, rng: &mut impl Rng) -> TakePlan {
        let plan = plan_takes(input, rng);
        if input.settled == Settled::Nothing || plan.others == self.others {
            return plan;
        }
        plan_takes(&TakeInput { settled: Settled::Nothing, ..input.clone() }, rng)
    }

    /// The table was scanned.
    pub const fn scanned(&mut self) {
        self.scanned = true;
    }

    /// Cuts a plan down to what may be taken now. Leases from live owners have a limit of their own, which is kept already.
    pub fn admit(&mut self, plan: &mut TakePlan) -> NextRound {
        let (alone, growing) = (plan.others.is_empty(), !plan.others.is_subset(&self.others));
        let follows_scan = std::mem::take(&mut self.scanned);
        if follows_scan {
            let shrinking = !self.others.is_subset(&plan.others);
            self.since_loss = if shrinking { 0 } else { self.since_loss.saturating_add(1) };
            self.since_arrival = if growing { 0 } else { self.since_arrival.saturating_add(1) };
            self.since_free = if plan.available > 0 { 0 } else { self.since_free.saturating_add(1) };
            let was_visible = std::mem::replace(&mut self.was_visible, plan.held > 0);
            self.left = match (alone, growing || !was_visible) {
                (true, _) => plan.held.saturating_mul(4).max(1),
                (false, true) => plan.held.max(1),
                (false, false) => usize::MAX,
            };
            self.others.clone_from(&plan.others);
        }
        if !follows_scan || self.changed || self.since_loss < AFTER_LOSS {
            plan.takes.retain(|take| !take.from_live);
            plan.requests.clear();
            plan.stolen = 0;
        }
        let invisible = plan.held == 0 && plan.requests.len() > 1;
        if invisible {
            plan.requests.truncate(1);
        }
        let mut left = self.left;
        let mut cut = false;
        plan.takes.retain(|take| {
            let stays = take.from_live || left > 0;
            left -= usize::from(stays && !take.from_live);
            cut |= !stays;
            stays
        });
        self.left = left;
        if invisible || cut && (alone || plan.held == 0) { NextRound::AfterScan } else { NextRound::AsEver }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Checkpoint, Lease, LeaseKey, LeaseWrite, PlannedTake};

    fn plan(others: &[&str], held: usize, free: usize) -> TakePlan {
        let take = |index: usize| {
            let lease = Lease::new(LeaseKey::new(format!("shard-{index}")), Checkpoint::TrimHorizon);
            PlannedTake { write: LeaseWrite::take(&lease, &"me".into(), crate::TenureToken::new(1)), from_live: false }
        };
        let others = others.iter().map(|&other| other.into()).collect();
        TakePlan { takes: (0..free).map(take).collect(), others, held, ..TakePlan::default() }
    }

    #[test]
    fn how_many_are_taken_from_scan_to_scan() {
        // What a scan shows -> how many are taken, and when to go on.
        let scans: [(&[&str], usize, usize, NextRound); 9] = [
            (&[], 0, 1, NextRound::AfterScan),
            (&["a", "b"], 1, 1, NextRound::AsEver),
            (&["a", "b", "c"], 5, 5, NextRound::AsEver),
            (&["a", "b", "c"], 25, 100, NextRound::AsEver),
            (&["a", "c"], 0, 100, NextRound::AsEver),
            (&["a", "c", "d"], 0, 1, NextRound::AfterScan),
            (&["a", "c", "d"], 1, 1, NextRound::AsEver),
            (&["a", "c", "d"], 5, 100, NextRound::AsEver),
            (&[], 10, 40, NextRound::AfterScan),
        ];
        let mut pacing = TakePacing::new();
        for (others, held, taken, next) in scans {
            let mut plan = plan(others, held, 100);
            pacing.scanned();
            assert_eq!((pacing.admit(&mut plan), plan.takes.len()), (next, taken), "{others:?}, {held} held");
        }
    }

    #[test]
    fn rounds_without_a_scan_share_one_limit() {
        let mut pacing = TakePacing::new();
        assert_eq!((pacing.admit(&mut plan(&[], 0, 9)), pacing.left), (NextRound::AfterScan, 0), "nothing before a scan");
        pacing.scanned();
        let (mut first, mut second) = (plan(&["a"], 8, 5), plan(&["a"], 13, 5));
        pacing.admit(&mut first);
        pacing.admit(&mut second);
        assert_eq!((first.takes.len(), second.takes.len()), (5, 3));
    }

    #[test]
    fn takes_from_live_owners_are_not_counted() {
        let mut pacing = TakePacing::new();
        pacing.scanned();
        let mut plan = plan(&["a"], 0, 2);
        plan.takes.iter_mut().for_each(|take| take.from_live = true);
        assert_eq!((pacing.admit(&mut plan), plan.takes.len()), (NextRound::AsEver, 2));
    }
    #[test]
    fn who_has_nothing_asks_for_one_lease_first() {
        for (held, asked_for, next) in [(0, 1, NextRound::AfterScan), (1, 3, NextRound::AsEver)] {
            let (mut pacing, mut plan) = (TakePacing::new(), plan(&["a"], held, 0));
            plan.requests = vec![Lease::new("shard".into(), Checkpoint::TrimHorizon); 3];
            assert_eq!((pacing.admit(&mut plan.clone()), plan.requests.len()), (NextRound::AsEver, 3), "not before a scan");
            pacing.scanned();
            assert_eq!((pacing.admit(&mut plan), plan.requests.len()), (next, asked_for));
        }
    }

    #[test]
    fn when_leases_of_live_owners_are_taken() {
        // What happens, in order: a scan begins `(`, ends `)`, this worker gains or loses a lease `!`, and a round `r` that is
        // to take one lease from a live owner, with the owners that it sees.
        let cases = [
            ("() ra", 1, "after a scan"),
            ("ra", 0, "before any scan"),
            ("() ra ra", 1, "a scan is good for one round"),
            ("() ra ! ra () ra", 2, "what follows a loss follows no scan"),
            ("( ! ) ra", 0, "the scan may show what was before"),
            ("! () ra", 1, "it shows what is now"),
            ("() rab () ra () ra () ra", 2, "two more scans after an owner is gone"),
            ("() rabc () rab () ra () ra () ra", 2, "the last that goes counts"),
            ("() rab ra () rab", 2, "what rounds between scans see does not count"),
            ("() ra () rab () rabc", 3, "new owners are no reason to wait"),
        ];
        for (script, expected, why) in cases {
            let mut pacing = TakePacing::new();
            let mut taken = 0;
            for word in script.split(' ') {
                for letter in word.chars() {
                    match letter {
                        '(' => pacing.scan_begins(),
                        ')' => pacing.scanned(),
                        '!' => pacing.held_leases_changed(),
                        _ => {}
                    }
                }
                if let Some(owners) = word.strip_prefix('r') {
                    let owners: Vec<&str> = owners.split("").filter(|owner| !owner.is_empty()).collect();
                    let mut plan = plan(&owners, 1, 1);
                    plan.takes[0].from_live = true;
                    plan.stolen = 1;
                    pacing.admit(&mut plan);
                    assert_eq!(plan.takes.len(), plan.stolen, "{script}: {why}");
                    taken += plan.stolen;
                }
            }
            assert_eq!(taken, expected, "{script}: {why}");
        }
    }

    #[test]
    fn settled_once_nobody_comes_or_goes() {
        let mut pacing = TakePacing::new();
        use Settled::{AllLeases, FreeLeases, Nothing};
        // Scans that follow each other, what they show besides this worker, and how many leases are free.
        let scans: [(usize, &[&str], usize, Settled); 10] = [
            (3, &["a"], 0, Nothing),
            (3, &["a"], 0, FreeLeases),
            (3, &["a"], 0, AllLeases),
            (2, &["a", "b"], 0, Nothing),
            (2, &["a"], 0, Nothing),
            (2, &["a"], 0, FreeLeases),
            (2, &["a"], 0, AllLeases),
            (6, &["a"], 1, FreeLeases),
            (5, &["a"], 0, FreeLeases),
            (1, &["a"], 0, AllLeases),
        ];
        let scans = scans.into_iter().flat_map(|(times, others, free, settled)| vec![(others, free, settled); times]);
        for (index, (others, free, settled)) in scans.enumerate() {
            pacing.scanned();
            pacing.admit(&mut TakePlan { available: free, ..plan(others, 1, 0) });
            assert_eq!(pacing.settled(), settled, "scan {index}");
        }
    }
}
