use std::cell::LazyCell;
use std::sync::Arc;

use futures_util::FutureExt;
use kcl_core::{ChildShard, Gate, LeaseKey, Lineage, Mono, ShardId};
use tokio::sync::oneshot;

use super::Coordinator;
use super::tenures::{Driver, Tenure};
use crate::command::Tenancy;
use crate::consumer::{self, ConsumerStart};
use crate::env::TaskClass;
use crate::status::LeaseState;

impl Coordinator {
    /// Starts the drivers of all held leases whose shards' parents are finished.
    pub(super) fn start_drivers(&mut self, now: Mono) {
        self.gates_due = false;
        let waiting = |tenure: &Tenure| matches!(tenure.driver, Driver::Waiting) && !tenure.is_dead();
        if self.is_shutting_down() || !self.tenures.values().any(waiting) {
            return;
        }
        let leases = self.known_leases(now);
        let rows = || leases.iter().map(|lease| &**lease);
        let blind = LazyCell::new(|| Lineage::new(rows(), None));
        let newest = self.listings.newest();
        let sighted = LazyCell::new(|| Lineage::new(rows(), newest.map(|(_, shards)| shards)));
        let mut ready = Vec::new();
        let mut listing_is_due = false;
        for (key, tenure) in &self.tenures {
            if !waiting(tenure) {
                continue;
            }
            // Only what was listed after the lease was seen can tell about its parents.
            let lineage = if newest.is_some_and(|(at, _)| at >= tenure.since) { &*sighted } else { &*blind };
            match lineage.gate(&tenure.cell.lease(), |parent| self.listings.is_gone(parent, tenure.since)) {
                Gate::Open => ready.push(key.clone()),
                Gate::WaitFor(parents) => tracing::debug!(shard = %key, ?parents, "waiting for the shard's parents"),
                Gate::NeedListing(parents) => {
                    tracing::debug!(shard = %key, ?parents, "waiting for the shard's parents, which have no leases");
                    listing_is_due |= self.listings.is_next_due(now, tenure.since);
                }
            }
        }
        if listing_is_due {
            self.request_listing(now);
        }
        ready.iter().for_each(|key| self.start_driver(key));
    }

    /// Whether the child of a merge must not have its row yet, because another parent has none.
    pub(super) fn lacks_a_parent(&mut self, tenancy: &Tenancy, children: &[ChildShard]) -> bool {
        let Some(since) = self.tenures.get(&tenancy.key).map(|tenure| tenure.since) else { return false };
        let now = self.now();
        let lacking = {
            let leases = self.known_leases(now);
            let lineage = Lineage::new(leases.iter().map(|lease| &**lease), None);
            let is_lacking = |parent: &&ShardId| !self.listings.is_gone(parent, since);
            children.iter().find_map(|child| lineage.rowless_parents(child).find(is_lacking))
        };
        if let Some(parent) = lacking {
            tracing::debug!(shard = %tenancy.key, %parent, "the other parent of the shard's child has no lease yet");
            if self.listings.is_next_due(now, since) {
                self.request_listing(now);
            }
        }
        lacking.is_some()
    }

    pub(super) fn start_driver(&mut self, key: &LeaseKey) {
        let Some(tenure) = self.tenures.get_mut(key) else { return };
        let start = ConsumerStart {
            parts: Arc::clone(&self.parts),
            tenancy: Tenancy { key: key.clone(), hold: tenure.id },
            lease: tenure.cell.lease(),
            cell: Arc::clone(&tenure.cell),
            commands: self.commands.clone(),
            leave: tenure.leave.clone(),
        };
        let (ended, end) = oneshot::channel();
        let task = self.parts.env.spawn(TaskClass::Work, key.as_str(), consumer::run(start, ended).boxed());
        tenure.driver = Driver::Running(task.aborter());
        let hold = tenure.id;
        self.watch_driver(key.clone(), hold, task, end);
        self.parts.status.set_state(key, LeaseState::Processing);
    }
}
