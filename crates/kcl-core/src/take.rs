mod moves;
mod pacing;
mod reading;
mod share;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rand::seq::SliceRandom;
use rand::{Rng, RngExt};

use crate::{Change, Expectation, Field, Lease, LeaseCount, LeaseKey, LeaseWrite, Standing, TenureToken, WorkerId};
use moves::plan_moves;
pub use pacing::{NextRound, Settled, TakePacing};
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
    /// The most leases that are taken from live owners in one round. What is asked for does not count.
    pub leases_to_acquire: usize,
    /// Whether this worker asks owners for their leases, where they hand them off, and hands its own off when it is asked.
    pub hand_off: bool,
    /// For how long a lease must not have been renewed to be free.
    pub failover: Duration,
    /// Whether workers have come or gone: [`TakePacing::settled`].
    pub settled: Settled,
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
    /// A take of this lease by `me`, which then hands it off when it is asked, or does not.
    pub fn new(lease: &Lease, me: &WorkerId, token: TenureToken, hands_off: bool, from_live: bool) -> Self {
        Self { write: LeaseWrite::take(lease, me, token).with_hand_off(hands_off), from_live }
    }

    /// What to send after the take was rejected because the row is `current`: it was meant for this owner, who has gone on since
    /// the row was seen, and not to the end of the shard. Anything else is for another round to plan. It is a take of another
    /// version, with a token of its own.
    #[must_use]
    pub fn again(&self, current: &Lease, me: &WorkerId, token: TenureToken) -> Option<Self> {
        let Expectation::Version { owner: Some(expected), .. } = self.write.expectation() else { return None };
        let same = current.is_owned_by(expected) && expected != me;
        let finished = current.checkpoint.is_shard_end();
        (self.from_live && same && !finished).then(|| Self::new(current, me, token, self.hands_off(), true))
    }

    fn hands_off(&self) -> bool {
        matches!(self.write.change(), Change::Update(update) if matches!(update.hands_off, Field::Set(_)))
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
    /// The leases to ask their owners for.
    pub requests: Vec<Lease>,
    /// The fair share of this worker.
    pub target: usize,
    /// How many leases this worker holds, with those that it has asked for and without those that it is asked for.
    pub held: usize,
    /// Live owners of leases, and those that ask for some, besides this worker.
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
    let mut counts: BTreeMap<&WorkerId, LeaseCount> = BTreeMap::from([(input.me, LeaseCount::default())]);
    let mut available = Vec::new();
    let mut transferred = Vec::new();
    for &(lease, standing, age) in input.leases {
        match lease.heir() {
            heir if input.held.contains(&lease.key) => counts.entry(heir.unwrap_or(input.me)).or_default().add(lease),
            // Leftovers under this worker's own name count for it, too: it takes them once they have expired.
            Some(owner) if standing == Standing::Live => {
                counts.entry(owner).or_default().add(lease);
                if input.hand_off && lease.is_transferred_to(input.me) {
                    transferred.push(lease);
                }
            }
            _ => available.push((lease, standing, age)),
        }
    }
    let total = input.leases.len().max(input.held.len());
    let fair = total.div_ceil(counts.len());
    let target = fair.min(input.max_leases);
    let mine = counts.get(input.me).map_or(0, |count| count.all);
    // A lease that is handed off is held until it is transferred.
    let room = input.max_leases.saturating_sub(mine.max(input.held.len()));
    let others = counts.keys().filter(|owner| **owner != input.me).map(|owner| (*owner).clone()).collect();
    let spillover = fair - target;
    let mut plan = TakePlan { target, held: mine, others, available: available.len(), spillover, ..TakePlan::default() };
    available.retain(|(lease, ..)| !input.avoid.contains(&lease.key));
    let very_old: Vec<&Lease> =
        available.iter().filter(|(.., age)| *age > input.failover * VERY_OLD).map(|(lease, ..)| *lease).collect();
    let left_over: Vec<&Lease> = available
        .iter()
        .filter(|row| input.settled >= Settled::FreeLeases && is_left_over(row, input.failover))
        .map(|(lease, ..)| *lease)
        .collect();
    let due: BTreeSet<&LeaseKey> =
        available.iter().filter(|(_, standing, _)| *standing == Standing::Due).map(|(lease, ..)| &lease.key).collect();
    let is_empty = available.is_empty();
    let chosen = if very_old.is_empty() {
        let of = counts.iter().map(|(worker, count)| (*worker, count.all)).collect();
        let shared = Counts { me: input.me, of, leases: total, max_leases: input.max_leases };
        let again = share_left_over(&shared, left_over, rng);
        let mut chosen = share(&shared, available.into_iter().map(|(lease, ..)| lease).collect(), rng);
        let keys: BTreeSet<&LeaseKey> = chosen.iter().map(|lease| &lease.key).collect();
        chosen.extend(again.into_iter().filter(|lease| !keys.contains(&lease.key)));
        chosen.truncate(room);
        chosen
    } else {
        choose(very_old, room, rng)
    };
    if is_empty {
        plan_moves(input, counts, room, &mut plan, rng);
    }
    plan.reads = chosen.iter().filter(|lease| due.contains(&lease.key)).map(|lease| lease.key.clone()).collect();
    if plan.reads.is_empty() {
        plan.takes.extend(chosen.into_iter().map(|lease| planned(input, lease, false, rng)));
    }
    // They are this worker's already, and nobody else's.
    plan.takes.extend(transferred.into_iter().map(|lease| planned(input, lease, false, rng)));
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

fn planned(input: &TakeInput<'_>, lease: &Lease, from_live: bool, rng: &mut impl Rng) -> PlannedTake {
    PlannedTake::new(lease, input.me, TenureToken::new(rng.random()), input.hand_off, from_live)
}

fn choose<'a>(mut leases: Vec<&'a Lease>, most: usize, rng: &mut impl Rng) -> Vec<&'a Lease> {
    leases.shuffle(rng);
    leases.truncate(most);
    leases
}

#[cfg(test)]
mod tests;
