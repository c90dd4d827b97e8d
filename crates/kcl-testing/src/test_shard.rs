use std::sync::Arc;

use kcl_core::{
    Checkpoint, Checkpointer, ExtendedSequenceNumber, KinesisClientRecord, PartitionKey, Record, SequenceNumber, ShardId,
};

use crate::{MemoryStream, RecordingCheckpointer};

/// One shard for a unit test of a processor: it makes the records and keeps the checkpoints.
///
/// A record counts as delivered when it is made, so it may be checkpointed. Sequence numbers count up from 1, and each
/// Kinesis record arrives one second after the one before, from [`MemoryStream::START`] on.
///
/// ```
/// # use async_trait::async_trait;
/// # use kcl_core::{Checkpointer, KinesisClientRecord, ShardRecordProcessorFactory};
/// # struct MyFactory;
/// # struct MyProcessor(Checkpointer);
/// # #[async_trait]
/// # impl ShardRecordProcessorFactory for MyFactory {
/// #     async fn initialize(&self, checkpointer: Checkpointer) -> Box<dyn kcl_core::ShardRecordProcessor> {
/// #         Box::new(MyProcessor(checkpointer))
/// #     }
/// # }
/// # #[async_trait]
/// # impl kcl_core::ShardRecordProcessor for MyProcessor {
/// #     async fn process_records(&self, records: Vec<KinesisClientRecord>, _: i64) {
/// #         let last = records.last().expect("never none").extended_sequence_number();
/// #         let _ = self.0.checkpoint(last).await;
/// #     }
/// #     async fn lease_lost(&self) {}
/// #     async fn shard_ended(&self) {
/// #         let _ = self.0.end().await;
/// #     }
/// #     async fn shutdown_requested(&self) {}
/// # }
/// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// # runtime.block_on(checkpoints_every_batch());
/// use kcl_core::Checkpoint;
/// use kcl_testing::TestShard;
///
/// async fn checkpoints_every_batch() {
///     let mut shard = TestShard::new();
///     let processor = MyFactory.initialize(shard.checkpointer()).await;
///     processor.process_records(shard.records(["first", "second"]), 0).await;
///     assert!(shard.is_fully_checkpointed());
///
///     shard.end();
///     processor.shard_ended().await;
///     assert_eq!(shard.checkpoint(), Checkpoint::ShardEnd);
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct TestShard {
    recorder: RecordingCheckpointer,
    made: Vec<KinesisClientRecord>,
    kinesis_records: u32,
}

impl Default for TestShard {
    fn default() -> Self {
        Self::new()
    }
}

impl TestShard {
    /// The shard `shardId-000000000000`, from its oldest record on.
    pub fn new() -> Self {
        Self::over(RecordingCheckpointer::for_shard("shardId-000000000000"))
    }

    /// The shard of this tenure. Sequence numbers count up from 1 all the same.
    pub const fn over(recorder: RecordingCheckpointer) -> Self {
        Self { recorder, made: Vec::new(), kinesis_records: 0 }
    }

    /// The shard's id.
    pub fn id(&self) -> ShardId {
        self.checkpointer().lease().shard_id.clone()
    }

    /// A checkpointer of the current tenure, for a processor.
    pub fn checkpointer(&self) -> Checkpointer {
        self.recorder.checkpointer()
    }

    /// What the current tenure's checkpointer stands on: every checkpoint, and failures to plan.
    pub const fn recorder(&self) -> &RecordingCheckpointer {
        &self.recorder
    }

    /// The next record.
    pub fn record(&mut self, partition_key: &str, data: impl AsRef<[u8]>) -> KinesisClientRecord {
        let record = self.kinesis_record(partition_key, data.as_ref());
        self.deliver(KinesisClientRecord::plain(record))
    }

    /// The next records, one for each payload, all with the partition key `partition-key`.
    pub fn records<D: AsRef<[u8]>>(&mut self, payloads: impl IntoIterator<Item = D>) -> Vec<KinesisClientRecord> {
        payloads.into_iter().map(|data| self.record("partition-key", data)).collect()
    }

