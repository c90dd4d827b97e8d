use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kcl_core::KinesisClientRecord;

use super::draws::{Draws, Purpose};
use super::faults::FaultKind;
use super::options::Options;
use super::trace::{Event, Trace};

/// What a simulated fleet offers to the application that runs in it. A handle to one seed's run: clones are the same.
#[derive(Clone)]
pub struct World {
    seed: u64,
    trace: Trace,
    outside: Arc<Mutex<Outside>>,
}

struct Outside {
    draws: Draws,
    fails: u64,
    slowest: Duration,
}

impl World {
    pub(super) fn new(seed: u64, trace: Trace, options: &Options) -> Self {
        let draws = Draws::new(seed, Purpose::Outside, 0);
        let outside = Outside { draws, fails: options.application_fails, slowest: options.application_slowest };
        Self { seed, trace, outside: Arc::new(Mutex::new(outside)) }
    }

    fn outside(&self) -> MutexGuard<'_, Outside> {
        self.outside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The seed of this run.
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// Says that what this record asks for is done: the row is written, the message sent. Also for a record that asks for
    /// nothing, and again when the record comes again.
    ///
    /// Without a single call a record counts as processed when its `process_records` returned or checkpointed it. With
    /// calls the fleet takes the application at its word: records that it never says this of are lost, and a checkpoint
    /// that comes before is a checkpoint ahead of the work.
    pub fn processed(&self, record: &KinesisClientRecord) {
        self.trace.add(Event::Processed(record.extended_sequence_number()));
    }

    /// Whether a call of something that the application depends on, such as its database, should fail now. Never once
    /// the faults have stopped, and never without [`FaultKind::Application`].
    pub fn fails(&self) -> bool {
        let mut outside = self.outside();
        let often = outside.fails;
        let fails = often > 0 && outside.draws.happens(often);
        drop(outside);
        if fails {
            self.trace.add(Event::Fault(FaultKind::Application, "a call of the application fails".to_owned()));
        }
        fails
    }

    /// How long such a call takes now: for `tokio::time::sleep`. Below one second.
    pub fn delay(&self) -> Duration {
        let mut outside = self.outside();
        let slowest = outside.slowest;
        outside.draws.time(Duration::ZERO, slowest)
    }

    /// From now on nothing outside fails.
    pub(super) fn heal(&self) {
        self.outside().fails = 0;
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("seed", &self.seed).finish_non_exhaustive()
    }
}
