use std::collections::BTreeSet;

use super::TakePlan;
use crate::WorkerId;

/// Keeps a worker from taking more than its share because it has not seen the others yet.
///
/// The table shows a worker only once it owns something. Of workers that start together each is alone at first, and its
/// fair share is the whole table. So who has nothing takes one lease, which shows it to the others, and looks again; and
/// while a look shows owners that the one before did not, or nobody else, it takes at most four times of what it holds.
/// The look right after its first take comes too soon to tell whether anybody new appears, and counts as one that does.
/// Once nobody new appears there is no such limit, and there never is one for a fleet of which workers only disappear.
#[derive(Clone, Debug, Default)]
pub struct TakePacing {
    others: BTreeSet<WorkerId>,
    /// Whether this worker had something at the scan before.
    was_visible: bool,
    /// Whether the table was scanned since the last round.
    scanned: bool,
    /// How many free leases may be taken until the next scan.
    left: usize,
}

/// When a round of taking goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NextRound {
    /// When something has changed.
    AsEver,
    /// After a scan soon: once what it planned is taken.
    AfterScan,
}

impl TakePacing {
    /// Nothing taken, nothing seen.
    pub fn new() -> Self {
        Self::default()
    }

    /// The table was scanned.
    pub const fn scanned(&mut self) {
        self.scanned = true;
    }

    /// Cuts a plan down to what may be taken now. Leases from live owners have a limit of their own.
    pub fn admit(&mut self, plan: &mut TakePlan) -> NextRound {
        let (alone, growing) = (plan.others.is_empty(), !plan.others.is_subset(&self.others));
        if std::mem::take(&mut self.scanned) {
            let was_visible = std::mem::replace(&mut self.was_visible, plan.held > 0);
            self.left = if alone || growing || !was_visible { plan.held.saturating_mul(4).max(1) } else { usize::MAX };
            self.others.clone_from(&plan.others);
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
        if cut && (alone || plan.held == 0) { NextRound::AfterScan } else { NextRound::AsEver }
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
            (&["a", "b"], 1, 4, NextRound::AsEver),
            (&["a", "b", "c"], 5, 20, NextRound::AsEver),
            (&["a", "b", "c"], 25, 100, NextRound::AsEver),
            (&["a", "c"], 0, 100, NextRound::AsEver),
            (&["a", "c", "d"], 0, 1, NextRound::AfterScan),
            (&["a", "c", "d"], 1, 4, NextRound::AsEver),
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
        let (mut first, mut second) = (plan(&["a"], 2, 5), plan(&["a"], 7, 5));
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
}
