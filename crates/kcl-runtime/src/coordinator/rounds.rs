use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use kcl_core::{
    CleanupPlan, ErrorKind, HeldInput, Lease, LeaseKey, LeaseScan, LeaseWrite, Lineage, Measurement, Mono, ReadError, RowChange,
    Shard, ShardFilter, StoreError, UnreadableRow, check_listing, elect_leader, error_chain, in_own_order, plan_cleanup,
    plan_shard_sync, rows_to_check,
};

use super::Coordinator;
use super::health::patience;
use super::tenures::{Driver, Tenure};
use crate::command::Command;
use crate::env::TaskClass;
use crate::error::ConsumerError;
use crate::race::within;

/// After how long without a read or a returned callback a shard is named.
const STALLED: Duration = Duration::from_secs(60);

/// The rows that a shard sync reads before it creates rows of closed shards.
#[derive(Debug, Default)]
pub(super) struct SyncReads {
    under_way: BTreeSet<LeaseKey>,
    done: BTreeSet<LeaseKey>,
}

impl Coordinator {
    /// Scans the table after this pause, if it would not be scanned sooner.
    pub(super) fn scan_within(&mut self, now: Mono, pause: Duration) {
        self.next_scan = self.next_scan.min((now + pause).max(self.no_scan_before));
    }

    pub(super) fn scanned(&mut self, result: Result<LeaseScan, StoreError>) {
        let now = self.now();
        self.scanning = false;
        self.next_scan = now + self.jittered(self.parts.timing.scan);
        let scan = match result {
            Ok(scan) => scan,
            Err(error) => {
                self.no_scan_before = now + self.parts.timing.scan_after_failure;
                self.next_scan = self.no_scan_before;
                return self.store_failed("scan", error.into());
            }
        };
        self.last_scan = now;
        self.store_answered("scan");
        self.name_unreadable(scan.unreadable);
        self.observer.see_scan(now, scan.leases);
        self.measure_leases();
        self.name_stalled(now);
        if !std::mem::replace(&mut self.scanned, true) {
            self.check_incarnation(now);
        }
        self.takes.pacing.scanned();
        self.creations.table_was_read();
        // Rows that were read before say nothing beside newer ones.
        if self.sync_reads.under_way.is_empty() {
            self.sync_reads = SyncReads::default();
        }
        self.sync_shards(now);
        self.round_due = true;
        self.gates_due = true;
    }

    /// Names the rows that are not readable, ever more rarely; one that belongs to a shard means that nobody reads it.
    fn name_unreadable(&mut self, rows: Vec<UnreadableRow>) {
        let mut known = std::mem::take(&mut self.unreadable);
        for row in rows {
            let times = known.remove(&row.key).unwrap_or(0_u32).saturating_add(1);
            let shards = self.listings.newest().map(|(_, shards)| shards).unwrap_or_default();
            let of_shard = shards.iter().any(|shard| *shard.id == *row.key);
            if of_shard {
                self.measure(Measurement::count("TakeLeases", "UnreadableLeases", 1.0).of_worker(&self.parts.me));
            }
            if times.is_power_of_two() && of_shard {
                tracing::error!(
                    row = row.key,
                    reason = row.reason,
                    "a shard's lease is not readable: nobody reads this shard until its row is repaired or removed"
                );
            } else if times == 1 {
                tracing::warn!(
                    row = row.key,
                    reason = row.reason,
                    "a row of the lease table is not readable and is skipped; repair or remove it"
                );
            }
            self.unreadable.insert(row.key, times);
        }
    }

    /// A shard that makes no progress is never silent: it is measured, and named ever more rarely while that lasts. A lease
    /// that nobody works on although its shard is not finished is given up.
    fn name_stalled(&mut self, now: Mono) {
        let stalled = self.parts.status.stalled(now, STALLED);
        self.stalls.retain(|key, _| stalled.iter().any(|(stalled, _)| stalled == key));
        for (key, since) in stalled {
            let times = self.stalls.entry(key.clone()).or_default();
            *times = times.saturating_add(1);
            if times.is_power_of_two() {
                tracing::warn!(shard = %key, ?since, "the shard makes no progress: its reads fail, or its processor does not return");
            }
            self.measure(Measurement::time("ProcessTask", "StalledFor", since).of_shard(&key.shard_id()));
        }
        let idle = |tenure: &Tenure| matches!(tenure.driver, Driver::Finished) && !tenure.cell.end_is_durable();
        let orphans: Vec<LeaseKey> = self.tenures.iter().filter(|(_, tenure)| idle(tenure)).map(|(key, _)| key.clone()).collect();
        orphans.iter().for_each(|key| self.input(key, HeldInput::ReleaseRequested));
    }

