use std::collections::BTreeMap;

use rand::Rng;
use rand::seq::SliceRandom;

use super::{Settled, TakeInput, TakePlan, planned};
use crate::{Lease, LeaseCount, Standing, WorkerId, gives_away};

/// How many leases a worker asks for at the same time: their rows are read until they are transferred.
const MOST_REQUESTS: usize = 32;

/// Moves leases from whoever has most, while that is at least two more than this worker has: two more leases, and two more
/// whose shards are not finished. The others count, as they do for KCL, but nobody gains by moving them: they stay until they
/// are deleted.
///
/// Owners that hand their leases off are asked; from others, such as Java workers, leases are taken, a few in a round. Nothing
/// above the share rounded down is moved while another worker has less than that, or the lease would soon move again; unless
/// that worker seems not to want more. A lease that somebody has asked for counts as that worker's.
pub(super) fn plan_moves<'a>(
    input: &TakeInput<'a>,
    mut counts: BTreeMap<&'a WorkerId, LeaseCount>,
    room: usize,
    plan: &mut TakePlan,
    rng: &mut impl Rng,
) {
    let Movable { mut by_owner, mut asked_for } = Movable::among(input);
    for leases in by_owner.values_mut() {
        leases.shuffle(rng);
    }
    let floor = input.leases.len() / counts.len().max(1);
    let (unfinished, workers): (usize, usize) = (counts.values().map(|count| count.unfinished).sum(), counts.len());
    let share = unfinished.div_ceil(workers);
    while plan.requests.len() + plan.stolen < room {
        let mine = counts.get(input.me).copied().unwrap_or_default();
        let others = counts.iter().filter(|(worker, _)| **worker != input.me);
        let gives = |count: LeaseCount| gives_away(count, mine, unfinished, workers, input.settled);
        let richest = others.filter(|(_, count)| gives(**count)).max_by_key(|(_, count)| (count.excess_over(mine), count.all));
        let Some((&richest, _)) = richest else { return };
        let somebody_lacks = || input.settled < Settled::AllLeases && counts.values().any(|count| count.all < floor);
        if (mine.all >= plan.target && mine.unfinished >= share) || (mine.all >= floor && somebody_lacks()) {
            return;
        }
        let Some(lease) = by_owner.get_mut(richest).and_then(Vec::pop) else { return };
        if input.hand_off && lease.can_be_asked_for() {
            if asked_for >= MOST_REQUESTS {
                return;
            }
            asked_for += 1;
            plan.requests.push(lease.clone());
        } else {
            if plan.stolen >= input.leases_to_acquire {
                return;
            }
            plan.stolen += 1;
            plan.takes.push(planned(input, lease, true, rng));
        }
        counts.entry(richest).or_default().remove(lease);
        counts.entry(input.me).or_default().add(lease);
    }
}

/// What may be moved, by owner.
#[derive(Default)]
struct Movable<'a> {
    by_owner: BTreeMap<&'a WorkerId, Vec<&'a Lease>>,
    /// How many leases this worker has asked for.
    asked_for: usize,
}

impl<'a> Movable<'a> {
    fn among(input: &TakeInput<'a>) -> Self {
        let mut movable = Self::default();
        let others =
            input.leases.iter().filter(|(lease, standing, _)| *standing == Standing::Live && !input.held.contains(&lease.key));
        for (lease, heir) in others.filter_map(|(lease, ..)| Some((*lease, lease.heir()?))) {
            movable.asked_for += usize::from(heir == input.me);
            // One that somebody asks for is on its way.
            let stays = lease.checkpoint.is_shard_end() || lease.actual_owner() != Some(heir) || input.avoid.contains(&lease.key);
            if heir != input.me && !stays {
                movable.by_owner.entry(heir).or_default().push(lease);
            }
        }
        movable
    }
}
