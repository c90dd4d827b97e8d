use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use kcl_core::{
    ErrorKind, LeaseKey, Measurement, Mono, NextRound, PlannedTake, Standing, StoreError, TakeInput, TakePacing, TenureToken,
    WriteOutcome,
};
use rand::RngExt;

use super::Coordinator;
use super::tenures::Driver;

/// How many takes are under way at the same time.
const AT_ONCE: usize = 64;
/// How many more takes of a round may be rejected than applied before the rest of it is given up.
const SPARE: usize = 8;

/// The takes of a round.
#[derive(Debug, Default)]
pub(super) struct Takes {
    pub(super) pacing: TakePacing,
    /// Planned and not sent.
    waiting: VecDeque<PlannedTake>,
    /// Leases that a take is under way for.
    pub(super) under_way: BTreeSet<LeaseKey>,
    applied: usize,
    rejected: usize,
    /// If the table is to be scanned once they are answered: how long after that.
    scan_after: Option<Duration>,
}

impl Takes {
    pub(super) fn are_under_way(&self) -> bool {
        !self.under_way.is_empty() || !self.waiting.is_empty()
    }

    /// Takes this one before anything else.
    pub(super) fn take_now(&mut self, take: PlannedTake) {
        self.waiting.push_front(take);
    }

    /// Sends nothing more.
    pub(super) fn give_up(&mut self) {
        self.waiting.clear();
    }
}

impl Coordinator {
    pub(super) fn take_round(&mut self, now: Mono) {
        // A round plans with what is settled: rows on their way are counted in the next one.
        let settled = !self.takes.are_under_way() && !self.creations.are_settling() && self.unanswered_requests.is_empty();
        if self.is_shutting_down() || !self.scanned || !settled {
            return;
        }
        self.round_due = false;
        let held = self.held_keys();
        let stopping = self.tenures.keys().filter(|key| !held.contains(*key));
        let avoid: BTreeSet<LeaseKey> = self.aversions.at(now).chain(stopping).cloned().collect();
        let leases: Vec<_> = self.observer.leases(now).collect();
        let management = self.parts.config.management;
        let input = TakeInput {
            me: &self.parts.me,
            held: &held,
            leases: &leases,
            avoid: &avoid,
            max_leases: management.max_leases,
            leases_to_acquire: management.leases_to_acquire,
            hand_off: self.hands_off(),
            failover: self.parts.timing.quiet,
            settled: self.takes.pacing.settled(),
        };
        let mut plan = self.takes.pacing.plan(&input, &mut self.rng);
        let expired = leases.iter().filter(|(_, standing, _)| matches!(standing, Standing::Expired | Standing::Due)).count();
        #[allow(clippy::cast_precision_loss, reason = "counts of leases and workers")]
        for (name, value) in
            [("ExpiredLeases", expired), ("NumWorkers", plan.others.len() + 1), ("LeaseSpillover", plan.spillover)]
        {
            self.measure(Measurement::count("TakeLeases", name, value as f64).of_worker(&self.parts.me));
        }
        let waiting = self.tenures.values().any(|tenure| matches!(tenure.driver, Driver::Waiting));
        if waiting || plan.available > 0 || !plan.takes.is_empty() || !plan.requests.is_empty() {
            self.scan_within(now, self.parts.timing.scan_while_moving);
        }
        let reads = self.row_reads.admit(now, std::mem::take(&mut plan.reads));
        self.read_rows(reads);
        // At once by a worker that was invisible until now and takes what is free. One that sees nobody, or asks for a lease,
        // gives the others time to show up.
        let pause = if plan.held == 0 && plan.requests.is_empty() { Duration::ZERO } else { self.parts.timing.failover / 10 };
        self.takes.scan_after = (self.takes.pacing.admit(&mut plan) == NextRound::AfterScan).then_some(pause);
        if plan.stolen > 0 {
            tracing::info!(
                worker = %self.parts.me, held = held.len(), target = plan.target, workers = plan.others.len() + 1, stealing = plan.stolen,
                "taking leases from workers that have more"
            );
        }
        (self.takes.applied, self.takes.rejected) = (0, 0);
        self.takes.waiting.extend(plan.takes);
        if self.requests.may_ask(now) {
            self.send_requests(plan.requests);
        }
        self.send_takes(now);
    }

    /// Sends as many of the planned takes as may be under way; after the last answer looks at the table if that is wanted.
    pub(super) fn send_takes(&mut self, now: Mono) {
        while self.takes.under_way.len() < AT_ONCE
            && let Some(take) = self.takes.waiting.pop_front()
        {
            // Found out meanwhile to be held: an earlier take's answer was lost. Or its creation is under way (P3).
            let key = take.write.key();
            let is_taken = self.tenures.contains_key(key) || self.takes.under_way.contains(key);
            if !is_taken && !self.creations.is_under_way(key) {
                self.write_take(take, false);
            }
        }
        if !self.takes.are_under_way()
            && let Some(pause) = self.takes.scan_after.take()
        {
            self.scan_within(now, pause);
        }
    }

    pub(super) fn taken(&mut self, take: PlannedTake, sent_at: Mono, retried: bool, result: Result<WriteOutcome, StoreError>) {
        let now = self.now();
        let key = take.write.key().clone();
        if result.is_ok() {
            self.store_answered("take");
        }
        // A take with an unknown result stays under way until the row has told.
        if !matches!(&result, Err(error) if error.kind() == ErrorKind::Indeterminate) {
            self.takes.under_way.remove(&key);
        }
        if result.is_err() {
            // The store does not answer as it should: what is left is planned after the next scan.
            self.takes.waiting.clear();
        }
        match result {
            Ok(WriteOutcome::Applied(row)) => {
                self.observer.see_row(now, &key, Some(row.clone()));
                self.takes.applied += 1;
                self.measure(Measurement::count("TakeLeases", "TakenLeases", 1.0).of_worker(&self.parts.me));
                self.gain(row, sent_at);
            }
            Ok(WriteOutcome::Rejected { current }) => {
                self.observer.see_row(now, &key, current.clone());
                let token = TenureToken::new(self.rng.random());
                let again = current.and_then(|row| take.again(&row, &self.parts.me, token));
                match again.filter(|_| !retried && !self.is_shutting_down()) {
                    Some(again) => self.write_take(again, true),
                    None => {
                        self.takes.rejected += 1;
                        self.measure(Measurement::count("TakeLeases", "UntakenLeases", 1.0).of_worker(&self.parts.me));
                    }
                }
            }
            Err(error) if error.kind() == ErrorKind::Indeterminate => self.read_unknown_take(take.write, sent_at),
            Err(error) => self.store_failed("take", error.into()),
        }
        if self.takes.rejected > self.takes.applied + SPARE {
            // Others take the same leases: what they leave is planned after the next scan.
            self.takes.waiting.clear();
        }
        self.send_takes(now);
    }
}
