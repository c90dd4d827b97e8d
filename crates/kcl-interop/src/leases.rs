//! The lease table as the driver sees it: through our own store, and for seeding without it.

use std::collections::{BTreeMap, BTreeSet};

use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::AttributeValue;
use kcl::backend::{DynamoLeaseStore, Lease, LeaseStore as _, Shard};

use crate::failure::Failure;

/// Writes the rows that a Java worker writes at its first start, attribute by attribute as it does. It then does not wait as
/// long as it would for an empty table.
///
/// # Errors
/// If the table refuses.
pub(crate) async fn seed(dynamodb: &SdkConfig, table: &str, shards: &[Shard]) -> Result<(), Failure> {
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
            .item("startingHashKey", text(&shard.hash_range.start.to_string()))
            .item("endingHashKey", text(&shard.hash_range.end.to_string()));
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
