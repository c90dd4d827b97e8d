use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::operation::get_records::GetRecordsOutput;
use aws_sdk_kinesis::types::ShardIteratorType;
use kcl_core::{ErrorKind, ReadError, ReadPosition, ShardEndEvent, ShardEvent, ShardId, ShardReader};

use crate::error::{Operation, read_error};
use crate::listing::timestamp_to_sdk;
use crate::record::record_from_sdk;
use crate::shard::children_from_sdk;
use crate::stream::StreamRef;

/// Reads one shard with `GetRecords`.
pub(crate) struct PollingShardReader {
    client: Client,
    stream: Arc<StreamRef>,
    subject: String,
    limit: i32,
    /// Where the next call reads; `None` behind the end of the shard.
    iterator: Option<String>,
}

impl PollingShardReader {
    /// Asks for the iterator: one `GetShardIterator`.
    pub(crate) async fn open(
        client: Client,
        stream: Arc<StreamRef>,
        shard: &ShardId,
        position: &ReadPosition,
        limit: i32,
    ) -> Result<Self, ReadError> {
        let subject = stream.shard_subject(shard);
        let request =
            client.get_shard_iterator().set_stream_name(stream.name()).set_stream_arn(stream.arn()).shard_id(shard.as_str());
        let request = match position {
            ReadPosition::TrimHorizon => request.shard_iterator_type(ShardIteratorType::TrimHorizon),
            ReadPosition::Latest => request.shard_iterator_type(ShardIteratorType::Latest),
            ReadPosition::AtTimestamp(moment) => {
                request.shard_iterator_type(ShardIteratorType::AtTimestamp).timestamp(timestamp_to_sdk(*moment))
            }
            ReadPosition::At(number) => {
                request.shard_iterator_type(ShardIteratorType::AtSequenceNumber).starting_sequence_number(number.as_str())
            }
            ReadPosition::After(number) => {
                request.shard_iterator_type(ShardIteratorType::AfterSequenceNumber).starting_sequence_number(number.as_str())
            }
        };
        let answer = request.send().await;
        let answer = answer.map_err(|error| read_error(Operation::GetShardIterator, subject.clone(), error))?;
        // Not the end of the shard: the end is said by GetRecords and nobody else.
        let Some(iterator) = answer.shard_iterator.filter(|iterator| !iterator.is_empty()) else {
            let error = ReadError::new(ErrorKind::Unavailable, Operation::GetShardIterator.name(), subject);
            return Err(error.with_hint("the service's answer has no shard iterator"));
        };
        Ok(Self { client, stream, subject, limit, iterator: Some(iterator) })
    }
}

#[async_trait]
impl ShardReader for PollingShardReader {
    async fn next(&mut self) -> Result<ShardEvent, ReadError> {
        let Some(iterator) = &self.iterator else {
            return Ok(ShardEvent { end: Some(ShardEndEvent::default()), ..ShardEvent::default() });
        };
        let request =
            self.client.get_records().shard_iterator(iterator.as_str()).set_stream_arn(self.stream.arn()).limit(self.limit);
        let answer = request.send().await;
        let answer = answer.map_err(|error| read_error(Operation::GetRecords, self.subject.clone(), error))?;
        let (event, next) = event_from_sdk(answer, &self.subject)?;
        // Moves only here, with no await before the event is returned: a future dropped earlier has moved nothing.
        self.iterator = next;
        Ok(event)
    }
}

/// The event and the iterator behind it.
///
/// An empty iterator counts as absent. Child shards beside an iterator are not an end: the end comes with the answer
/// that has no iterator.
fn event_from_sdk(answer: GetRecordsOutput, subject: &str) -> Result<(ShardEvent, Option<String>), ReadError> {
    let records = answer.records.into_iter().map(record_from_sdk).collect::<Result<Vec<_>, _>>();
    let records = records.map_err(|error| {
        let corrupt = ReadError::new(ErrorKind::Corrupt, Operation::GetRecords.name(), subject);
        corrupt.with_hint("a record has no valid sequence number").with_source(error)
    })?;
    let next = answer.next_shard_iterator.filter(|iterator| !iterator.is_empty());
    let end = match next {
        Some(_) => None,
        None => Some(ShardEndEvent { children: children_from_sdk(answer.child_shards.unwrap_or_default()) }),
    };
    Ok((ShardEvent { records, millis_behind_latest: answer.millis_behind_latest, end }, next))
}

#[cfg(test)]
mod tests;
