use std::collections::BTreeSet;

use aws_sdk_kinesis::types::{ChildShard as SdkChildShard, HashKeyRange as SdkHashKeyRange, Shard as SdkShard};
use kcl_core::{ChildShard, ErrorKind, HashKeyRange, ReadError, SequenceNumber, Shard, ShardId};

use crate::error::Operation;
use crate::stream::StreamRef;

/// A listed shard. `Corrupt`, naming the shard, if any of what its lease will be built from cannot be understood.
pub(crate) fn shard_from_sdk(shard: SdkShard, stream: &StreamRef) -> Result<Shard, ReadError> {
    let id = ShardId::from(shard.shard_id);
    let corrupt = |hint: String| {
        ReadError::new(ErrorKind::Corrupt, Operation::ListShards.name(), stream.shard_subject(&id)).with_hint(hint)
    };
    if id.is_empty() {
        return Err(corrupt("a listed shard has no id".to_owned()));
    }
    let hash_range = shard.hash_key_range.as_ref().and_then(hash_range_from_sdk).ok_or_else(|| {
        let listed = shard.hash_key_range.as_ref().map_or_else(|| "none".to_owned(), hash_range_text);
        corrupt(format!("the hash keys are not two ascending decimal numbers below 2^128: range={listed}"))
    })?;
    // Without the range it cannot be told whether the shard is open.
    let Some(sequence_numbers) = shard.sequence_number_range else {
        return Err(corrupt("the shard has no sequence number range".to_owned()));
    };
    let number =
        |text: &str| SequenceNumber::new(text).map_err(|error| corrupt("bad sequence number".to_owned()).with_source(error));
    let starting = Some(sequence_numbers.starting_sequence_number.as_str()).filter(|text| !text.is_empty());
    let parents = [shard.parent_shard_id, shard.adjacent_parent_shard_id];
    Ok(Shard {
        parents: distinct_ids(parents.into_iter().flatten()),
        hash_range,
        starting_sequence_number: starting.map(number).transpose()?,
        ending_sequence_number: sequence_numbers.ending_sequence_number.as_deref().map(number).transpose()?,
        id,
    })
}

/// The shards that the end of a shard names, each once.
///
/// Empty if one of them has no id or no parents: a child that seems to have fewer parents than it has could be
/// started too early, so such a list counts as absent and the caller lists the shards.
pub(crate) fn children_from_sdk(children: Vec<SdkChildShard>) -> Vec<ChildShard> {
    let mut seen = BTreeSet::new();
    let mut converted = Vec::with_capacity(children.len());
    for child in children {
        let parents = distinct_ids(child.parent_shards);
        if child.shard_id.is_empty() || parents.is_empty() {
            tracing::warn!(child = child.shard_id, "child shard without id or parents at the end of a shard");
            return Vec::new();
        }
        let id = ShardId::from(child.shard_id);
        if seen.insert(id.clone()) {
            let hash_range = child.hash_key_range.as_ref().and_then(hash_range_from_sdk);
            converted.push(ChildShard { id, parents, hash_range });
        }
    }
    converted
}

fn distinct_ids(texts: impl IntoIterator<Item = String>) -> Vec<ShardId> {
    let mut ids: Vec<ShardId> = Vec::new();
    for text in texts {
        // A list of parents is two long at most.
        if !text.is_empty() && !ids.iter().any(|id| *id == text.as_str()) {
            ids.push(ShardId::from(text));
        }
    }
    ids
}

fn hash_range_from_sdk(range: &SdkHashKeyRange) -> Option<HashKeyRange> {
    HashKeyRange::new(hash_key(&range.starting_hash_key)?, hash_key(&range.ending_hash_key)?)
}

fn hash_key(text: &str) -> Option<u128> {
    // `parse` alone would take a plus sign.
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn hash_range_text(range: &SdkHashKeyRange) -> String {
    format!("{:?}..={:?}", range.starting_hash_key, range.ending_hash_key)
}

#[cfg(test)]
mod tests;
