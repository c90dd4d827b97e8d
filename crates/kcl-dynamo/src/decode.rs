//! A row of the table, read as a lease.
//!
//! As tolerant as the Java reader (`DynamoDBLeaseSerializer.java`): unknown attributes are ignored, and every attribute
//! may be missing but the key, the counter and the checkpoint. What is there must have the right type.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use bytes::Bytes;
use kcl_core::{
    Checkpoint, HashKeyRange, InvalidSequenceNumber, Lease, LeaseCounter, LeaseKey, PendingCheckpoint, ShardId, TenureToken,
    Wall, WorkerId,
};

use crate::attributes::{self as name, Row};

/// Why a row is not readable as a lease.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RowError {
    #[error("an attribute is missing: attribute={attribute}")]
    Missing { attribute: &'static str },
    #[error("an attribute has the wrong type: attribute={attribute} expected={expected} found={found}")]
    Type { attribute: &'static str, expected: &'static str, found: &'static str },
    #[error("an attribute is not a whole number in range: attribute={attribute} text={text:?}")]
    Number { attribute: &'static str, text: String },
    #[error("an attribute is neither a sequence number nor a sentinel: attribute={attribute} text={text:?}")]
    Checkpoint { attribute: &'static str, text: String, source: InvalidSequenceNumber },
    #[error("the hash range does not ascend: start={start} end={end}")]
    HashRange { start: u128, end: u128 },
}

/// The lease that the row holds; `None` if the row says that it is something else than a lease.
pub(crate) fn lease(row: &Row) -> Result<Option<Lease>, RowError> {
    if !is_lease(row)? {
        return Ok(None);
    }
    let key = required(name::LEASE_KEY, text(row, name::LEASE_KEY)?)?;
    let position = required(name::CHECKPOINT, text(row, name::CHECKPOINT)?)?;
    let checkpoint = checkpoint(name::CHECKPOINT, position, count(row, name::CHECKPOINT_SUB)?)?;
    Ok(Some(Lease {
        owner: text(row, name::LEASE_OWNER)?.map(WorkerId::from),
        counter: LeaseCounter::new(required(name::LEASE_COUNTER, count(row, name::LEASE_COUNTER)?)?),
        owner_switches: count(row, name::OWNER_SWITCHES)?.unwrap_or(0),
        pending: pending(row)?,
        parents: shard_ids(row, name::PARENTS)?,
        children: shard_ids(row, name::CHILDREN)?,
        hash_range: hash_range(row)?,
        checkpoint_owner: text(row, name::CHECKPOINT_OWNER)?.map(WorkerId::from),
        latest_since: whole::<i64>(row, name::LATEST_SINCE)?.map(Wall::from_unix_millis),
        tenure: whole::<u64>(row, name::TENURE)?.map(TenureToken::new),
        hands_off: text(row, name::HANDS_OFF)?.map(WorkerId::from),
        requested_by: text(row, name::REQUESTED_BY)?.map(WorkerId::from),
        ..Lease::new(LeaseKey::from(key), checkpoint)
    }))
}

/// The row's key for a report, also where the rest is unreadable.
pub(crate) fn key_for_report(row: &Row) -> String {
    match row.get(name::LEASE_KEY) {
        Some(AttributeValue::S(key)) => key.clone(),
        _ => String::new(),
    }
}

fn is_lease(row: &Row) -> Result<bool, RowError> {
    Ok(text(row, name::ENTITY_TYPE)?.is_none_or(|entity| entity == name::ENTITY_TYPE_LEASE))
}

fn checkpoint(attribute: &'static str, text: &str, sub: Option<u64>) -> Result<Checkpoint, RowError> {
    Checkpoint::from_text(text, sub.unwrap_or(0)).map_err(|source| RowError::Checkpoint {
        attribute,
        text: excerpt(text),
        source,
    })
}

fn pending(row: &Row) -> Result<Option<PendingCheckpoint>, RowError> {
    let Some(position) = text(row, name::PENDING)?.filter(|position| !position.is_empty()) else {
        return Ok(None);
    };
    let checkpoint = checkpoint(name::PENDING, position, count(row, name::PENDING_SUB)?)?;
    Ok(Some(PendingCheckpoint { checkpoint, state: bytes(row, name::PENDING_STATE)? }))
}

/// The range, if both ends are there. A range of a single hash is read although Java cannot.
fn hash_range(row: &Row) -> Result<Option<HashKeyRange>, RowError> {
    let (Some(start), Some(end)) = (hash_key(row, name::STARTING_HASH_KEY)?, hash_key(row, name::ENDING_HASH_KEY)?) else {
        return Ok(None);
    };
    HashKeyRange::new(start, end).map(Some).ok_or(RowError::HashRange { start, end })
}

fn hash_key(row: &Row, attribute: &'static str) -> Result<Option<u128>, RowError> {
    let digits = text(row, attribute)?.filter(|digits| !digits.is_empty());
    digits.map(|digits| parse(attribute, digits)).transpose()
}

/// The members of a string set in ascending order, so that equal sets are equal lists.
fn shard_ids(row: &Row, attribute: &'static str) -> Result<Vec<ShardId>, RowError> {
    match row.get(attribute) {
        None => Ok(Vec::new()),
        Some(AttributeValue::Ss(ids)) => {
            let ascending: BTreeSet<&str> = ids.iter().map(String::as_str).collect();
            Ok(ascending.into_iter().map(ShardId::from).collect())
        }
        Some(other) => Err(wrong_type(attribute, "SS", other)),
    }
}

fn text<'a>(row: &'a Row, attribute: &'static str) -> Result<Option<&'a str>, RowError> {
    match row.get(attribute) {
        None => Ok(None),
        Some(AttributeValue::S(text)) => Ok(Some(text)),
        Some(other) => Err(wrong_type(attribute, "S", other)),
    }
}

fn bytes(row: &Row, attribute: &'static str) -> Result<Option<Bytes>, RowError> {
    match row.get(attribute) {
        None => Ok(None),
        Some(AttributeValue::B(blob)) => Ok(Some(Bytes::copy_from_slice(blob.as_ref()))),
        Some(other) => Err(wrong_type(attribute, "B", other)),
    }
}

/// A number that Java reads as a `Long` and that is never negative.
fn count(row: &Row, attribute: &'static str) -> Result<Option<u64>, RowError> {
    let Some(number) = whole::<i64>(row, attribute)? else { return Ok(None) };
    let count = u64::try_from(number).map_err(|_| RowError::Number { attribute, text: number.to_string() })?;
    Ok(Some(count))
}

fn whole<T: std::str::FromStr>(row: &Row, attribute: &'static str) -> Result<Option<T>, RowError> {
    match row.get(attribute) {
        None => Ok(None),
        Some(AttributeValue::N(digits)) => parse(attribute, digits).map(Some),
        Some(other) => Err(wrong_type(attribute, "N", other)),
    }
}

fn parse<T: std::str::FromStr>(attribute: &'static str, text: &str) -> Result<T, RowError> {
    // `from_str` would also take a plus sign, which Java writes nowhere.
    let number = if text.starts_with('+') { None } else { text.parse().ok() };
    number.ok_or_else(|| RowError::Number { attribute, text: excerpt(text) })
}

fn required<T>(attribute: &'static str, value: Option<T>) -> Result<T, RowError> {
    value.ok_or(RowError::Missing { attribute })
}

fn wrong_type(attribute: &'static str, expected: &'static str, found: &AttributeValue) -> RowError {
    let found = match found {
        AttributeValue::B(_) => "B",
        AttributeValue::Bool(_) => "BOOL",
        AttributeValue::Bs(_) => "BS",
        AttributeValue::L(_) => "L",
        AttributeValue::M(_) => "M",
        AttributeValue::N(_) => "N",
        AttributeValue::Ns(_) => "NS",
        AttributeValue::Null(_) => "NULL",
        AttributeValue::S(_) => "S",
        AttributeValue::Ss(_) => "SS",
        _ => "unknown",
    };
    RowError::Type { attribute, expected, found }
}

/// As much of a stored text as a report should carry: a row may be up to 400 KB.
fn excerpt(text: &str) -> String {
    text.chars().take(100).collect()
}
