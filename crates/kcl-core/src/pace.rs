use std::time::Duration;

use crate::Mono;
use crate::timing::backoff;

/// The limits that Kinesis sets for each shard: GetRecords calls and bytes per second (Kinesis Data Streams quotas).
const BETWEEN_CALLS: Duration = Duration::from_millis(200);
const BYTES_PER_SECOND: u64 = 2 * 1024 * 1024;
const FIRST_BACK_OFF: Duration = Duration::from_millis(250);
const MOST_BACK_OFF: Duration = Duration::from_secs(10);

/// How a read of a shard went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReadOutcome {
    /// Records, with their size in bytes.
    Records {
        /// Payload bytes.
        bytes: u64,
    },
    /// No records.
    Empty {
        /// Whether the stream said that newer records follow.
        behind: bool,
    },
    /// The read failed.
    Failed,
}

/// When to read a shard next: at the service's limits while there are records, once in the idle interval when there
/// are none, with growing pauses while reads fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PollPacer {
    idle: Duration,
    next: Mono,
    failures: u32,
}

impl PollPacer {
    /// A pacer that lets the first read go at once and waits `idle` between reads that find nothing.
    pub fn new(idle: Duration) -> Self {
        Self { idle: idle.max(BETWEEN_CALLS), next: Mono::ZERO, failures: 0 }
    }

    /// The earliest moment of the next read.
    pub const fn next_read(&self) -> Mono {
        self.next
    }

    /// A read that was sent at `sent` and answered at `answered` went like this.
    pub fn read(&mut self, sent: Mono, answered: Mono, outcome: ReadOutcome) {
        self.next = match outcome {
            ReadOutcome::Records { bytes } => sent + BETWEEN_CALLS.max(time_for(bytes)),
            ReadOutcome::Empty { behind: true } => sent + BETWEEN_CALLS,
            ReadOutcome::Empty { behind: false } => sent + self.idle,
            ReadOutcome::Failed => answered + backoff(self.failures + 1, FIRST_BACK_OFF, MOST_BACK_OFF),
        };
        self.failures = if outcome == ReadOutcome::Failed { self.failures + 1 } else { 0 };
    }

    /// Reads that failed since the last one that did not.
    pub const fn failures(&self) -> u32 {
        self.failures
    }
}

/// How long the byte limit makes a response of this size last.
const fn time_for(bytes: u64) -> Duration {
    Duration::from_millis(bytes.saturating_mul(1000) / BYTES_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn within_the_limits_and_idle_at_the_tip() {
        let millis = Mono::from_millis;
        let cases = [
            (ReadOutcome::Records { bytes: 10 }, 1200),
            (ReadOutcome::Records { bytes: 10 * 1024 * 1024 }, 6000),
            (ReadOutcome::Empty { behind: true }, 1200),
            (ReadOutcome::Empty { behind: false }, 2500),
            (ReadOutcome::Failed, 1300),
        ];
        for (outcome, next) in cases {
            let mut pacer = PollPacer::new(Duration::from_millis(1500));
            assert_eq!(pacer.next_read(), Mono::ZERO);
            pacer.read(millis(1000), millis(1050), outcome);
            assert_eq!(pacer.next_read(), millis(next), "{outcome:?}");
        }
    }

    #[test]
    fn failures_back_off_and_a_success_forgets_them() {
        let mut pacer = PollPacer::new(Duration::from_secs(1));
        let mut pauses = Vec::new();
        for _ in 0..8 {
            pacer.read(Mono::ZERO, Mono::ZERO, ReadOutcome::Failed);
            pauses.push(pacer.next_read().as_nanos() / 1_000_000);
        }
        assert_eq!(pauses, [250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
        pacer.read(Mono::ZERO, Mono::ZERO, ReadOutcome::Empty { behind: false });
        assert_eq!(pacer.failures(), 0);
        assert_eq!(PollPacer::new(Duration::ZERO).idle, BETWEEN_CALLS, "never more than five calls a second");
    }
}
