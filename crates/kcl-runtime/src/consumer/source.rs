use std::time::Duration;

use kcl_core::{
    Checkpoint, ErrorKind, Lease, Measurement, ReadError, ReadOutcome, ReadPosition, SequenceNumber, ShardEvent, ShardReader,
    StartStrategy, Unit, Wall, error_chain,
};

use super::Consumer;
use crate::command::ConsumerEnd;
use crate::race::{Either, race2, within};

/// How long one call of the stream may take before it is given up (KCL: `kinesisRequestTimeout`).
const CALL_LIMIT: Duration = Duration::from_secs(30);

/// Where the records of a shard come from: the reader, and where to open the next one.
pub(super) struct Source {
    reader: Option<Box<dyn ShardReader>>,
    position: ReadPosition,
    /// The checkpointed record: the first one that the stream gives, unless it has been trimmed.
    expected: Option<SequenceNumber>,
}

impl Source {
    /// A source that begins where the lease says.
    pub(super) fn new(lease: &Lease, start: StartStrategy, now: Wall) -> Self {
        let position = match &lease.checkpoint {
            // The checkpointed record may be an aggregate of which only a part was processed: it is read again.
            Checkpoint::At(position) => ReadPosition::At(position.sequence_number.clone()),
            // Never LATEST itself: what is put between a failure and the next try would be skipped.
            Checkpoint::Latest => ReadPosition::AtTimestamp(lease.latest_since.unwrap_or(now)),
            Checkpoint::AtTimestamp => match start.timestamp() {
                Some(moment) => ReadPosition::AtTimestamp(moment),
                None => {
                    tracing::warn!(
                        shard = %lease.key,
                        "the lease starts at a timestamp and the configuration names none: starting at the oldest record"
                    );
                    ReadPosition::TrimHorizon
                }
            },
            Checkpoint::TrimHorizon | Checkpoint::ShardEnd => ReadPosition::TrimHorizon,
        };
        let expected = lease.checkpoint.position().map(|position| position.sequence_number.clone());
        Self { reader: None, position, expected }
    }

    fn read_up_to(&mut self, position: &SequenceNumber) {
        self.position = ReadPosition::After(position.clone());
    }
}

impl Consumer {
    /// One read, given up when the phase changes or the shutdown begins: readers are cancel-safe.
    pub(super) async fn read(&mut self) -> Result<(), ConsumerEnd> {
        let mut sent = self.now();
        let result = {
            let (source, parts, shard, sent) = (&mut self.source, &self.parts, &self.info.shard_id, &mut sent);
            let call = async {
                let reader = match &mut source.reader {
                    Some(reader) => reader,
                    None => {
                        let reader = parts.stream.open(shard, &source.position).await?;
                        // What is paced are the reads: the opening took its time before.
                        *sent = parts.env.now();
                        source.reader.insert(reader)
                    }
                };
                reader.next().await
            };
            let interrupted = race2(self.phases.changed(), self.leave.cancelled());
            match race2(interrupted, within(&*parts.env, CALL_LIMIT, call)).await {
                Either::First(_) => return Ok(()),
                Either::Second(Some(result)) => result,
                Either::Second(None) => Err(ReadError::new(ErrorKind::Unavailable, "reading the shard", shard.as_str())
                    .with_hint("no answer within 30 s")),
            }
        };
        match result {
            Ok(event) => self.received(sent, event),
            Err(error) => return self.read_failed(sent, &error).await,
        }
        Ok(())
    }

    fn received(&mut self, sent: kcl_core::Mono, event: ShardEvent) {
        let now = self.now();
        let bytes: u64 = event.records.iter().map(|record| record.data.len() as u64).sum();
        let behind = event.millis_behind_latest.is_some_and(|millis| millis > 0);
        let outcome = if event.records.is_empty() { ReadOutcome::Empty { behind } } else { ReadOutcome::Records { bytes } };
        if self.pacer.failures() > 0 {
            tracing::info!(shard = %self.info.shard_id, failures = self.pacer.failures(), "reading works again");
        }
        self.pacer.read(sent, now, outcome);
        let shard = &self.info.shard_id;
        self.measure(Measurement::count("ProcessTask", "KinesisDataFetcher.getRecords.Success", 1.0).detailed().of_shard(shard));
        if let Some(first) = event.records.first()
            && let Some(expected) = self.source.expected.take().filter(|expected| first.sequence_number > *expected)
        {
            self.measure(Measurement::count("ProcessTask", "CheckpointTrimmed", 1.0).of_shard(shard));
            tracing::error!(
                %shard, checkpoint = %expected, first = %first.sequence_number,
                "the checkpointed record has left the stream: unread records behind it may be lost; \
                 lengthen the stream's retention or process faster"
            );
        }
        self.missing_since = None;
        if let Some(last) = event.records.last() {
            self.source.read_up_to(&last.sequence_number);
        }
        if let Some(millis) = event.millis_behind_latest {
            self.millis_behind_latest = millis;
            #[allow(clippy::cast_precision_loss, reason = "a lag is far below 2^53 milliseconds")]
            let lag = Measurement::count("ProcessTask", "MillisBehindLatest", millis as f64).in_unit(Unit::Milliseconds);
            self.measure(Measurement { operation: "ApplicationTracker", ..lag.clone() });
            self.measure(lag.of_shard(&self.info.shard_id));
        }
        self.parts.status.read(now, &self.tenancy.key, event.millis_behind_latest);
        self.feed.fill(event.records);
        if event.end.is_some() {
            self.end = event.end;
            self.all_read = true;
            self.source.reader = None;
        }
    }

    async fn read_failed(&mut self, sent: kcl_core::Mono, error: &ReadError) -> Result<(), ConsumerEnd> {
        let shard = self.info.shard_id.clone();
        self.measure(Measurement::count("ProcessTask", "KinesisDataFetcher.getRecords.Success", 0.0).detailed().of_shard(&shard));
        self.pacer.read(sent, self.now(), ReadOutcome::Failed);
        if error.kind() == ErrorKind::Expired {
            self.measure(Measurement::count("ProcessTask", "ExpiredIterator", 1.0));
            self.source.reader = None;
            return Ok(());
        }
        // The first failure of a row, then ever more rarely: a shard that stays silent is named, not shouted about.
        if self.pacer.failures().is_power_of_two() {
            tracing::warn!(shard = %shard, failures = self.pacer.failures(), error = %error_chain(error), "reading the shard failed");
        }
        match error.kind() {
            ErrorKind::NotFound => {
                self.source.reader = None;
                self.check_whether_gone().await
            }
            // Whatever the reader holds is refused: the next try opens it again behind the last record.
            ErrorKind::Invalid | ErrorKind::Corrupt | ErrorKind::Bug => {
                self.source.reader = None;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Every shard; `None` if the phase changed or the shard is to be left meanwhile.
    pub(super) async fn list_shards(&mut self) -> Option<Result<Vec<kcl_core::Shard>, ReadError>> {
        let call = self.parts.stream.list_shards(kcl_core::ShardFilter::All);
        let interrupted = race2(self.phases.changed(), self.leave.cancelled());
        match race2(interrupted, within(&*self.parts.env, CALL_LIMIT, call)).await {
            Either::First(_) => None,
            Either::Second(Some(result)) => Some(result),
            Either::Second(None) => {
                Some(Err(ReadError::new(ErrorKind::Unavailable, "listing the shards", self.info.stream.as_str())
                    .with_hint("no answer within 30 s")))
            }
        }
    }
}
