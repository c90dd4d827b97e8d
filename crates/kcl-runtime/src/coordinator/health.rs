use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use kcl_core::{Mono, StoreError, error_chain};

use super::Coordinator;
use crate::error::ConsumerError;

/// How the lease store has answered lately, by kind of call.
#[derive(Debug, Default)]
pub(super) struct StoreHealth {
    failing: BTreeMap<&'static str, Failing>,
}

#[derive(Debug, Default)]
struct Failing {
    times: u32,
    /// Since when every answer was one that trying again does not cure.
    refused_since: Option<Mono>,
}

impl StoreHealth {
    fn succeeded(&mut self, call: &'static str) {
        self.failing.remove(call);
    }

    /// One more failure; how many in a row, and for how long the store has refused for good.
    fn failed(&mut self, now: Mono, call: &'static str, is_retryable: bool) -> (u32, Duration) {
        let failing = self.failing.entry(call).or_default();
        failing.times = failing.times.saturating_add(1);
        failing.refused_since = if is_retryable { None } else { failing.refused_since.or(Some(now)) };
        (failing.times, failing.refused_since.map_or(Duration::ZERO, |since| now.since(since)))
    }
}

impl Coordinator {
    pub(super) fn store_answered(&mut self, call: &'static str) {
        self.health.succeeded(call);
    }

    /// Names a failed call, ever more rarely while it goes on, and stops the consumer once the store has refused the
    /// same kind of call for three failover times: by then nothing of it works any more.
    pub(super) fn store_failed(&mut self, call: &'static str, error: Arc<StoreError>) {
        let (times, refused_for) = self.health.failed(self.now(), call, error.is_retryable());
        if times.is_power_of_two() {
            tracing::warn!(call, times, error = %error_chain(&*error), "the lease store failed");
        }
        if refused_for > self.parts.timing.failover * 3 {
            self.fail(ConsumerError::Store(error));
        }
    }
}
