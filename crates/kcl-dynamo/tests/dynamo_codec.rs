//! Rows on the wire: what Java wrote is read, and what is written is what Java would have written.
//!
//! The golden rows are made by hand from the Java serializer (`DynamoDBLeaseSerializer.java`), in DynamoDB's JSON form.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod canned;

use canned::{Answer, Canned};
use kcl_core::{
    Checkpoint, HashKeyRange, Lease, LeaseCounter, LeaseKey, LeaseScan, LeaseStore, LeaseWrite, PendingCheckpoint, ShardId,
    TenureToken, Wall, WorkerId, WriteOutcome,
};
use serde_json::{Value, json};

const SEQUENCE: &str = "49590338271490256608559692538361571095921575989136588898";

fn base() -> Lease {
    Lease::new(LeaseKey::from("shardId-000000000042"), Checkpoint::TrimHorizon)
}

fn at(sequence: &str, sub: u64) -> Checkpoint {
    Checkpoint::from_text(sequence, sub).unwrap()
}

fn shards<const N: usize>(ids: [&str; N]) -> Vec<ShardId> {
    ids.into_iter().map(ShardId::from).collect()
}

/// A row as KCL 2.x creates it for a split shard, and the lease that it is.
fn fresh_2x() -> (Value, Lease) {
    let row = json!({
        "leaseKey": { "S": "shardId-000000000042" },
        "leaseCounter": { "N": "0" },
        "ownerSwitchesSinceCheckpoint": { "N": "0" },
        "checkpoint": { "S": "TRIM_HORIZON" },
        "checkpointSubSequenceNumber": { "N": "0" },
        "parentShardId": { "SS": ["shardId-000000000007"] },
        "startingHashKey": { "S": "170141183460469231731687303715884105728" },
        "endingHashKey": { "S": "340282366920938463463374607431768211455" },
    });
    let mut lease = base();
    lease.parents = shards(["shardId-000000000007"]);
    lease.hash_range = HashKeyRange::new(1 << 127, u128::MAX);
    (row, lease)
}

/// A row of KCL 2.x in the middle of an aggregated record, with a proposed checkpoint.
fn processing_2x() -> (Value, Lease) {
    let row = json!({
        "leaseKey": { "S": "shardId-000000000042" },
        "leaseOwner": { "S": "worker-1" },
        "leaseCounter": { "N": "8123" },
        "ownerSwitchesSinceCheckpoint": { "N": "3" },
        "checkpoint": { "S": SEQUENCE },
        "checkpointSubSequenceNumber": { "N": "17" },
        "pendingCheckpoint": { "S": SEQUENCE },
        "pendingCheckpointSubSequenceNumber": { "N": "21" },
        "pendingCheckpointState": { "B": "AAEC/w==" },
    });
    let mut lease = base();
    lease.owner = Some(WorkerId::from("worker-1"));
    lease.counter = LeaseCounter::new(8123);
    lease.owner_switches = 3;
    lease.checkpoint = at(SEQUENCE, 17);
    let state = Some(bytes::Bytes::from_static(&[0, 1, 2, 255]));
    lease.pending = Some(PendingCheckpoint { checkpoint: at(SEQUENCE, 21), state });
    (row, lease)
}

/// A row that KCL 3.5 created and a worker of ours once held, at the end of its shard and in the middle of a hand-over.
fn ended_3x() -> (Value, Lease) {
    let row = json!({
        "leaseKey": { "S": "shardId-000000000042" },
        "leaseOwner": { "S": "next" },
        "checkpointOwner": { "S": "previous" },
        "leaseCounter": { "N": "77" },
        "ownerSwitchesSinceCheckpoint": { "N": "0" },
        "checkpoint": { "S": "SHARD_END" },
        "checkpointSubSequenceNumber": { "N": "0" },
        "childShardIds": { "SS": ["shardId-000000000051", "shardId-000000000050"] },
        "throughputKBps": { "N": "0.000001" },
        "entityType": { "S": "LEASE" },
        "rsTenure": { "N": "9007199254740993" },
        "somethingNew": { "M": { "a": { "BOOL": true } } },
    });
    let mut lease = base();
    lease.owner = Some(WorkerId::from("next"));
    lease.checkpoint_owner = Some(WorkerId::from("previous"));
    lease.counter = LeaseCounter::new(77);
    lease.checkpoint = Checkpoint::ShardEnd;
    lease.children = shards(["shardId-000000000050", "shardId-000000000051"]);
    lease.tenure = Some(TenureToken::new(9_007_199_254_740_993));
    (row, lease)
}