    /// One Kinesis record that carries several user records, as a worker delivers it: they share a sequence number and
    /// have sub-sequence numbers from 0. The partition key is `partition-key`.
    pub fn aggregate<D: AsRef<[u8]>>(&mut self, payloads: impl IntoIterator<Item = D>) -> Vec<KinesisClientRecord> {
        let payloads: Vec<D> = payloads.into_iter().collect();
        let whole = self.kinesis_record("partition-key", &[]);
        let size = payloads.len() as u64;
        let user_record = |(index, data): (u64, &D)| {
            let record = Record { data: data.as_ref().to_vec().into(), ..whole.clone() };
            KinesisClientRecord::from_aggregate(record, index, None, size)
        };
        (0..).zip(&payloads).map(user_record).map(|record| self.deliver(record)).collect()
    }

    /// What is stored now.
    pub fn checkpoint(&self) -> Checkpoint {
        self.recorder.stored()
    }

    /// Whether everything that was made is checkpointed: a new tenure would get nothing of it again.
    pub fn is_fully_checkpointed(&self) -> bool {
        self.behind_checkpoint().is_empty()
    }

    /// Says that the shard has ended; call the processor's `shard_ended` next.
    pub fn end(&self) {
        self.recorder.end_shard();
    }

    /// Takes the lease away; call the processor's `lease_lost` next.
    pub fn lose_lease(&self) {
        self.recorder.lose_lease();
    }

    /// Ends this tenure as a crash does and begins the next one: [`checkpointer`](Self::checkpointer) is the new one's.
    /// The records that are delivered again, those behind the checkpoint.
    pub fn next_tenure(&mut self) -> Vec<KinesisClientRecord> {
        self.recorder = self.recorder.next_tenure();
        let again = self.behind_checkpoint();
        if let Some(last) = again.last() {
            self.recorder.deliver(last.extended_sequence_number());
        }
        again
    }

    fn behind_checkpoint(&self) -> Vec<KinesisClientRecord> {
        let stored = self.checkpoint();
        let behind = |record: &&KinesisClientRecord| Checkpoint::At(record.extended_sequence_number()) > stored;
        self.made.iter().filter(behind).cloned().collect()
    }

    fn kinesis_record(&mut self, partition_key: &str, data: &[u8]) -> Record {
        let arrival = MemoryStream::START.unix_millis() + i64::from(self.kinesis_records) * 1000;
        self.kinesis_records += 1;
        Record {
            data: data.to_vec().into(),
            partition_key: PartitionKey::new(Arc::from(partition_key)),
            sequence_number: SequenceNumber::from(u64::from(self.kinesis_records)),
            approximate_arrival_timestamp: arrival,
        }
    }

    fn deliver(&mut self, record: KinesisClientRecord) -> KinesisClientRecord {
        let position: ExtendedSequenceNumber = record.extended_sequence_number();
        self.recorder.deliver(position);
        self.made.push(record.clone());
        record
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn records_are_numbered_and_may_be_checkpointed() {
        let mut shard = TestShard::new();
        let mut batch = shard.records([b"a", b"b"]);
        batch.push(shard.record("key", String::from("c")));
        let numbers: Vec<_> = batch.iter().map(|record| record.record.sequence_number.to_string()).collect();
        assert_eq!(numbers, ["1", "2", "3"]);
        assert_eq!(batch[2].record.partition_key, "key");
        assert_eq!(batch[2].record.arrival().unix_millis() - batch[0].record.arrival().unix_millis(), 2000);
        assert!(!shard.is_fully_checkpointed());
        shard.checkpointer().checkpoint(batch[2].extended_sequence_number()).await.unwrap();
        assert!(shard.is_fully_checkpointed());
    }

    #[tokio::test]
    async fn the_next_tenure_gets_what_was_not_checkpointed() {
        let mut shard = TestShard::new();
        shard.records(["a"]);
        let batch = shard.aggregate(["b", "c", "d"]);
        assert_eq!(batch.iter().map(KinesisClientRecord::is_last_in_aggregate).collect::<Vec<_>>(), [false, false, true]);
        let old = shard.checkpointer();
        old.checkpoint(batch[0].extended_sequence_number()).await.unwrap();

        let again = shard.next_tenure();
        assert_eq!(again, batch[1..]);
        assert!(old.checkpoint_latest().await.is_err());
        shard.checkpointer().checkpoint_latest().await.unwrap();
        assert!(shard.next_tenure().is_empty());
        assert!(shard.checkpointer().fencing_token() > old.fencing_token());
    }
}
