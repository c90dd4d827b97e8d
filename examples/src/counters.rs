//! What a consumer counts about its messages.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::messages::{Event, Reason};

/// Counters that all shards of a process share. Each counts up; together they are read without a lock, so that a reading
/// while messages are handled is off by those under way.
#[derive(Debug, Default)]
pub struct Counters {
    user_actions: AtomicU64,
    system_events: AtomicU64,
    error_events: AtomicU64,
    not_json: AtomicU64,
    other_json: AtomicU64,
    retries: AtomicU64,
    given_up: AtomicU64,
    batches: AtomicU64,
    checkpoints: AtomicU64,
    failed_checkpoints: AtomicU64,
}

impl Counters {
    /// An event reached its handler, and that succeeded.
    pub fn handled(&self, event: &Event) {
        add_one(match event {
            Event::UserAction { .. } => &self.user_actions,
            Event::SystemEvent { .. } => &self.system_events,
            Event::ErrorEvent { .. } => &self.error_events,
        });
    }

    /// A payload went to the fallback.
    pub fn fell_back(&self, reason: Reason) {
        add_one(if reason == Reason::NotJson { &self.not_json } else { &self.other_json });
    }

    /// A handler failed and is tried again.
    pub fn retried(&self) {
        add_one(&self.retries);
    }

    /// A handler failed too often; its message is skipped.
    pub fn gave_up(&self) {
        add_one(&self.given_up);
    }

    /// A call of `process_records` is done.
    pub fn batch(&self) {
        add_one(&self.batches);
    }

    /// A checkpoint was stored.
    pub fn checkpointed(&self) {
        add_one(&self.checkpoints);
    }

    /// A checkpoint was not stored.
    pub fn checkpoint_failed(&self) {
        add_one(&self.failed_checkpoints);
    }

    /// Messages that are done with: handled, fallen back, or given up.
    pub fn messages(&self) -> u64 {
        let done =
            [&self.user_actions, &self.system_events, &self.error_events, &self.not_json, &self.other_json, &self.given_up];
        done.into_iter().map(read).sum()
    }
}

/// One line.
impl fmt::Display for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} messages: {} user_action, {} system_event, {} error_event, {} not JSON, {} other JSON, {} given up; \
             {} retries, {} batches, {} checkpoints, {} failed checkpoints",
            self.messages(),
            read(&self.user_actions),
            read(&self.system_events),
            read(&self.error_events),
            read(&self.not_json),
            read(&self.other_json),
            read(&self.given_up),
            read(&self.retries),
            read(&self.batches),
            read(&self.checkpoints),
            read(&self.failed_checkpoints),
        )
    }
}

fn add_one(counter: &AtomicU64) {
    // Nothing else is published by a counter, so no stronger order is needed.
    counter.fetch_add(1, Ordering::Relaxed);
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_is_counted_once() {
        let counters = Counters::default();
        counters.handled(&Event::UserAction { user: "u".to_owned(), action: "a".to_owned() });
        counters.handled(&Event::ErrorEvent { component: "c".to_owned(), code: 1 });
        for reason in [Reason::NotJson, Reason::NoType, Reason::UnknownType, Reason::Malformed] {
            counters.fell_back(reason);
        }
        counters.retried();
        counters.gave_up();
        assert_eq!(counters.messages(), 7);
        let line = counters.to_string();
        for part in ["7 messages", "1 user_action", "0 system_event", "1 not JSON", "3 other JSON", "1 given up", "1 retries"] {
            assert!(line.contains(part), "{part} in {line}");
        }
    }
}
