use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use kcl_core::{ErrorKind, Mono, StoreError, error_chain};

use super::Coordinator;
use crate::error::ConsumerError;

/// For how long a service has to refuse for good before the consumer stops: three failover times, and at least a minute,
/// within which a policy that was just changed, or a table or stream that is made again, is usually there.
pub(super) fn patience(failover: Duration) -> Duration {
    (failover * 3).max(Duration::from_secs(60))
}

/// How the lease store has answered lately, by kind of call.
#[derive(Debug, Default)]
pub(super) struct StoreHealth {
    failing: BTreeMap<&'static str, Failing>,
}

#[derive(Debug)]
struct Failing {
    times: u32,
    last: Mono,
    /// Since when every answer was one that only somebody else can cure.
    refused_since: Option<Mono>,
}

impl StoreHealth {
    fn succeeded(&mut self, call: &'static str) {
        self.failing.remove(call);
    }

    /// One more failure; how many in a row, and for how long the store has refused for good.
    fn failed(&mut self, now: Mono, call: &'static str, refused: bool, forget_after: Duration) -> (u32, Duration) {
        let failing = self.failing.entry(call).or_insert(Failing { times: 0, last: now, refused_since: None });
        if now.since(failing.last) > forget_after {
            failing.refused_since = None;
        }
        (failing.times, failing.last) = (failing.times.saturating_add(1), now);
        failing.refused_since = if refused { failing.refused_since.or(Some(now)) } else { None };
        (failing.times, failing.refused_since.map_or(Duration::ZERO, |since| now.since(since)))
    }
}

impl Coordinator {
    pub(super) fn store_answered(&mut self, call: &'static str) {
        self.health.succeeded(call);
    }

    /// Names a failed call, ever more rarely while it goes on, and stops the consumer once the store has denied the same
    /// kind of call, or has been missing, for longer than its patience: by then nothing of it works any more.
    pub(super) fn store_failed(&mut self, call: &'static str, error: Arc<StoreError>) {
        let failover = self.parts.timing.failover;
        // A write that is wrong in itself says nothing about the store.
        let refused = matches!(error.kind(), ErrorKind::Denied | ErrorKind::NotFound);
        let (times, refused_for) = self.health.failed(self.now(), call, refused, failover);
        if times.is_power_of_two() {
            tracing::warn!(call, times, error = %error_chain(&*error), "the lease store failed");
        }
        if refused_for > patience(failover) {
            self.fail(ConsumerError::Store(error));
        }
    }
}
