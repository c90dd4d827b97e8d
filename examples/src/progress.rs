//! When a shard's progress is worth a checkpoint.

use std::time::{Duration, Instant};

use kcl::ExtendedSequenceNumber;

/// How often to checkpoint. A checkpoint is one write to the lease table; what comes after the last one is delivered
/// again when the shard changes hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckpointPolicy {
    /// After this many handled messages; at least 1.
    pub messages: usize,
    /// And after this time, if anything was handled since.
    pub interval: Duration,
}

/// What was handled of one shard, and how much of it is stored. Knows only positions of handled messages, so no
/// checkpoint that comes out of it can pass a message that was not handled.
#[derive(Debug)]
pub struct Progress {
    policy: CheckpointPolicy,
    handled: Option<ExtendedSequenceNumber>,
    unstored: usize,
    stored_at: Instant,
}

impl Progress {
    /// Nothing handled yet; time counts from `now`.
    pub const fn new(policy: CheckpointPolicy, now: Instant) -> Self {
        Self { policy, handled: None, unstored: 0, stored_at: now }
    }

    /// The message at `position`, and every one before it, is handled.
    pub fn handled(&mut self, position: ExtendedSequenceNumber) {
        self.handled = Some(position);
        self.unstored += 1;
    }

    /// The position to store now: by count or by time.
    pub fn due(&self, now: Instant) -> Option<Pending> {
        let long_ago = now.saturating_duration_since(self.stored_at) >= self.policy.interval;
        if self.unstored >= self.policy.messages || long_ago { self.pending() } else { None }
    }

    /// The position to store at the last chance, due or not. `None` if everything that was handled is stored.
    pub fn pending(&self) -> Option<Pending> {
        let position = self.handled.clone().filter(|_| self.unstored > 0)?;
        Some(Pending { position, messages: self.unstored })
    }

    /// `pending` is stored. Messages may have been handled since it came out of here: they stay pending.
    pub const fn stored(&mut self, pending: &Pending, now: Instant) {
        self.unstored = self.unstored.saturating_sub(pending.messages);
        self.stored_at = now;
    }
}

/// A checkpoint to store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// The position of the last handled message.
    pub position: ExtendedSequenceNumber,
    /// How many messages it adds to the checkpoint before.
    pub messages: usize,
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "the machine takes any moment as its start; nothing waits for the clock")]
mod tests {
    use super::*;

    const POLICY: CheckpointPolicy = CheckpointPolicy { messages: 3, interval: Duration::from_secs(10) };

    fn at(number: u64) -> ExtendedSequenceNumber {
        ExtendedSequenceNumber::new(number.into(), 0)
    }

    #[test]
    fn due_by_count_at_the_last_handled_message() {
        let start = Instant::now();
        let mut progress = Progress::new(POLICY, start);
        for number in 1..=2 {
            progress.handled(at(number));
            assert_eq!(progress.due(start), None);
        }
        progress.handled(at(3));
        let due = progress.due(start).unwrap();
        assert_eq!(due, Pending { position: at(3), messages: 3 });
        progress.stored(&due, start);
        assert_eq!((progress.due(start), progress.pending()), (None, None));
    }

    #[test]
    fn due_by_time_only_if_something_was_handled() {
        let start = Instant::now();
        let later = start + POLICY.interval;
        let mut progress = Progress::new(POLICY, start);
        assert_eq!(progress.due(later), None);
        progress.handled(at(1));
        assert_eq!(progress.due(later - Duration::from_millis(1)), None);
        let due = progress.due(later).unwrap();
        assert_eq!(due.position, at(1));
        progress.stored(&due, later);
        progress.handled(at(2));
        assert_eq!(progress.due(later), None, "the interval starts again with each checkpoint");
    }

    #[test]
    fn what_was_handled_while_a_checkpoint_was_under_way_stays_pending() {
        let start = Instant::now();
        let mut progress = Progress::new(POLICY, start);
        progress.handled(at(1));
        let first = progress.pending().unwrap();
        progress.handled(at(2));
        progress.stored(&first, start);
        assert_eq!(progress.pending(), Some(Pending { position: at(2), messages: 1 }));
    }
}
