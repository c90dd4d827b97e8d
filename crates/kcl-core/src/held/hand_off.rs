use super::{HeldAction, HeldLease, RowChange};
use crate::{Lease, LeaseWrite, Mono};

/// What is known of a hand-off that was granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct HandOff {
    /// Until when the lease must be given up.
    pub(super) by: Mono,
    pub(super) drained: bool,
}

impl HeldLease {
    /// Tells of a request when it is first seen.
    pub(super) fn know(&mut self, row: Lease) {
        self.lease = row;
        if self.lease.requested_by != self.asked_by {
            self.asked_by.clone_from(&self.lease.requested_by);
            self.actions.extend(self.asked_by.clone().map(HeldAction::Asked));
        }
    }

    /// The write that ends the tenure: to whoever asks for the lease, if it is being handed off; otherwise to nobody.
    pub(super) fn parting_write(&self) -> LeaseWrite {
        let heir = self.lease.requested_by.as_ref().filter(|_| self.hand_off.is_some() && !self.abandoned);
        let transfer = heir.and_then(|heir| LeaseWrite::transfer(&self.lease, heir));
        transfer.unwrap_or_else(|| LeaseWrite::release(&self.lease))
    }

    /// Whether the lease is given up as soon as everything that was requested is written.
    pub(super) fn is_leaving(&self) -> bool {
        self.releasing || self.hand_off.is_some_and(|hand_off| hand_off.drained)
    }

    pub(super) fn advance_hand_off(&mut self, now: Mono) {
        let Some(hand_off) = self.hand_off else { return };
        if self.lease.checkpoint.is_shard_end() {
            self.hand_off = None;
            if let Some(worker) = self.lease.requested_by.clone() {
                self.queue.push(RowChange::Decline(worker), None, self.in_flight.is_some());
            }
        } else if !self.is_leaving() && now >= hand_off.by {
            (self.releasing, self.abandoned) = (true, true);
        }
    }
}