async fn scan(rows: Value) -> LeaseScan {
    Canned::new([Answer::ok(json!({ "Items": rows }))]).store().scan().await.unwrap()
}

async fn created(lease: Lease) -> Value {
    let canned = Canned::new([Answer::ok(json!({}))]);
    let outcome = canned.store().write(&LeaseWrite::create(lease.clone())).await.unwrap();
    assert_eq!(outcome, WriteOutcome::Applied(lease));
    canned.only_body()["Item"].clone()
}

#[tokio::test]
async fn golden_rows_are_read() {
    for (row, lease) in [fresh_2x(), processing_2x(), ended_3x()] {
        let found = scan(json!([row])).await;
        assert_eq!(found, LeaseScan { leases: vec![lease], unreadable: vec![] });
    }
}

#[tokio::test]
async fn a_new_row_has_exactly_the_attributes_of_java() {
    let (row, lease) = fresh_2x();
    assert_eq!(created(lease).await, row);

    let plain = json!({
        "leaseKey": { "S": "shardId-000000000042" },
        "leaseCounter": { "N": "0" },
        "ownerSwitchesSinceCheckpoint": { "N": "0" },
        "checkpoint": { "S": "LATEST" },
        "checkpointSubSequenceNumber": { "N": "0" },
    });
    let latest = Lease { checkpoint: Checkpoint::Latest, ..base() };
    assert_eq!(created(latest.clone()).await, plain);

    let mut ours = plain;
    ours["leaseOwner"] = json!({ "S": "worker-1" });
    ours["rsLatestSince"] = json!({ "N": "1700000000123" });
    ours["rsTenure"] = json!({ "N": "18446744073709551615" });
    let lease = Lease {
        owner: Some("worker-1".into()),
        latest_since: Some(Wall::from_unix_millis(1_700_000_000_123)),
        tenure: Some(TenureToken::new(u64::MAX)),
        ..latest
    };
    assert_eq!(created(lease).await, ours);
}

#[tokio::test]
async fn every_field_comes_back() {
    let full = Lease {
        parents: shards(["a", "b"]),
        children: shards(["c", "d"]),
        hash_range: Some(HashKeyRange::FULL),
        checkpoint_owner: Some("previous".into()),
        latest_since: Some(Wall::from_unix_millis(-5)),
        tenure: Some(TenureToken::new(0)),
        ..processing_2x().1
    };
    let stateless = Some(PendingCheckpoint { checkpoint: Checkpoint::ShardEnd, state: None });
    let empty_state = Some(PendingCheckpoint { checkpoint: at("0", 0), state: Some(bytes::Bytes::new()) });
    let checkpoints = ["AT_TIMESTAMP", "TRIM_HORIZON", "LATEST", "0", SEQUENCE, "SHARD_END"];
    let mut leases: Vec<Lease> = checkpoints.iter().map(|text| Lease { checkpoint: at(text, 0), ..base() }).collect();
    leases.extend([full.clone(), Lease { pending: stateless, ..full.clone() }, Lease { pending: empty_state, ..full }]);
    for lease in leases {
        let row = created(lease.clone()).await;
        assert_eq!(scan(json!([row])).await.leases, [lease]);
    }
}

#[tokio::test]
async fn sets_are_stored_once_and_read_in_order() {
    let lease = Lease { parents: shards(["b", "a", "b"]), ..base() };
    let canned = Canned::new([Answer::ok(json!({}))]);
    let outcome = canned.store().write(&LeaseWrite::create(lease)).await.unwrap();
    assert_eq!(outcome, WriteOutcome::Applied(Lease { parents: shards(["a", "b"]), ..base() }));
    assert_eq!(canned.only_body()["Item"]["parentShardId"], json!({ "SS": ["a", "b"] }));
}

/// The smallest readable row with one attribute replaced or, for null, removed.
fn with(attribute: &str, value: Value) -> Value {
    let mut row = json!({
        "leaseKey": { "S": "shardId-000000000042" },
        "leaseCounter": { "N": "0" },
        "checkpoint": { "S": "TRIM_HORIZON" },
    });
    row[attribute] = value;
    row.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    row
}

