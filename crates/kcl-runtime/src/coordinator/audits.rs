use kcl_core::{Hole, Incarnation, Lease, LeaseWrite, Measurement, Mono, Stranger, audit, incarnation};

use super::Coordinator;
use crate::error::ConsumerError;

/// The group of measurements that the Java library's audit uses.
const OPERATION: &str = "PeriodicShardSyncManager";

impl Coordinator {
    /// The leader's look at the whole table, once for each listing of its periodic shard sync. What that sync repairs is gone
    /// at the next look; what stays is named.
    pub(super) fn audit(&mut self, now: Mono) {
        // What was seen long ago tells nothing: this worker may be cut off.
        let is_fresh = self.scanned && now.since(self.last_scan) <= self.parts.timing.quiet * 2;
        if !std::mem::take(&mut self.audit_due) || !is_fresh || !self.leads() {
            return;
        }
        let Some((_, shards)) = self.listings.newest() else { return };
        let leases = self.known_leases(now);
        let rows: Vec<&Lease> = leases.iter().map(|lease| &**lease).collect();
        let found = audit(&rows, shards);
        let believed = self.holes.saw(found.hole.as_ref());
        if let (Some(hole), Some(times)) = (&found.hole, believed) {
            self.name_hole(hole, times);
        }
        self.fill_in(now, found.fill);
    }

    fn name_hole(&self, hole: &Hole, times: u32) {
        let Hole { hashes, without_lease, finished } = hole;
        self.measure(Measurement::count(OPERATION, "NumStreamsWithPartialLeases", 1.0).of_worker(&self.parts.me));
        if finished.is_empty() {
            tracing::error!(
                %hashes, ?without_lease, times,
                "no lease covers these hashes although the shards are synced again and again: their records are not read; \
                 look for leases that are not readable, or that are about an earlier stream of this name"
            );
        } else {
            tracing::error!(
                %hashes, ?without_lease, ?finished, times,
                "leases say that shards are finished which are open: their records are not read; remove these leases if the \
                 stream was created again, or else correct their checkpoints"
            );
        }
    }

    /// Rows that are held here are left to a later leader: another write of them may be under way (protocol rule P3).
    fn fill_in(&mut self, now: Mono, writes: Vec<LeaseWrite>) {
        let missing: Vec<LeaseWrite> = writes.into_iter().filter(|write| !self.tenures.contains_key(write.key())).collect();
        if !missing.is_empty() {
            tracing::info!(worker = %self.parts.me, leases = missing.len(), "filling in the hash ranges of leases");
            self.creations.add(now, missing);
            self.send_creations(now);
        }
    }

    /// Compares the rows with the listing. If none can be about this stream, nothing of it can be read rightly.
    pub(super) fn check_incarnation(&mut self, now: Mono) {
        let Some((_, shards)) = self.listings.newest().filter(|_| self.scanned) else { return };
        let found = incarnation(self.known_leases(now).iter().map(|lease| &**lease), shards);
        match found {
            Incarnation::This => {}
            Incarnation::Mixed(strangers) => self.name_strangers(&strangers),
            Incarnation::Another(strangers) => {
                self.name_strangers(&strangers);
                if !self.is_shutting_down() {
                    self.fail(ConsumerError::AnotherStream { strangers });
                }
            }
        }
    }

    fn name_strangers(&self, strangers: &[Stranger]) {
        #[allow(clippy::cast_precision_loss, reason = "a count of leases")]
        let count = strangers.len() as f64;
        self.measure(Measurement::count(OPERATION, "LeasesOfAnotherStream", count).of_worker(&self.parts.me));
        if let Some(first) = strangers.first() {
            tracing::error!(
                leases = strangers.len(), %first,
                "leases are not about the shards of these ids that the stream has now: nothing behind their checkpoints can be \
                 read; remove a lease to read its shard from the start position"
            );
        }
    }
}
