//! The attribute names of a lease row (`DynamoDBLeaseSerializer.java`), and the row as a map.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;

/// A row, or the part of one that a write names.
pub(crate) type Row = BTreeMap<String, AttributeValue>;

pub(crate) const LEASE_KEY: &str = "leaseKey";
pub(crate) const LEASE_OWNER: &str = "leaseOwner";
pub(crate) const LEASE_COUNTER: &str = "leaseCounter";
pub(crate) const OWNER_SWITCHES: &str = "ownerSwitchesSinceCheckpoint";
pub(crate) const CHECKPOINT: &str = "checkpoint";
pub(crate) const CHECKPOINT_SUB: &str = "checkpointSubSequenceNumber";
/// Singular by name, a set by type.
pub(crate) const PARENTS: &str = "parentShardId";
pub(crate) const CHILDREN: &str = "childShardIds";
pub(crate) const PENDING: &str = "pendingCheckpoint";
pub(crate) const PENDING_SUB: &str = "pendingCheckpointSubSequenceNumber";
pub(crate) const PENDING_STATE: &str = "pendingCheckpointState";
pub(crate) const STARTING_HASH_KEY: &str = "startingHashKey";
pub(crate) const ENDING_HASH_KEY: &str = "endingHashKey";
pub(crate) const CHECKPOINT_OWNER: &str = "checkpointOwner";
/// Written by KCL 3.5 and later, on creation only; absent means a lease.
pub(crate) const ENTITY_TYPE: &str = "entityType";
/// The one value of [`ENTITY_TYPE`] that a lease row may have.
pub(crate) const ENTITY_TYPE_LEASE: &str = "LEASE";
/// Ours: when a lease that starts at LATEST was created, in Unix milliseconds. Java ignores and keeps it.
pub(crate) const LATEST_SINCE: &str = "rsLatestSince";
/// Ours: the token of the last take by a worker of this library. Java ignores and keeps it.
pub(crate) const TENURE: &str = "rsTenure";
/// Ours: the worker that hands the lease off when it is asked to. Java ignores and keeps it.
pub(crate) const HANDS_OFF: &str = "rsHandsOff";
/// Ours: who asks the owner for the lease. Java ignores and keeps it.
pub(crate) const REQUESTED_BY: &str = "rsRequestedBy";
