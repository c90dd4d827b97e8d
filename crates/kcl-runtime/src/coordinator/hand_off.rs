//! Moves between workers of this library: who asks for a lease, and who hands it off.

use kcl_core::{
    ErrorKind, HeldInput, Lease, LeaseCount, LeaseKey, LeaseWrite, Measurement, Mono, PlannedTake, RequestStep, RowChange,
    StoreError, TenureToken, WorkerId, WriteOutcome, gives_away_to,
};
use rand::RngExt;

use super::Coordinator;
use super::tenures::Driver;

impl Coordinator {
    pub(super) fn hands_off(&self) -> bool {
        !self.parts.config.hand_off_timeout.is_zero()
    }

    /// Another worker asks for a lease that this one holds: it is handed off, or the request is declined.
    pub(super) fn asked(&mut self, key: &LeaseKey, by: WorkerId) {
        let Some(tenure) = self.tenures.get(key).filter(|tenure| !tenure.is_dead()) else { return };
        let (ended, leaving) = (tenure.ended_at.is_some(), tenure.is_leaving());
        if self.is_shutting_down() || leaving {
            return;
        }
        if ended || !self.gives_away_to(&by) {
            tracing::debug!(worker = %self.parts.me, lease = %key, %by, "a request for the lease is declined");
            return self.change(key, RowChange::Decline(by));
        }
        tracing::info!(worker = %self.parts.me, lease = %key, to = %by, "handing the lease off");
        self.input(key, HeldInput::HandOff(self.parts.config.hand_off_timeout));
        let Some(tenure) = self.tenures.get_mut(key) else { return };
        tenure.leave.cancel();
        if !matches!(tenure.driver, Driver::Running(_)) {
            tenure.driver = Driver::Finished;
            self.input(key, HeldInput::Drained);
            self.forget_if_over(key);
        }
    }

    fn gives_away_to(&self, by: &WorkerId) -> bool {
        let stays = |key: &LeaseKey| self.tenures.get(key).is_some_and(|tenure| !tenure.is_dead() && !tenure.is_leaving());
        let mut mine = LeaseCount::default();
        self.tenures.iter().filter(|(key, _)| stays(key)).for_each(|(_, tenure)| mine.add(&tenure.cell.lease()));
        let observed = self.observer.leases(self.now()).map(|(lease, standing, _)| (lease, standing));
        let others = observed.filter(|(lease, _)| !stays(&lease.key));
        gives_away_to(by, &self.parts.me, mine, others, self.takes.pacing.settled())
    }

    /// Asks the owners of these leases for them.
    pub(super) fn send_requests(&mut self, leases: Vec<Lease>) {
        if !leases.is_empty() {
            tracing::info!(worker = %self.parts.me, leases = leases.len(), "asking workers that have more for leases");
        }
        for seen in leases {
            let request = LeaseWrite::request(&seen, &self.parts.me);
            request.into_iter().for_each(|write| self.send_request(write, &seen, false));
        }
    }

    fn send_request(&mut self, write: LeaseWrite, seen: &Lease, retried: bool) {
        // One write of a row is under way at a time (protocol rule P3).
        if self.creations.is_under_way(&seen.key) || self.takes.under_way.contains(&seen.key) {
            return;
        }
        self.requests.sent(self.now(), seen);
        self.unanswered_requests.insert(seen.key.clone());
        self.write_request(write, retried);
    }

    pub(super) fn requested(&mut self, write: &LeaseWrite, retried: bool, result: Result<WriteOutcome, StoreError>) {
        let (now, key) = (self.now(), write.key());
        self.unanswered_requests.remove(key);
        match result {
            Ok(outcome) => {
                self.store_answered("request");
                let (applied, row) = match outcome {
                    WriteOutcome::Applied(row) => (true, Some(row)),
                    WriteOutcome::Rejected { current } => (false, current),
                };
                self.observer.see_row(now, key, row.clone());
                if applied {
                    self.measure(Measurement::count("TakeLeases", "RequestedLeases", 1.0).of_worker(&self.parts.me));
                } else {
                    self.requests.over(key);
                    // Mostly it was only renewed since it was seen.
                    if let Some(row) = row.filter(|_| !retried && !self.is_shutting_down())
                        && let Some(again) = write.request_again(&row, &self.parts.me)
                    {
                        self.send_request(again, &row, true);
                    }
                }
            }
            Err(error) => {
                // If it may have been made, the row tells.
                if error.kind() != ErrorKind::Indeterminate {
                    self.requests.over(key);
                }
                self.store_failed("request", error.into());
            }
        }
        if self.is_shutting_down() {
            self.withdraw(key.clone());
        }
    }

    /// The row of a lease that this worker has asked for was read. Whether everything is as it was.
    pub(super) fn requested_row_was_read(&mut self, now: Mono, key: &LeaseKey, row: Option<&Lease>) -> bool {
        let step = self.requests.row_seen(now, key, row);
        if let (RequestStep::Take, Some(row)) = (step, row)
            && !self.is_shutting_down()
            && !self.takes.under_way.contains(key)
        {
            let token = TenureToken::new(self.rng.random());
            self.takes.take_now(PlannedTake::new(row, &self.parts.me, token, self.hands_off(), false));
            self.send_takes(now);
        }
        step == RequestStep::Wait
    }

    /// A worker that stops wants nothing any more.
    pub(super) fn withdraw_requests(&mut self) {
        let keys: Vec<LeaseKey> = self.requests.keys().filter(|key| !self.unanswered_requests.contains(*key)).cloned().collect();
        keys.into_iter().for_each(|key| self.withdraw(key));
    }

    fn withdraw(&mut self, key: LeaseKey) {
        if self.requests.contains(&key) {
            self.write_withdrawal(LeaseWrite::withdraw(&key, &self.parts.me));
        }
    }

    pub(super) fn withdrawn(&mut self, write: &LeaseWrite, result: Result<WriteOutcome, StoreError>) {
        match result {
            // It was transferred before the owner knew: nobody is to wait until it expires.
            Ok(WriteOutcome::Rejected { current: Some(row) }) if row.is_transferred_to(&self.parts.me) => {
                self.write_withdrawal(LeaseWrite::release(&row));
            }
            Ok(_) => self.requests.over(write.key()),
            Err(error) => {
                self.requests.over(write.key());
                self.store_failed(write.verb().name(), error.into());
            }
        }
    }
}
