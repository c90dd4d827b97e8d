//! A producer that knows what the stream has acknowledged.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::PutRecordsRequestEntry;
use bytes::Bytes;
use kcl_aggregation::{Aggregator, PackedRecord};
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{debug, warn};

/// The most records in one PutRecords request (API reference, PutRecords).
const REQUEST_RECORDS_MOST: usize = 500;
/// The most bytes in one request, below the service's bound, which counts partition keys too.
const REQUEST_BYTES_MOST: usize = 4 * 1024 * 1024;
/// How often what was refused is sent again.
const ATTEMPTS_MOST: u32 = 10;
const BACKOFF_FIRST: Duration = Duration::from_millis(100);
const BACKOFF_MOST: Duration = Duration::from_secs(2);

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// One record as the application sees it.
#[derive(Clone, PartialEq, Eq)]
pub struct UserRecord {
    /// What tells it from every other record, for counting.
    pub id: u64,
    /// The partition key: records of one key stay in order.
    pub partition_key: String,
    /// The payload.
    pub data: Bytes,
}

impl UserRecord {
    /// A record whose payload carries its number, so that a consumer can tell which records it saw: JSON like
    /// `{"id":17,"note":"user record 17"}`.
    pub fn numbered(id: u64, partition_key: impl Into<String>) -> Self {
        let data = serde_json::json!({ "id": id, "note": format!("user record {id}") }).to_string();
        Self { id, partition_key: partition_key.into(), data: data.into() }
    }
}

/// The number in the payload of a [`UserRecord::numbered`]; `None` for any other payload.
pub fn record_id(data: &[u8]) -> Option<u64> {
    serde_json::from_slice::<serde_json::Value>(data).ok()?.get("id")?.as_u64()
}

/// How user records become records of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// One by one.
    Plain,
    /// Many in one, as the Kinesis Producer Library does it.
    Aggregated,
}

/// Why not everything was put.
#[derive(Debug)]
pub struct PutError {
    /// The ids that the stream did acknowledge.
    pub acknowledged: Vec<u64>,
    /// How many user records it did not, or not that it said.
    pub missing: usize,
    source: BoxError,
}

impl std::fmt::Display for PutError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the stream did not take every record: acknowledged={} missing={}", self.acknowledged.len(), self.missing)
    }
}

impl std::error::Error for PutError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.source)
    }
}

/// Puts records on one stream at a bounded pace.
#[derive(Debug)]
pub struct Producer {
    client: Client,
    stream: String,
    per_record: Duration,
    next: Instant,
}

/// A record of the stream and the ids of the user records in it.
struct Entry {
    ids: Vec<u64>,
    request: PutRecordsRequestEntry,
    bytes: usize,
}

impl Producer {
    /// A producer for `stream` that puts at most `records_per_second` records of the stream (0 counts as 1).
    ///
    /// A shard takes 1,000 records and 1 MB a second; keep the pace below that times the number of shards. What the
    /// service refuses nevertheless is sent again.
    pub fn new(client: Client, stream: impl Into<String>, records_per_second: u32) -> Self {
        let per_record = Duration::from_secs(1) / records_per_second.max(1);
        Self { client, stream: stream.into(), per_record, next: Instant::now() }
    }

    /// Puts all of these and yields their ids, in the order in which the stream acknowledged them.
    ///
    /// Entries that were refused are sent again, with back-off, and may then land behind later ones; a request whose
    /// answer was lost is sent again too, so that a record may be on the stream twice. Aggregates hold records of one
    /// partition key only, so that each of their user records belongs to the shard that they land on, also after a split.
    ///
    /// # Errors
    /// If records are left after the last attempt. It holds the ids that were acknowledged.
    pub async fn put(&mut self, records: Vec<UserRecord>, packing: Packing) -> Result<Vec<u64>, PutError> {
        let mut acknowledged = Vec::with_capacity(records.len());
        let total = records.len();
        let outcome = match entries(records, packing) {
            Ok(entries) => self.put_entries(entries, &mut acknowledged).await,
            Err(error) => Err(error),
        };
        match outcome {
            Ok(()) => Ok(acknowledged),
            Err(source) => Err(PutError { missing: total - acknowledged.len(), acknowledged, source }),
        }
    }

