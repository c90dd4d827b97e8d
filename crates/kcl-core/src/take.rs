mod pacing;
mod reading;
mod share;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rand::seq::SliceRandom;
use rand::{Rng, RngExt};

use crate::{Expectation, Lease, LeaseKey, LeaseWrite, Standing, TenureToken, WorkerId};
pub use pacing::{NextRound, TakePacing};
pub use reading::ReadPacing;
use share::{Counts, share, share_left_over};

/// What the planner of takes is told.
#[derive(Clone, Debug)]
pub struct TakeInput<'a> {
    /// This worker.
    pub me: &'a WorkerId,
    /// The leases that this worker holds.
    pub held: &'a BTreeSet<LeaseKey>,
    /// Every lease as observed: with its standing and how long its counter has stood still.
    pub leases: &'a [(&'a Lease, Standing, Duration)],
    /// Leases that this worker leaves alone for now.
    pub avoid: &'a BTreeSet<LeaseKey>,
    /// The most leases that this worker may hold.
    pub max_leases: usize,
    /// The most leases that are taken from live owners in one round.
    pub leases_to_acquire: usize,
    /// For how long a lease must not have been renewed to be free.
    pub failover: Duration,
    /// Whether no worker has come or gone for some scans: [`TakePacing::is_settled`].
    pub is_settled: bool,
}

/// One lease to take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedTake {
    /// The take.
    pub write: LeaseWrite,
    /// Whether it is from an owner that lives.
    pub from_live: bool,
}

impl PlannedTake {
    /// What to send after the take was rejected because the row is `current`: it was meant for this owner, who has gone on
    /// since the row was seen, and not to the end of the shard. Anything else is for another round to plan. It is a take of another version, with a
    /// token of its own.
    #[must_use]
    pub fn again(&self, current: &Lease, me: &WorkerId, token: TenureToken) -> Option<Self> {
        let Expectation::Version { owner: Some(expected), .. } = self.write.expectation() else { return None };
        let same = current.is_owned_by(expected) && expected != me;
        let finished = current.checkpoint.is_shard_end();
        (self.from_live && same && !finished).then(|| Self { write: LeaseWrite::take(current, me, token), from_live: true })
    }
}

/// What a round of taking decided.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TakePlan {
    /// The takes, in no particular order.
    pub takes: Vec<PlannedTake>,
    /// Rows to read, strongly consistent, before a round can plan to take them. While there are any nothing is taken: what
    /// they show may change the shares.
    pub reads: Vec<LeaseKey>,
    /// How many of them are from live owners.
    pub stolen: usize,
    /// The fair share of this worker.
    pub target: usize,
    /// How many leases this worker holds.
    pub held: usize,
    /// Live owners of leases besides this worker.
    pub others: BTreeSet<WorkerId>,
    /// Leases that nobody holds or whose owner is gone.
    pub available: usize,
    /// Leases that the fair share would give this worker and `max_leases` does not.
    pub spillover: usize,
}

/// Which leases to take in this round: the rules of KCL 2.x (`DynamoDBLeaseTaker.java`), except that a lease moves
/// between live owners only if that makes the counts more even (protocol rule P11), and that a lease without an owner
/// is taken above the fair share only after it has been left alone for three failover times, not at first sight. Leases
/// that are free are dealt out among the live owners so that the counts end up even; what is still free after two scans is
/// dealt out again without those who left it. Those that have to be read first count as free: of a dead worker's leases
/// everybody reads those that it would take, and not all of them.
pub fn plan_takes(input: &TakeInput<'_>, rng: &mut impl Rng) -> TakePlan {
    let mut counts: BTreeMap<&WorkerId, usize> = BTreeMap::from([(input.me, input.held.len())]);
    let mut available = Vec::new();
    for &(lease, standing, age) in input.leases {
        match lease.actual_owner() {
            _ if input.held.contains(&lease.key) => {}
            // Leftovers under this worker's own name count for it, too: it takes them once they have expired.
            Some(owner) if standing == Standing::Live => *counts.entry(owner).or_default() += 1,
            _ => available.push((lease, standing, age)),
        }
    }
    let total = input.leases.len().max(input.held.len());
    let fair = total.div_ceil(counts.len());
    let target = fair.min(input.max_leases);
    let mine = input.held.len();
    let others = counts.keys().filter(|owner| **owner != input.me).map(|owner| (*owner).clone()).collect();
    let spillover = fair - target;
    let mut plan = TakePlan { target, held: mine, others, available: available.len(), spillover, ..TakePlan::default() };
    available.retain(|(lease, ..)| !input.avoid.contains(&lease.key));
    let very_old: Vec<&Lease> =
        available.iter().filter(|(.., age)| *age > input.failover * VERY_OLD).map(|(lease, ..)| *lease).collect();
    let left_over: Vec<&Lease> =
        available.iter().filter(|row| input.is_settled && is_left_over(row, input.failover)).map(|(lease, ..)| *lease).collect();
    let due: BTreeSet<&LeaseKey> =
        available.iter().filter(|(_, standing, _)| *standing == Standing::Due).map(|(lease, ..)| &lease.key).collect();
    let is_empty = available.is_empty();
    let chosen = if very_old.is_empty() {
        let shared = Counts { me: input.me, of: counts.clone(), leases: total, max_leases: input.max_leases };
        let again = share_left_over(&shared, left_over, rng);
        let mut chosen = share(&shared, available.into_iter().map(|(lease, ..)| lease).collect(), rng);
        let keys: BTreeSet<&LeaseKey> = chosen.iter().map(|lease| &lease.key).collect();
        chosen.extend(again.into_iter().filter(|lease| !keys.contains(&lease.key)));
        chosen.truncate(input.max_leases.saturating_sub(mine));
        chosen
    } else {
        choose(very_old, input.max_leases.saturating_sub(mine), rng)
    };
    if is_empty {
        steal(input, &mut counts, target, &mut plan, rng);
    }
    plan.reads = chosen.iter().filter(|lease| due.contains(&lease.key)).map(|lease| lease.key.clone()).collect();
    if plan.reads.is_empty() {
        plan.takes.extend(chosen.into_iter().map(|lease| planned(lease, input.me, false, rng)));
    }
    plan
}

