use std::collections::BTreeMap;

use rand::Rng;
use rand::seq::SliceRandom;

use super::{TakeInput, TakePlan, planned};
use crate::{Lease, Standing, WorkerId};

/// How many leases a worker asks for at the same time: their rows are read until they are transferred.
const MOST_REQUESTS: usize = 32;

/// Moves leases from whoever has most, while that is at least two more than this worker has. Owners that hand their leases
/// off are asked; from others, such as Java workers, leases are taken, a few in a round. Nothing above the share rounded down
/// is moved while another worker has less than that, or the lease would soon move again; unless that worker seems not to want
/// more. `counts` counts a lease that somebody has asked for as that worker's.
pub(super) fn plan_moves<'a>(
    input: &TakeInput<'a>,
    mut counts: BTreeMap<&'a WorkerId, usize>,
    plan: &mut TakePlan,
    rng: &mut impl Rng,
) {
    let mut movable: BTreeMap<&WorkerId, Vec<&Lease>> = BTreeMap::new();
    let mut asked_for = 0;
    for &(lease, standing, _) in input.leases {
        let others = standing == Standing::Live && !input.held.contains(&lease.key);
        let Some(heir) = lease.heir().filter(|_| others) else { continue };
        asked_for += usize::from(heir == input.me);
        // One that somebody asks for is on its way.
        if heir != input.me && lease.actual_owner() == Some(heir) && !input.avoid.contains(&lease.key) {
            movable.entry(heir).or_default().push(lease);
        }
    }
    for leases in movable.values_mut() {
        leases.shuffle(rng);
        // From the end: those that can be asked for first.
        leases.sort_by_key(|lease| input.hand_off && lease.can_be_asked_for());
    }
    let floor = input.leases.len() / counts.len().max(1);
    loop {
        let mine = counts.get(input.me).copied().unwrap_or(0);
        let others = counts.iter().filter(|(worker, _)| **worker != input.me);
        let Some((&richest, &most)) = others.max_by_key(|(_, count)| **count) else { return };
        let somebody_lacks = || !input.is_settled && counts.values().any(|count| *count < floor);
        if mine >= plan.target || most < mine + 2 || (mine >= floor && somebody_lacks()) {
            return;
        }
        let Some(lease) = movable.get_mut(richest).and_then(Vec::pop) else { return };
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
        counts.insert(richest, most - 1);
        counts.insert(input.me, mine + 1);
    }
}
