use std::time::Duration;

use kcl_aggregation::{Aggregator, hash_of};
use kcl_core::{ExtendedSequenceNumber, ReadError, ShardId};

use super::draws::{Draws, Purpose};
use super::options::Options;
use super::run::PutRecord;
use super::settings::Settings;
use super::trace::Trace;
use crate::MemoryStream;

/// At most so many user records go into one Kinesis record.
const MOST_AGGREGATED: u64 = 6;

/// Puts the run's records, spread over the time in which faults happen.
pub(super) struct Producer<'a> {
    settings: &'a Settings,
    aggregates: bool,
    draws: Draws,
    stream: MemoryStream,
    trace: Trace,
    put: usize,
}

impl<'a> Producer<'a> {
    pub(super) fn new(settings: &'a Settings, options: &Options, seed: u64, stream: MemoryStream, trace: Trace) -> Self {
        let draws = Draws::new(seed, Purpose::Producer, 0);
        Self { settings, aggregates: options.aggregates, draws, stream, trace, put: 0 }
    }

    /// Puts what is due by now.
    pub(super) fn tick(&mut self, now: Duration) -> Result<(), ReadError> {
        // A tenth of the time is left for what was put last.
        let until = self.settings.duration.mul_f64(0.9).max(Duration::from_millis(1));
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of a count of records")]
        let due = match now < until {
            true => (self.settings.records as f64 * now.div_duration_f64(until)) as usize,
            false => self.settings.records,
        };
        while self.put < due {
            let key = format!("key-{}", self.draws.below(self.settings.keys));
            let together = self.aggregates && self.draws.happens(2_500);
            let count = if together { self.draws.between(2, MOST_AGGREGATED) } else { 1 };
            let count = usize::try_from(count).unwrap_or(1).min(due - self.put);
            if count > 1 { self.aggregate(&key, count)? } else { self.plain(&key) }
        }
        Ok(())
    }

    fn payload(&mut self, key: &str) -> Vec<u8> {
        let payload = (self.settings.payload)(key, self.put);
        self.put += 1;
        payload
    }

    fn plain(&mut self, key: &str) {
        let data = self.payload(key);
        let (shard, number) = self.stream.put(key, &data);
        self.note(key, data, shard, ExtendedSequenceNumber::new(number, 0));
    }

    /// Several records of one key as one Kinesis record, which goes where the key belongs.
    fn aggregate(&mut self, key: &str, count: usize) -> Result<(), ReadError> {
        let payloads: Vec<_> = (0..count).map(|_| self.payload(key)).collect();
        let mut aggregator = Aggregator::new(usize::MAX);
        for payload in &payloads {
            // Nothing is larger than that limit, and nothing goes out before the end.
            let _ = aggregator.add(key, None, payload.clone());
        }
        let hash = hash_of(key.as_bytes());
        let shards = self.stream.shards();
        let serving = shards.iter().find(|shard| shard.is_open() && shard.hash_range.contains(hash));
        let (Some(packed), Some(shard)) = (aggregator.finish(), serving) else { return Ok(()) };
        let number = self.stream.put_to(&shard.id, "a", &packed.data)?;
        for (sub, payload) in (0..).zip(payloads) {
            self.note(key, payload, shard.id.clone(), ExtendedSequenceNumber::new(number.clone(), sub));
        }
        Ok(())
    }

    fn note(&self, key: &str, data: Vec<u8>, shard_id: ShardId, position: ExtendedSequenceNumber) {
        self.trace.put(PutRecord { partition_key: key.to_owned(), data, shard_id, position });
    }
}
