use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_kinesis::Client;
use aws_types::SdkConfig;
use kcl_core::{ErrorKind, ReadError, ReadPosition, Shard, ShardFilter, ShardId, ShardReader, StreamReader};

use crate::client::single_attempt_client;
use crate::listing::list_all;
use crate::shard_reader::PollingShardReader;
use crate::stream::StreamRef;

/// The most records `GetRecords` gives in one answer (API reference, GetRecords).
const LIMIT_MAX: u32 = 10_000;

/// Reads a Kinesis stream by polling.
///
/// Every call of a shard reader is one `GetRecords`; `open` is one `GetShardIterator`; a listing is one `ListShards`
/// per page. Errors of all of them name the request, what failed and what to do about it.
pub struct KinesisStreamReader {
    client: Client,
    stream: Arc<StreamRef>,
    limit: i32,
}

impl KinesisStreamReader {
    /// A reader of `stream`, a stream name or a stream ARN, that asks for at most `limit` records at a time.
    ///
    /// `limit` is 1 to 10,000. Requests for a stream given by ARN carry `StreamARN` and reach streams of other
    /// accounts. The client should have its retries switched off: the runtime calls again itself, and a client that
    /// sleeps between attempts holds a shard up unseen. [`from_config`](Self::from_config) makes such a client.
    ///
    /// # Errors
    /// `Invalid` if `stream` is neither a name nor an ARN, if `limit` is out of range, if the client has no region,
    /// or if its region is not that of the ARN.
    pub fn new(client: Client, stream: &str, limit: u32) -> Result<Self, ReadError> {
        let invalid = |hint: String| ReadError::new(ErrorKind::Invalid, "configure", stream).with_hint(hint);
        let parsed = StreamRef::parse(stream)?;
        let limit = i32::try_from(limit).ok().filter(|_| (1..=LIMIT_MAX).contains(&limit));
        let limit = limit.ok_or_else(|| invalid(format!("the records per call must be 1 to {LIMIT_MAX}")))?;
        let Some(region) = client.config().region() else {
            return Err(invalid("no region: set one in the AWS configuration".to_owned()));
        };
        // The Java library refuses this too (`StreamIdentifier.java`): the request would be signed for another region.
        if let Some(of_arn) = parsed.region().filter(|of_arn| *of_arn != region.as_ref()) {
            return Err(invalid(format!("the stream is in another region than the client: stream={of_arn} client={region}")));
        }
        Ok(Self { client, stream: Arc::new(parsed), limit })
    }

    /// A reader with a client of its own: that of `config`, but without retries, with 3 seconds to connect and
    /// 30 seconds per request.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn from_config(config: &SdkConfig, stream: &str, limit: u32) -> Result<Self, ReadError> {
        Self::new(single_attempt_client(config), stream, limit)
    }

    /// The stream, as it was given: a name or an ARN.
    pub fn stream(&self) -> &str {
        self.stream.as_str()
    }
}

/// The client is left out: it is long and may name endpoints and credential sources.
impl fmt::Debug for KinesisStreamReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KinesisStreamReader").field("stream", &self.stream).field("limit", &self.limit).finish_non_exhaustive()
    }
}

#[async_trait]
impl StreamReader for KinesisStreamReader {
    async fn list_shards(&self, filter: ShardFilter) -> Result<Vec<Shard>, ReadError> {
        list_all(&self.client, &self.stream, filter).await
    }

    async fn open(&self, shard: &ShardId, position: &ReadPosition) -> Result<Box<dyn ShardReader>, ReadError> {
        let reader = PollingShardReader::open(self.client.clone(), Arc::clone(&self.stream), shard, position, self.limit).await?;
        Ok(Box::new(reader))
    }
}

#[cfg(test)]
mod tests;