    fn measure_leases(&self) {
        #[allow(clippy::cast_precision_loss, reason = "a count of leases")]
        let held = self.tenures.len() as f64;
        self.measure(Measurement::count("RenewAllLeases", "CurrentLeases", held).of_worker(&self.parts.me));
    }

    /// Whether this worker does what only one worker needs to do.
    pub(super) fn leads(&self) -> bool {
        let owners = self.observer.leases(self.now()).filter_map(|(lease, ..)| lease.owner.as_ref());
        elect_leader(owners).is_none_or(|leader| leader == self.parts.me)
    }

    pub(super) fn row_was_read(
        &mut self,
        key: &LeaseKey,
        unknown_take: Option<(LeaseWrite, Mono)>,
        result: Result<Option<Lease>, StoreError>,
    ) {
        let now = self.now();
        self.rows_read = self.rows_read.saturating_sub(1);
        self.row_reads.answered(now, result.is_err());
        if unknown_take.is_some() {
            // Whatever the read says. If it failed the row expires under this worker's name, and is taken again then.
            self.takes.under_way.remove(key);
            self.send_takes(now);
        }
        let row = match result {
            Ok(row) => row,
            Err(error) => {
                self.sync_row_was_read(now, key, false);
                // The rest would fare no better; it is named again in a while.
                for key in std::mem::take(&mut self.rows_to_read) {
                    self.sync_row_was_read(now, &key, false);
                }
                return self.store_failed("get", error.into());
            }
        };
        self.read_rows([]);
        self.store_answered("get");
        self.observer.see_row(now, key, row.clone());
        self.sync_row_was_read(now, key, true);
        match (unknown_take, row) {
            (Some((write, sent_at)), Some(row)) if write.explains(Some(&row)) => {
                self.round_due = true;
                self.gain(row, sent_at);
            }
            (_, row) => self.round_due |= !self.requested_row_was_read(now, key, row.as_ref()),
        }
    }

    /// Asks for a listing of all shards, unless one is on its way.
    pub(super) fn request_listing(&mut self, now: Mono) {
        let recent = self.listing_since.is_some_and(|since| now.since(since) < self.parts.timing.renew);
        if recent {
            return;
        }
        self.listing_since = Some(now);
        let (parts, commands) = (Arc::clone(&self.parts), self.commands.clone());
        let list = async move {
            let limit = parts.config.start_timeout;
            let answer = within(&*parts.env, limit, parts.stream.list_shards(ShardFilter::All)).await;
            let late = || ReadError::new(ErrorKind::Unavailable, "listing the shards", parts.config.stream.as_str());
            let result = answer.unwrap_or_else(|| Err(late().with_hint("no answer in time")));
            // A coordinator that is gone needs no listing.
            let _ = commands.send(Command::Listed(now, result)).await;
        };
        // On the work runtime: reading shares its connections, coordination does not wait for them.
        drop(self.parts.env.spawn(TaskClass::Work, "list shards", list.boxed()));
    }

    pub(super) fn listed(&mut self, asked_at: Mono, result: Result<Vec<Shard>, ReadError>) {
        let now = self.now();
        match result.map(|shards| (check_listing(&shards), shards)) {
            Ok((Ok(()), shards)) => {
                self.stream_refused_since = None;
                self.listings.see(asked_at, shards);
                self.check_incarnation(now);
                self.audit(now);
                self.sync_shards(now);
                self.gates_due = true;
            }
            Ok((Err(error), _)) => {
                tracing::warn!(error = %error, "a listing of the shards is not complete and is not used");
                self.next_sync = self.next_sync.min(now + self.parts.timing.failover);
            }
            Err(error) => {
                tracing::warn!(error = %error_chain(&error), "listing the shards failed");
                self.next_sync = self.next_sync.min(now + self.parts.timing.failover);
                let since = *self.stream_refused_since.get_or_insert(now);
                if error.is_retryable() {
                    self.stream_refused_since = None;
                } else if now.since(since) > patience(self.parts.timing.failover) {
                    self.fail(ConsumerError::Stream(Arc::new(error)));
                }
            }
        }
    }

