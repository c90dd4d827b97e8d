use std::collections::BTreeSet;
use std::rc::Rc;

use kcl_core::{
    Change, Checkpoint, Gate, Lease, LeaseKey, Lineage, Shard, ShardId, Wall, check_listing, plan_cleanup, plan_shard_sync,
};

use super::{LineageModel, Plan, State};
use crate::spec::lineage::stream::{SHARDS, bit, children, closed, existing, id, listing, members, number, parents, subsets};
use crate::spec::lineage::world::{Mutant, Row};

/// What the shipped decisions say, each asked once for what it depends on.
impl LineageModel {
    /// The rows as leases, with or without the names of their children.
    fn leases(rows: &[Row; SHARDS], names_children: bool) -> Vec<Lease> {
        let lease = |(shard, row): (usize, &Row)| {
            let mut lease = Lease::new(LeaseKey::of_shard(&id(shard)), row.checkpoint()?);
            lease.parents = parents(shard).iter().copied().map(id).collect();
            lease.children = children(shard).filter(|_| names_children && *row == Row::Ended).map(id).collect();
            Some(lease)
        };
        rows.iter().enumerate().filter_map(lease).collect()
    }

    /// The rows as the syncs of a mutant see them.
    fn rows_for_sync(&self, rows: &[Row; SHARDS]) -> [Row; SHARDS] {
        rows.map(|row| match (self.mutant, row) {
            (Some(Mutant::OnlyEndedRows), Row::Begun) => Row::Oldest,
            (Some(Mutant::AnyDescendantRow), row) if row.is_initial() => Row::Begun,
            _ => row,
        })
    }

    /// The rows as the gate of a mutant sees them.
    fn rows_for_gate(&self, rows: &[Row; SHARDS], child: usize) -> [Row; SHARDS] {
        let mut seen = *rows;
        match self.mutant {
            Some(Mutant::AbsentParentEnded) => {
                for &parent in parents(child) {
                    if seen[parent] == Row::Absent {
                        seen[parent] = Row::Ended;
                    }
                }
            }
            Some(Mutant::AnyDescendantRow) => {
                seen = seen.map(|row| if row.is_initial() { Row::Begun } else { row });
            }
            _ => {}
        }
        seen
    }

    /// Every listing that a worker may get and use.
    fn listings(&self, state: &State) -> Vec<Vec<Shard>> {
        let mut listings = Vec::new();
        let first = if self.world.bad_listings { 0 } else { state.reshards };
        for reshards in first..=state.reshards {
            let shown_open = existing(reshards) & !closed(reshards);
            let deleted = members(state.ended & shown_open).any(|shard| state.rows[shard] == Row::Absent);
            if deleted && !self.world.endless_delays {
                continue;
            }
            let shown = existing(reshards) & !state.trimmed;
            let may_miss = if self.world.bad_listings { closed(reshards) & shown } else { 0 };
            for missing in subsets(may_miss) {
                let shards = listing(reshards, shown & !missing);
                if check_listing(&shards).is_ok() {
                    listings.push(shards);
                }
            }
        }
        listings
    }

    /// Every plan that a sync may come to now.
    pub(super) fn plans(&self, state: &State) -> Rc<Vec<Plan>> {
        self.plans.get(&(state.rows, state.reshards, state.trimmed, state.ended), || {
            let leases = Self::leases(&self.rows_for_sync(&state.rows), false);
            let leases: Vec<&Lease> = leases.iter().collect();
            let plan = |shards: Vec<Shard>| {
                let mut plan = Plan::default();
                for write in plan_shard_sync(&shards, &leases, self.world.start, Wall::default()) {
                    let (Change::Put(lease), Some(shard)) = (write.change(), number(write.key())) else { continue };
                    match lease.checkpoint {
                        Checkpoint::Latest => plan.latest |= bit(shard),
                        _ => plan.oldest |= bit(shard),
                    }
                }
                plan
            };
            let plans: BTreeSet<Plan> = self.listings(state).into_iter().map(plan).collect();
            Rc::new(plans.into_iter().filter(|plan| plan.all() != 0).collect())
        })
    }

    fn complete_listing(state: &State) -> Vec<Shard> {
        listing(state.reshards, existing(state.reshards) & !state.trimmed)
    }

    pub(super) fn may_start(&self, state: &State, shard: usize) -> bool {
        let Some(checkpoint) = state.rows[shard].checkpoint() else { return false };
        self.gates.get(&(state.rows, state.reshards, state.trimmed, shard), || {
            let mut lease = Lease::new(LeaseKey::of_shard(&id(shard)), checkpoint);
            lease.parents = parents(shard).iter().copied().map(id).collect();
            let leases = Self::leases(&self.rows_for_gate(&state.rows, shard), false);
            let complete = Self::complete_listing(state);
            let gate = |listing: Option<&[Shard]>| {
                let is_gone = |parent: &ShardId| listing.is_some() && is_forgotten(state, parent);
                Lineage::new(&leases, listing).gate(&lease, is_gone) == Gate::Open
            };
            gate(None) || gate(Some(complete.as_slice()))
        })
    }

    /// Whether our clean-up deletes the row, whatever it knows.
    pub(super) fn may_delete(&self, state: &State, shard: usize) -> bool {
        self.deletions.get(&(state.rows, state.reshards, state.trimmed, shard), || {
            let complete = Self::complete_listing(state);
            [true, false].into_iter().any(|names_children| {
                let leases = Self::leases(&state.rows, names_children);
                [None, Some(complete.as_slice())].into_iter().any(|listing| {
                    let held = leases.iter().filter(|lease| number(&lease.key) == Some(shard));
                    let is_gone = |lease: &Lease| is_forgotten(state, &lease.key);
                    !plan_cleanup(held, &Lineage::new(&leases, listing), is_gone).delete.is_empty()
                })
            })
        })
    }

    /// `LeaseCleanupManager.java`: children there and none at its start, no parent's row; or the stream forgot the shard.
    pub(super) fn java_may_delete(&self, state: &State, shard: usize) -> bool {
        let followed = children(shard).all(|child| !matches!(state.rows[child], Row::Absent | Row::Oldest));
        let orphan = parents(shard).iter().all(|&parent| state.rows[parent] == Row::Absent);
        let forgotten = state.trimmed & bit(shard) != 0;
        self.world.java && ((followed && orphan) || forgotten)
    }
}

/// What is proven once listings that are far enough apart lack the shard.
fn is_forgotten(state: &State, shard: &str) -> bool {
    number(shard).is_some_and(|shard| state.trimmed & bit(shard) != 0)
}
