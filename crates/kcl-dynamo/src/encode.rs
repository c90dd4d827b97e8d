//! The attributes of a lease, as they are stored.
//!
//! Never an empty set or an empty name, and nothing is stored for a value that is absent: Java fails on empty values,
//! and `leaseOwner` is an index key in tables that KCL 3.x has used.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_types::Blob;
use kcl_core::{Checkpoint, HashKeyRange, Lease, PendingCheckpoint, ShardId, WorkerId};

use crate::attributes::{self as name, Row};

/// Why a lease cannot be stored so that every worker of the table could read it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unstorable {
    #[error("a worker id must not be empty")]
    EmptyWorkerId,
    #[error("Java workers cannot read a hash range of a single hash: hash={hash}")]
    SingleHash { hash: u128 },
}

/// The row of a new lease: the attributes that KCL 2.x writes, and ours.
pub(crate) fn new_row(lease: &Lease) -> Result<Row, Unstorable> {
    let mut row = Row::new();
    let mut put = |attribute: &str, value| row.insert(attribute.to_owned(), value);
    put(name::LEASE_KEY, text(&lease.key));
    put(name::LEASE_COUNTER, number(lease.counter.value()));
    put(name::OWNER_SWITCHES, number(lease.owner_switches));
    for (attribute, value) in checkpoint(&lease.checkpoint) {
        put(attribute, value);
    }
    let workers = [
        (name::LEASE_OWNER, &lease.owner),
        (name::CHECKPOINT_OWNER, &lease.checkpoint_owner),
        (name::HANDS_OFF, &lease.hands_off),
        (name::REQUESTED_BY, &lease.requested_by),
    ];
    for (attribute, id) in workers {
        if let Some(id) = id {
            put(attribute, owner(id)?);
        }
    }
    for (attribute, ids) in [(name::PARENTS, &lease.parents), (name::CHILDREN, &lease.children)] {
        if let Some(set) = shard_ids(ids) {
            put(attribute, set);
        }
    }
    for (attribute, value) in lease.pending.iter().flat_map(pending).chain(hash_range_or_none(lease)?) {
        put(attribute, value);
    }
    if let Some(since) = lease.latest_since {
        put(name::LATEST_SINCE, AttributeValue::N(since.unix_millis().to_string()));
    }
    if let Some(token) = lease.tenure {
        put(name::TENURE, number(token.value()));
    }
    Ok(row)
}

fn hash_range_or_none(lease: &Lease) -> Result<Vec<(&'static str, AttributeValue)>, Unstorable> {
    lease.hash_range.map_or_else(|| Ok(Vec::new()), |range| hash_range(range).map(Vec::from))
}

/// Position and sub-sequence number: always both, or an old sub-sequence number would hide records.
pub(crate) fn checkpoint(checkpoint: &Checkpoint) -> [(&'static str, AttributeValue); 2] {
    let sub = number(checkpoint.sub_sequence_number());
    [(name::CHECKPOINT, text(checkpoint.as_text())), (name::CHECKPOINT_SUB, sub)]
}

/// The two or three attributes of a proposed checkpoint.
pub(crate) fn pending(pending: &PendingCheckpoint) -> Vec<(&'static str, AttributeValue)> {
    let sub = number(pending.checkpoint.sub_sequence_number());
    let mut attributes = vec![(name::PENDING, text(pending.checkpoint.as_text())), (name::PENDING_SUB, sub)];
    if let Some(state) = &pending.state {
        attributes.push((name::PENDING_STATE, AttributeValue::B(Blob::new(state.as_ref()))));
    }
    attributes
}

/// Both ends of the range, as decimal text.
pub(crate) fn hash_range(range: HashKeyRange) -> Result<[(&'static str, AttributeValue); 2], Unstorable> {
    if range.start >= range.end {
        return Err(Unstorable::SingleHash { hash: range.start });
    }
    Ok([(name::STARTING_HASH_KEY, text(&range.start.to_string())), (name::ENDING_HASH_KEY, text(&range.end.to_string()))])
}

/// The set of shard ids, `None` if there are none.
pub(crate) fn shard_ids(ids: &[ShardId]) -> Option<AttributeValue> {
    let distinct: BTreeSet<&str> = ids.iter().map(ShardId::as_str).collect();
    (!distinct.is_empty()).then(|| AttributeValue::Ss(distinct.into_iter().map(str::to_owned).collect()))
}

/// The owner's name.
pub(crate) fn owner(id: &WorkerId) -> Result<AttributeValue, Unstorable> {
    if id.is_empty() { Err(Unstorable::EmptyWorkerId) } else { Ok(text(id)) }
}

/// A string attribute.
pub(crate) fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

/// A number attribute.
pub(crate) fn number(number: u64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}