/// After how many failover times without a renewal a lease is taken above the fair share (`DynamoDBLeaseTaker.java`:
/// `veryOldLeaseDurationNanosMultiplier`).
const VERY_OLD: u32 = 3;

/// Whether a lease has been free for two scans, which are a third of the failover time apart while leases are free.
fn is_left_over(&(_, standing, age): &(&Lease, Standing, Duration), failover: Duration) -> bool {
    let free_for = if standing == Standing::Unowned { age } else { age.saturating_sub(failover) };
    free_for > failover * 2 / 3
}

fn planned(lease: &Lease, me: &WorkerId, from_live: bool, rng: &mut impl Rng) -> PlannedTake {
    PlannedTake { write: LeaseWrite::take(lease, me, TenureToken::new(rng.random())), from_live }
}

fn choose<'a>(mut leases: Vec<&'a Lease>, most: usize, rng: &mut impl Rng) -> Vec<&'a Lease> {
    leases.shuffle(rng);
    leases.truncate(most);
    leases
}

/// Takes from whoever has most, while that is at least two more than this worker has: two more leases, and two more whose
/// shards are not finished. The others count, as they do for KCL, but nobody gains by moving them: they stay until they are
/// deleted.
fn steal<'a>(
    input: &TakeInput<'a>,
    counts: &mut BTreeMap<&'a WorkerId, usize>,
    target: usize,
    plan: &mut TakePlan,
    rng: &mut impl Rng,
) {
    let mut unfinished = counts.clone();
    let mut victims: BTreeMap<&WorkerId, Vec<&Lease>> = BTreeMap::new();
    for &(lease, standing, _) in input.leases {
        let is_held = input.held.contains(&lease.key);
        let owner = if is_held { Some(input.me) } else { lease.actual_owner().filter(|_| standing == Standing::Live) };
        let Some(owner) = owner else { continue };
        if lease.checkpoint.is_shard_end() {
            unfinished.entry(owner).and_modify(|count| *count = count.saturating_sub(1));
        } else if owner != input.me && !input.avoid.contains(&lease.key) {
            victims.entry(owner).or_default().push(lease);
        }
    }
    for leases in victims.values_mut() {
        leases.shuffle(rng);
    }
    while plan.stolen < input.leases_to_acquire {
        let of = |counts: &BTreeMap<&WorkerId, usize>, owner: &WorkerId| counts.get(owner).copied().unwrap_or(0);
        let (mine, my_unfinished) = (of(counts, input.me), of(&unfinished, input.me));
        let others = counts.iter().filter(|(owner, _)| **owner != input.me);
        let excess = |(owner, count): (&&'a WorkerId, &usize)| {
            (count.saturating_sub(mine).min(of(&unfinished, owner).saturating_sub(my_unfinished)), *owner)
        };
        let Some((more, richest)) = others.map(excess).max() else { return };
        if mine >= target || more < 2 {
            return;
        }
        let Some(lease) = victims.get_mut(richest).and_then(Vec::pop) else { return };
        plan.takes.push(planned(lease, input.me, true, rng));
        plan.stolen += 1;
        for counts in [&mut *counts, &mut unfinished] {
            counts.entry(richest).and_modify(|count| *count -= 1);
            *counts.entry(input.me).or_default() += 1;
        }
    }
}

#[cfg(test)]
mod tests;
