//! The lease table as the driver sees it: through our own store, and for seeding without it.

use std::collections::{BTreeMap, BTreeSet};

use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::AttributeValue;
use kcl::backend::{DynamoLeaseStore, Lease, LeaseStore as _};

use crate::failure::Failure;

/// A shard as the stream lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ShardRow {
    /// Its name.
    pub(crate) id: String,
    /// Its first and last hash key.
    pub(crate) range: (u128, u128),
    /// The shards that it comes from.
    pub(crate) parents: Vec<String>,
}

/// The shards of a stream, closed ones too.
///
/// # Errors
/// If they cannot be listed.
pub(crate) async fn shards(client: &aws_sdk_kinesis::Client, stream: &str) -> Result<Vec<ShardRow>, Failure> {
    let answer = client.list_shards().stream_name(stream).send().await;
    let answer = answer.map_err(|error| Failure::of("shards cannot be listed", &error))?;
    answer.shards().iter().map(shard_row).collect()
}

fn shard_row(shard: &aws_sdk_kinesis::types::Shard) -> Result<ShardRow, Failure> {
    let strange = || Failure::new(format!("a shard has no hash range: shard={}", shard.shard_id()));
    let range = shard.hash_key_range().ok_or_else(strange)?;
    let key = |text: &str| text.parse::<u128>().map_err(|_| strange());
    let parents = [shard.parent_shard_id(), shard.adjacent_parent_shard_id()];
    Ok(ShardRow {
        id: shard.shard_id().to_owned(),
        range: (key(range.starting_hash_key())?, key(range.ending_hash_key())?),
        parents: parents.into_iter().flatten().map(str::to_owned).collect(),
    })
}

/// Writes the rows that a Java worker writes at its first start, attribute by attribute as it does. It then does not wait as
/// long as it would for an empty table.
///
/// # Errors
/// If the table refuses.
pub(crate) async fn seed(dynamodb: &SdkConfig, table: &str, shards: &[ShardRow]) -> Result<(), Failure> {
    let client = aws_sdk_dynamodb::Client::new(dynamodb);
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let zero = || AttributeValue::N("0".to_owned());
    for shard in shards {
        let row = client
            .put_item()
            .table_name(table)
            .item("leaseKey", text(&shard.id))
            .item("leaseCounter", zero())
            .item("ownerSwitchesSinceCheckpoint", zero())
            .item("checkpoint", text("TRIM_HORIZON"))
            .item("checkpointSubSequenceNumber", zero())
            .item("startingHashKey", text(&shard.range.0.to_string()))
            .item("endingHashKey", text(&shard.range.1.to_string()));
        row.send().await.map_err(|error| Failure::of("a row cannot be put", &error))?;
    }
    Ok(())
}

/// The rows; none while there is no table.
pub(crate) async fn rows(store: &DynamoLeaseStore) -> Vec<Lease> {
    store.scan().await.map(|scan| scan.leases).unwrap_or_default()
}

/// How many leases each worker holds; those of finished shards count like others, as in every worker's own reckoning.
pub(crate) fn held(rows: &[Lease]) -> BTreeMap<String, usize> {
    let mut held = BTreeMap::new();
    for owner in rows.iter().filter_map(|lease| lease.owner.as_ref()) {
        *held.entry(owner.to_string()).or_default() += 1;
    }
    held
}

/// Whether exactly these workers hold all leases, and their numbers differ by one at most.
pub(crate) fn balanced(rows: &[Lease], workers: &[String]) -> bool {
    let held = held(rows);
    let owners: BTreeSet<&String> = held.keys().collect();
    let (least, most) = (held.values().min().copied().unwrap_or(0), held.values().max().copied().unwrap_or(0));
    rows.iter().all(|lease| lease.owner.is_some()) && owners == workers.iter().collect() && most - least <= 1
}

/// A row as `ListLeases.java` prints it.
pub(crate) fn as_java_lists(table: &str, lease: &Lease) -> String {
    let joined = |shards: &[kcl::ShardId]| {
        let names: BTreeSet<String> = shards.iter().map(ToString::to_string).collect();
        if names.is_empty() { "-".to_owned() } else { names.into_iter().collect::<Vec<_>>().join(",") }
    };
    let columns = [
        "lease".to_owned(),
        table.to_owned(),
        lease.key.to_string(),
        lease.owner.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string),
        lease.counter.value().to_string(),
        lease.owner_switches.to_string(),
        lease.checkpoint.as_text().to_owned(),
        lease.checkpoint.sub_sequence_number().to_string(),
        joined(&lease.parents),
        joined(&lease.children),
        lease.hash_range.as_ref().map_or_else(|| "-".to_owned(), |range| format!("{}..{}", range.start, range.end)),
    ];
    columns.join("\t")
}
