//! A second decoder, made by `prost` from the message's schema, to compare with.

use bytes::Bytes;
use prost::Message;

/// Required fields are optional and keys are bytes here, so that their absence and broken UTF-8 can be seen.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct AggregatedRecord {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub(crate) partition_key_table: Vec<Bytes>,
    #[prost(bytes = "bytes", repeated, tag = "2")]
    pub(crate) explicit_hash_key_table: Vec<Bytes>,
    #[prost(message, repeated, tag = "3")]
    pub(crate) records: Vec<Record>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Record {
    #[prost(uint64, optional, tag = "1")]
    pub(crate) partition_key_index: Option<u64>,
    #[prost(uint64, optional, tag = "2")]
    pub(crate) explicit_hash_key_index: Option<u64>,
    #[prost(bytes = "bytes", optional, tag = "3")]
    pub(crate) data: Option<Bytes>,
    #[prost(message, repeated, tag = "4")]
    pub(crate) tags: Vec<Tag>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Tag {
    #[prost(bytes = "bytes", optional, tag = "1")]
    pub(crate) key: Option<Bytes>,
    #[prost(bytes = "bytes", optional, tag = "2")]
    pub(crate) value: Option<Bytes>,
}

/// Partition key, explicit hash key, data.
pub(crate) type Flat = (String, Option<String>, Bytes);

/// The user records, or the label of the reason why there are none.
pub(crate) fn resolve(message: &AggregatedRecord) -> Result<Vec<Flat>, &'static str> {
    let complete = |record: &Record| {
        let tags_are_complete = record.tags.iter().all(|tag| tag.key.is_some());
        record.partition_key_index.is_some() && record.data.is_some() && tags_are_complete
    };
    if !message.records.iter().all(complete) {
        return Err("protobuf");
    }
    message.records.iter().map(|record| resolve_record(message, record)).collect()
}

fn resolve_record(message: &AggregatedRecord, record: &Record) -> Result<Flat, &'static str> {
    let partition_key = lookup(&message.partition_key_table, record.partition_key_index.unwrap_or_default())?;
    let explicit_hash_key = match record.explicit_hash_key_index {
        Some(index) => Some(lookup(&message.explicit_hash_key_table, index)?),
        None => None,
    };
    let is_a_hash_key = |key: &String| {
        let is_zero = |digits: &str| !digits.is_empty() && digits.bytes().all(|digit| digit == b'0');
        key.parse::<u128>().is_ok() || key.strip_prefix('-').is_some_and(is_zero)
    };
    if explicit_hash_key.as_ref().is_some_and(|key| !is_a_hash_key(key)) {
        return Err("hash_key");
    }
    Ok((partition_key, explicit_hash_key, record.data.clone().unwrap_or_default()))
}

fn lookup(table: &[Bytes], index: u64) -> Result<String, &'static str> {
    let key = usize::try_from(index).ok().and_then(|slot| table.get(slot)).ok_or("index")?;
    Ok(String::from_utf8_lossy(key).into_owned())
}