    /// Creates the leases that the last listing calls for, if this worker is to do it.
    pub(super) fn sync_shards(&mut self, now: Mono) {
        if !self.sync_wanted || !self.scanned || !self.sync_reads.under_way.is_empty() || !self.leads() {
            return;
        }
        let Some((asked_at, shards)) = self.listings.newest() else { return };
        // Every row is kept for the clean-up interval after its shard has ended: what a younger listing shows as open still
        // has its row, if it ever had one. An older one may show shards that were finished and cleaned up since.
        if now.since(asked_at) > self.parts.config.lease_cleanup_interval / 2 {
            return self.request_listing(now);
        }
        let leases = self.known_leases(now);
        let leases: Vec<&Lease> = leases.iter().map(|lease| &**lease).collect();
        let start = self.parts.config.management.start_strategy;
        let writes = plan_shard_sync(shards, &leases, start, self.parts.env.wall());
        let unread: BTreeSet<LeaseKey> =
            rows_to_check(shards, &writes).into_iter().filter(|key| !self.sync_reads.done.contains(key)).collect();
        if !unread.is_empty() {
            self.sync_reads.under_way.clone_from(&unread);
            return self.read_rows(unread);
        }
        self.sync_wanted = false;
        self.sync_reads = SyncReads::default();
        if !writes.is_empty() {
            tracing::info!(worker = %self.parts.me, shards = shards.len(), leases = writes.len(), "creating leases for shards");
        }
        self.creations.add(now, in_own_order(writes, &mut self.rng));
        self.send_creations(now);
    }

    /// A row that the shard sync waits for was read, or could not be.
    fn sync_row_was_read(&mut self, now: Mono, key: &LeaseKey, read: bool) {
        if !self.sync_reads.under_way.remove(key) {
            return;
        }
        if read {
            self.sync_reads.done.insert(key.clone());
        }
        // Rows that could not be read are asked for again after the next scan.
        if self.sync_reads.under_way.is_empty() && read {
            self.sync_shards(now);
        }
    }

    /// Deletes the rows of finished shards that nobody needs any more, once they have been finished for the clean-up
    /// interval: a creation of such a row that is still on its way must find it (protocol rule P2).
    pub(super) fn clean_up(&mut self, now: Mono) {
        let interval = self.parts.config.lease_cleanup_interval;
        let finished: BTreeMap<LeaseKey, (Lease, Mono)> = self
            .tenures
            .iter()
            .filter(|(_, tenure)| matches!(tenure.driver, Driver::Finished))
            .filter_map(|(key, tenure)| Some((key.clone(), (tenure.cell.lease(), tenure.ended_at?))))
            .filter(|(_, (lease, ended_at))| now.since(*ended_at) >= interval && lease.checkpoint.is_shard_end())
            .collect();
        if finished.is_empty() {
            return;
        }
        let leases = self.known_leases(now);
        let fresh = self.listings.newest().filter(|(at, _)| now.since(*at) < interval);
        let lineage = Lineage::new(leases.iter().map(|lease| &**lease), fresh.map(|(_, shards)| shards));
        let ended_at = |lease: &Lease| finished.get(&lease.key).map(|(_, ended_at)| *ended_at);
        let is_gone = |lease: &Lease| ended_at(lease).is_some_and(|at| self.listings.is_gone(&lease.key.shard_id(), at));
        let CleanupPlan { delete, unclear } = plan_cleanup(finished.values().map(|(lease, _)| lease), &lineage, is_gone);
        let is_due = |lease: &&Lease| ended_at(lease).is_some_and(|at| self.listings.is_next_due(now, at));
        if unclear.iter().any(is_due) {
            self.request_listing(now);
        }
        for Lease { key, .. } in delete {
            tracing::info!(worker = %self.parts.me, lease = %key, "deleting the lease of a finished shard");
            self.change(key, RowChange::Delete);
        }
    }
}