#[tokio::test]
async fn what_java_tolerates_is_tolerated() {
    let rows = [
        with("unknown", json!({ "NULL": true })),
        with("pendingCheckpoint", json!({ "S": "" })),
        with("pendingCheckpointSubSequenceNumber", json!({ "N": "4" })),
        with("startingHashKey", json!({ "S": "5" })),
        with("endingHashKey", json!({ "S": "" })),
        with("throughputKBps", json!({ "N": "0.5" })),
        with("entityType", json!({ "S": "LEASE" })),
    ];
    for row in rows {
        assert_eq!(scan(json!([row])).await, LeaseScan { leases: vec![base()], unreadable: vec![] }, "{row}");
    }
    let sentinel = with("checkpointSubSequenceNumber", json!({ "N": "9" }));
    assert_eq!(scan(json!([sentinel])).await.leases, [base()], "a sentinel has no sub-sequence number");
}

#[tokio::test]
async fn rows_of_another_kind_are_left_out() {
    for kind in ["STREAM", "LEADER", "CLIENT_VERSION_MIGRATION", "TABLE_MIGRATION", "WORKER_METRIC_STATS", "lease"] {
        let row = json!({ "leaseKey": { "S": "x" }, "entityType": { "S": kind } });
        assert_eq!(scan(json!([row])).await, LeaseScan::default(), "{kind}");
    }
}

#[tokio::test]
async fn unreadable_rows_are_named_with_a_reason() {
    let cases = [
        (with("leaseCounter", Value::Null), "an attribute is missing: attribute=leaseCounter"),
        (with("checkpoint", Value::Null), "an attribute is missing: attribute=checkpoint"),
        (with("leaseCounter", json!({ "N": "7.5" })), "attribute=leaseCounter text=\"7.5\""),
        (with("leaseCounter", json!({ "N": "-1" })), "attribute=leaseCounter text=\"-1\""),
        (with("leaseCounter", json!({ "N": "9223372036854775808" })), "text=\"9223372036854775808\""),
        (with("leaseCounter", json!({ "S": "7" })), "attribute=leaseCounter expected=N found=S"),
        (with("ownerSwitchesSinceCheckpoint", json!({ "N": "x" })), "attribute=ownerSwitchesSinceCheckpoint"),
        (with("checkpoint", json!({ "S": "latest" })), "attribute=checkpoint text=\"latest\""),
        (with("checkpoint", json!({ "S": "" })), "attribute=checkpoint text=\"\""),
        (with("pendingCheckpoint", json!({ "S": "soon" })), "attribute=pendingCheckpoint text=\"soon\""),
        (with("leaseOwner", json!({ "NULL": true })), "attribute=leaseOwner expected=S found=NULL"),
        (with("parentShardId", json!({ "L": [{ "S": "a" }] })), "attribute=parentShardId expected=SS found=L"),
        (with("childShardIds", json!({ "S": "a" })), "attribute=childShardIds expected=SS found=S"),
        (with("startingHashKey", json!({ "N": "5" })), "attribute=startingHashKey expected=S found=N"),
        (with("startingHashKey", json!({ "S": "+5" })), "attribute=startingHashKey text=\"+5\""),
        (with("entityType", json!({ "N": "1" })), "attribute=entityType expected=S found=N"),
        (with("rsLatestSince", json!({ "N": "0.5" })), "attribute=rsLatestSince"),
        (with("rsTenure", json!({ "N": "-1" })), "attribute=rsTenure text=\"-1\""),
        (with("rsTenure", json!({ "S": "7" })), "attribute=rsTenure expected=N found=S"),
    ];
    for (row, reason) in cases {
        let found = scan(json!([row, with("leaseKey", json!({ "S": "good" }))])).await;
        assert_eq!(found.leases.len(), 1, "one bad row hides no good one: {row}");
        assert_eq!(found.unreadable.len(), 1, "{row}");
        assert_eq!(found.unreadable[0].key, "shardId-000000000042");
        assert!(found.unreadable[0].reason.contains(reason), "{:?}", found.unreadable[0].reason);
    }
}

#[tokio::test]
async fn a_hash_range_must_ascend() {
    let mut row = with("startingHashKey", json!({ "S": "6" }));
    row["endingHashKey"] = json!({ "S": "5" });
    let found = scan(json!([row])).await;
    assert_eq!(found.unreadable[0].reason, "the hash range does not ascend: start=6 end=5");

    row["endingHashKey"] = json!({ "S": "6" });
    assert_eq!(scan(json!([row])).await.leases[0].hash_range, HashKeyRange::new(6, 6));
}
