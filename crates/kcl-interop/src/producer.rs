//! A producer that knows what the stream has acknowledged.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::PutRecordsRequestEntry;
use kcl_aggregation::Aggregator;

use crate::failure::Failure;

/// Between two requests: the server takes a few hundred records a second on a busy machine, and every shard gets some.
const BETWEEN_REQUESTS: Duration = Duration::from_millis(300);
/// Records of each request, one by one and in one aggregate.
const PLAIN: u64 = 6;
const AGGREGATED: u64 = 4;

/// Numbers that the stream has acknowledged; clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Acknowledged(Arc<Mutex<BTreeSet<u64>>>);

impl Acknowledged {
    /// The numbers so far.
    pub(crate) fn numbers(&self) -> BTreeSet<u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many.
    pub(crate) fn count(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn add(&self, numbers: impl IntoIterator<Item = u64>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(numbers);
    }
}

/// Records under way: a running task.
#[derive(Debug)]
pub(crate) struct Producer {
    stop: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<()>,
}

impl Producer {
    /// Puts records on every shard, numbered from `first` on, until it is stopped.
    pub(crate) fn start(client: Client, stream: String, first: u64, acknowledged: Acknowledged) -> Self {
        Self::with(client, stream, first, (PLAIN + AGGREGATED, BETWEEN_REQUESTS), mixed, acknowledged)
    }

    /// The same with one record on each shard every so often; so many shards divide all hashes evenly.
    pub(crate) fn start_evenly(
        client: Client,
        stream: String,
        first: u64,
        shards: u32,
        every: Duration,
        acknowledged: Acknowledged,
    ) -> Self {
        let entries = move |first| even(first, shards);
        Self::with(client, stream, first, (u64::from(shards), every), entries, acknowledged)
    }

    fn with(
        client: Client,
        stream: String,
        first: u64,
        (numbers, pause): (u64, Duration),
        entries: impl Fn(u64) -> Result<Vec<Entry>, Failure> + Send + 'static,
        acknowledged: Acknowledged,
    ) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let task = tokio::spawn(async move {
            let mut next = first;
            while !stopped.load(Ordering::Relaxed) {
                // What was refused, or not answered, is not acknowledged: it need not arrive, and may.
                if let Ok(entries) = entries(next) {
                    let _ = put(&client, &stream, entries, &acknowledged).await;
                }
                next += numbers;
                tokio::time::sleep(pause).await;
            }
        });
        Self { stop, task }
    }

    /// Lets the request under way end, and sends no more.
    pub(crate) async fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        // It ends by a panic at most, and then there is no more of it either.
        let _ = self.task.await;
    }
}

/// A record of the stream, and the numbers of the user records in it.
pub(crate) struct Entry {
    numbers: Vec<u64>,
    request: PutRecordsRequestEntry,
}

fn mixed(first: u64) -> Result<Vec<Entry>, Failure> {
    let mut entries = Vec::new();
    for number in first..first + PLAIN {
        let request = request(format!("key-{number}"), number.to_string().into_bytes(), None)?;
        entries.push(Entry { numbers: vec![number], request });
    }
    let first = first + PLAIN;
    entries.push(aggregate(&format!("key-{first}"), None, first..first + AGGREGATED)?);
    Ok(entries)
}

fn even(first: u64, shards: u32) -> Result<Vec<Entry>, Failure> {
    let width = u128::MAX / u128::from(shards);
    let numbered = (first..).zip(0..shards);
    let entry = |(number, shard): (u64, u32)| {
        let hash_key = (width * u128::from(shard) + width / 2).to_string();
        let request = request(format!("key-{number}"), number.to_string().into_bytes(), Some(hash_key))?;
        Ok(Entry { numbers: vec![number], request })
    };
    numbered.map(entry).collect()
}

/// One aggregate of these numbers, for the shard of the hash key, or else of the partition key.
///
/// # Errors
/// If it cannot be packed.
pub(crate) fn aggregate(key: &str, hash_key: Option<u128>, numbers: std::ops::Range<u64>) -> Result<Entry, Failure> {
    let mut aggregator = Aggregator::default();
    for number in numbers.clone() {
        let packed = aggregator.add(key, hash_key, number.to_string().into_bytes());
        if packed.map_err(|error| Failure::of("a record is too large", &error))?.is_some() {
            return Err(Failure::new("the records do not fit into one aggregate"));
        }
    }
    let packed = aggregator.finish().ok_or_else(|| Failure::new("there is nothing to put"))?;
    let hash_key = packed.explicit_hash_key.map(|key| key.to_string());
    Ok(Entry { numbers: numbers.collect(), request: request(packed.partition_key.to_string(), packed.data.to_vec(), hash_key)? })
}

fn request(key: String, data: Vec<u8>, hash_key: Option<String>) -> Result<PutRecordsRequestEntry, Failure> {
    let request = PutRecordsRequestEntry::builder().data(Blob::new(data)).partition_key(key).set_explicit_hash_key(hash_key);
    request.build().map_err(|error| Failure::of("a record is not complete", &error))
}

/// Puts these once, and notes what the stream acknowledged.
///
/// # Errors
/// If the request, or a record of it, fails.
pub(crate) async fn put(client: &Client, stream: &str, entries: Vec<Entry>, acknowledged: &Acknowledged) -> Result<(), Failure> {
    let requests = entries.iter().map(|entry| entry.request.clone()).collect();
    let answer = client.put_records().stream_name(stream).set_records(Some(requests)).send().await;
    let answer = answer.map_err(|error| Failure::of("records cannot be put", &error))?;
    let mut refused = 0;
    for (entry, result) in entries.into_iter().zip(answer.records()) {
        match result.error_code() {
            None => acknowledged.add(entry.numbers),
            Some(_) => refused += 1,
        }
    }
    if refused == 0 { Ok(()) } else { Err(Failure::new(format!("the stream refused records: count={refused}"))) }
}
