//! Traffic for the local mode: numbered records, half of them aggregated, and a shard that splits under way.

use std::time::Duration;

use aws_sdk_kinesis::Client;

use crate::ledger::Ledger;
use crate::local::wait_until_active;
use crate::producer::{Packing, Producer, UserRecord};

/// How many batches a small run is cut into, so that there is traffic before and after the split.
const BATCHES: u64 = 24;
const BATCH_MOST: u64 = 500;
/// Between two batches, so that even a small run lasts long enough to watch.
const BETWEEN_BATCHES: Duration = Duration::from_millis(150);
/// Far below what four shards take.
const RECORDS_PER_SECOND: u32 = 3000;
/// Different partition keys. They spread over the shards by their hashes.
const KEYS: u64 = 97;
/// How many neighbouring records have the same key, and so go into one aggregate.
const NEIGHBOURS: u64 = 5;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Puts records number 0 to `count - 1`, every second batch aggregated, and splits the stream's first shard half-way. Tells
/// the ledger what was acknowledged.
///
/// # Errors
/// If the stream does not take a record or cannot be split.
pub async fn put_and_split(client: Client, stream: &str, count: u64, ledger: &Ledger) -> Result<(), BoxError> {
    let mut producer = Producer::new(client.clone(), stream, RECORDS_PER_SECOND);
    let batch = (count / BATCHES).clamp(1, BATCH_MOST);
    let mut split = false;
    for (number, first) in (0..count).step_by(usize::try_from(batch)?).enumerate() {
        if !split && first >= count / 2 {
            split_first_shard(&client, stream).await?;
            split = true;
        }
        let ids = first..(first + batch).min(count);
        let records = ids.map(|id| UserRecord::numbered(id, format!("key-{}", id / NEIGHBOURS % KEYS))).collect();
        let packing = if number % 2 == 0 { Packing::Plain } else { Packing::Aggregated };
        match producer.put(records, packing).await {
            Ok(acknowledged) => ledger.acknowledge(&acknowledged),
            Err(error) => {
                ledger.acknowledge(&error.acknowledged);
                return Err(error.into());
            }
        }
        tokio::time::sleep(BETWEEN_BATCHES).await;
    }
    Ok(())
}

/// Splits the first shard of a stream in the middle of its hash keys.
async fn split_first_shard(client: &Client, stream: &str) -> Result<(), BoxError> {
    let shards = client.list_shards().stream_name(stream).send().await?;
    let shard = shards.shards().first().ok_or("the stream has no shard")?;
    let range = shard.hash_key_range().ok_or("the shard has no range of hash keys")?;
    let (low, high): (u128, u128) = (range.starting_hash_key().parse()?, range.ending_hash_key().parse()?);
    let middle = low + (high - low) / 2 + 1;
    tracing::info!(shard = shard.shard_id(), "splitting a shard");
    let request = client.split_shard().stream_name(stream).shard_to_split(shard.shard_id());
    request.new_starting_hash_key(middle.to_string()).send().await?;
    wait_until_active(client, stream).await
}