    async fn put_entries(&mut self, mut left: Vec<Entry>, acknowledged: &mut Vec<u64>) -> Result<(), BoxError> {
        let mut backoff = BACKOFF_FIRST;
        let mut attempts = 0;
        while !left.is_empty() {
            let rest = left.split_off(request_length(&left));
            let sent = left.len();
            self.keep_pace(sent).await;
            let refused = self.send(left, acknowledged).await?;
            if refused.is_empty() {
                attempts = 0;
                backoff = BACKOFF_FIRST;
            } else {
                attempts += 1;
                warn!(stream = %self.stream, sent, refused = refused.len(), attempts, "the stream refused records");
                if attempts >= ATTEMPTS_MOST {
                    return Err(format!("records were refused again and again: attempts={attempts}").into());
                }
                sleep(backoff).await;
                backoff = (backoff * 2).min(BACKOFF_MOST);
            }
            left = refused;
            left.extend(rest);
        }
        Ok(())
    }

    /// One request. Yields what was refused.
    async fn send(&self, entries: Vec<Entry>, acknowledged: &mut Vec<u64>) -> Result<Vec<Entry>, BoxError> {
        let requests = entries.iter().map(|entry| entry.request.clone()).collect();
        let answer = self.client.put_records().stream_name(&self.stream).set_records(Some(requests)).send().await?;
        if answer.records().len() != entries.len() {
            return Err("the answer is not about the records that were sent".into());
        }
        let mut refused = Vec::new();
        for (entry, result) in entries.into_iter().zip(answer.records()) {
            match result.error_code() {
                None => acknowledged.extend(entry.ids),
                Some(code) => {
                    debug!(code, message = result.error_message(), "a record was refused");
                    refused.push(entry);
                }
            }
        }
        Ok(refused)
    }

    async fn keep_pace(&mut self, records: usize) {
        sleep_until(self.next).await;
        let records = u32::try_from(records).unwrap_or(u32::MAX);
        self.next = Instant::now() + self.per_record.saturating_mul(records);
    }
}

/// How many entries fit into one request: at least one.
fn request_length(entries: &[Entry]) -> usize {
    let mut bytes = 0;
    let fitting = entries.iter().take(REQUEST_RECORDS_MOST).take_while(|entry| {
        bytes += entry.bytes;
        bytes <= REQUEST_BYTES_MOST
    });
    fitting.count().max(1).min(entries.len())
}

fn entries(records: Vec<UserRecord>, packing: Packing) -> Result<Vec<Entry>, BoxError> {
    match packing {
        Packing::Plain => records.into_iter().map(plain).collect(),
        Packing::Aggregated => {
            let mut by_key: BTreeMap<String, Vec<UserRecord>> = BTreeMap::new();
            for record in records {
                by_key.entry(record.partition_key.clone()).or_default().push(record);
            }
            let mut entries = Vec::new();
            for records in by_key.into_values() {
                aggregate(records, &mut entries)?;
            }
            Ok(entries)
        }
    }
}

fn plain(record: UserRecord) -> Result<Entry, BoxError> {
    let bytes = record.data.len() + record.partition_key.len();
    let data = Blob::new(record.data);
    let request = PutRecordsRequestEntry::builder().data(data).partition_key(record.partition_key).build()?;
    Ok(Entry { ids: vec![record.id], request, bytes })
}

/// Packs records of one partition key.
fn aggregate(records: Vec<UserRecord>, entries: &mut Vec<Entry>) -> Result<(), BoxError> {
    let mut aggregator = Aggregator::default();
    let mut pending = Vec::new();
    for record in records {
        if let Some(full) = aggregator.add(&record.partition_key, None, record.data)? {
            entries.push(packed(full, std::mem::take(&mut pending))?);
        }
        pending.push(record.id);
    }
    if let Some(last) = aggregator.finish() {
        entries.push(packed(last, pending)?);
    }
    Ok(())
}

fn packed(record: PackedRecord, ids: Vec<u64>) -> Result<Entry, BoxError> {
    let bytes = record.data.len() + record.partition_key.len();
    let request = PutRecordsRequestEntry::builder()
        .data(Blob::new(record.data))
        .partition_key(&*record.partition_key)
        .set_explicit_hash_key(record.explicit_hash_key.map(|key| key.to_string()))
        .build()?;
    Ok(Entry { ids, request, bytes })
}

#[cfg(test)]
mod tests;
