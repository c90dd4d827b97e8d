//! The requests of each verb, word for word, and how many there are.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod canned;

use canned::{Answer, Canned};
use kcl_core::{
    Checkpoint, ErrorKind, HashKeyRange, Lease, LeaseCounter, LeaseKey, LeaseStore, LeaseWrite, PendingCheckpoint, ShardId,
    TenureToken, Verb, WorkerId, WriteOutcome,
};
use serde_json::{Value, json};

fn seen() -> Lease {
    let mut lease = Lease::new(LeaseKey::from("shard-1"), Checkpoint::Latest);
    lease.owner = Some(WorkerId::from("me"));
    lease.counter = LeaseCounter::new(7);
    lease
}

fn unowned() -> Lease {
    Lease { owner: None, ..seen() }
}

fn row(counter: &str) -> Value {
    json!({ "leaseKey": { "S": "shard-1" }, "leaseCounter": { "N": counter }, "checkpoint": { "S": "LATEST" } })
}

/// The parts of the request that carry the write.
async fn request(write: LeaseWrite) -> Value {
    let canned = Canned::new([Answer::ok(json!({ "Attributes": row("8") }))]);
    let _outcome = canned.store().write(&write).await.unwrap();
    let sent = canned.sent();
    assert_eq!(sent.len(), 1, "a write is one request");
    let body = &sent[0].body;
    assert_eq!(body["TableName"], "leases");
    assert_eq!(body["ReturnValuesOnConditionCheckFailure"], "ALL_OLD");
    for (placeholder, attribute) in body["ExpressionAttributeNames"].as_object().unwrap() {
        assert_eq!(*placeholder, format!("#{}", attribute.as_str().unwrap()));
    }
    json!({
        "action": sent[0].action,
        "key": body["Key"]["leaseKey"]["S"],
        "if": body["ConditionExpression"],
        "do": body["UpdateExpression"],
        "values": body["ExpressionAttributeValues"],
        "returns": body["ReturnValues"],
    })
}

fn update(condition: &str, update: &str, values: Value) -> Value {
    json!({ "action": "UpdateItem", "key": "shard-1", "if": condition, "do": update, "values": values, "returns": "ALL_NEW" })
}

const THEIRS: &str = "#leaseCounter = :leaseCounterSeen AND #leaseOwner = :leaseOwnerSeen";
/// Only a take ends a hand-over.
const MINE: &str =
    "#leaseCounter = :leaseCounterSeen AND #leaseOwner = :leaseOwnerSeen AND attribute_not_exists(#checkpointOwner)";
const TOKEN: TenureToken = TenureToken::new(u64::MAX);
const NOBODYS: &str = "#leaseCounter = :leaseCounterSeen AND attribute_not_exists(#leaseOwner)";

#[tokio::test]
async fn renew_take_and_release() {
    let both = json!({ ":leaseCounterSeen": { "N": "7" }, ":leaseOwnerSeen": { "S": "me" }, ":leaseCounter": { "N": "8" } });
    let renewal = update(MINE, "SET #leaseCounter = :leaseCounter", both.clone());
    assert_eq!(request(LeaseWrite::renew(&seen())).await, renewal);

    let mut values = both.clone();
    values[":leaseOwner"] = json!({ "S": "you" });
    values[":ownerSwitchesSinceCheckpoint"] = json!({ "N": "1" });
    values[":rsTenure"] = json!({ "N": "18446744073709551615" });
    let text = "SET #leaseCounter = :leaseCounter, #leaseOwner = :leaseOwner, #rsTenure = :rsTenure \
                REMOVE #rsHandsOff, #rsRequestedBy, #checkpointOwner \
                ADD #ownerSwitchesSinceCheckpoint :ownerSwitchesSinceCheckpoint";
    assert_eq!(request(LeaseWrite::take(&seen(), &"you".into(), TOKEN)).await, update(THEIRS, text, values));

    let mut values = json!({ ":leaseCounterSeen": { "N": "7" }, ":leaseCounter": { "N": "8" }, ":leaseOwner": { "S": "you" } });
    values[":rsTenure"] = json!({ "N": "18446744073709551615" });
    let text = "SET #leaseCounter = :leaseCounter, #leaseOwner = :leaseOwner, #rsTenure = :rsTenure \
                REMOVE #rsHandsOff, #rsRequestedBy, #checkpointOwner";
    assert_eq!(request(LeaseWrite::take(&unowned(), &"you".into(), TOKEN)).await, update(NOBODYS, text, values));

    let text = "SET #leaseCounter = :leaseCounter REMOVE #leaseOwner";
    assert_eq!(request(LeaseWrite::release(&seen())).await, update(MINE, text, both));
}

#[tokio::test]
async fn a_hand_off_is_asked_for_withdrawn_and_done() {
    let (hands_off, you) = (Lease { hands_off: Some("me".into()), ..seen() }, WorkerId::from("you"));
    let asked = Lease { requested_by: Some(you.clone()), ..hands_off.clone() };
    let version = json!({ ":leaseCounterSeen": { "N": "7" }, ":leaseOwnerSeen": { "S": "me" } });

    let mut values = version.clone();
    values[":rsRequestedBy"] = json!({ "S": "you" });
    let seen = "#leaseCounter = :leaseCounterSeen AND #leaseOwner = :leaseOwnerSeen";
    let condition = format!("{seen} AND attribute_not_exists(#rsRequestedBy)");
    let expected = update(&condition, "SET #rsRequestedBy = :rsRequestedBy", values);
    assert_eq!(request(LeaseWrite::request(&hands_off, &you).unwrap()).await, expected);

    let values = json!({ ":rsRequestedBySeen": { "S": "you" } });
    let expected = update("#rsRequestedBy = :rsRequestedBySeen", "REMOVE #rsRequestedBy", values);
    assert_eq!(request(LeaseWrite::withdraw(&asked.key, &you)).await, expected);

    let mut values = version.clone();
    values[":rsRequestedBySeen"] = json!({ "S": "you" });
    values[":leaseCounter"] = json!({ "N": "8" });
    values[":leaseOwner"] = json!({ "S": "you" });
    values[":ownerSwitchesSinceCheckpoint"] = json!({ "N": "1" });
    let condition = format!("{seen} AND #rsRequestedBy = :rsRequestedBySeen AND attribute_not_exists(#checkpointOwner)");
    let text = "SET #leaseCounter = :leaseCounter, #leaseOwner = :leaseOwner REMOVE #rsHandsOff, #rsRequestedBy \
                ADD #ownerSwitchesSinceCheckpoint :ownerSwitchesSinceCheckpoint";
    assert_eq!(request(LeaseWrite::transfer(&asked, &you).unwrap()).await, update(&condition, text, values));
}

#[tokio::test]
async fn checkpoints_write_the_sub_sequence_number_too() {
    let base = json!({ ":leaseCounterSeen": { "N": "7" }, ":leaseOwnerSeen": { "S": "me" }, ":leaseCounter": { "N": "8" } });
    let mut values = base.clone();
    values[":checkpoint"] = json!({ "S": "SHARD_END" });
    values[":checkpointSubSequenceNumber"] = json!({ "N": "0" });
    values[":ownerSwitchesSinceCheckpoint"] = json!({ "N": "0" });
    let text = "SET #leaseCounter = :leaseCounter, #ownerSwitchesSinceCheckpoint = :ownerSwitchesSinceCheckpoint, \
                #checkpoint = :checkpoint, #checkpointSubSequenceNumber = :checkpointSubSequenceNumber \
                REMOVE #pendingCheckpoint, #pendingCheckpointSubSequenceNumber, #pendingCheckpointState";
    assert_eq!(request(LeaseWrite::checkpoint(&seen(), Checkpoint::ShardEnd)).await, update(MINE, text, values));

    let mut values = base;
    values[":pendingCheckpoint"] = json!({ "S": "12" });
    values[":pendingCheckpointSubSequenceNumber"] = json!({ "N": "3" });
    let pending = PendingCheckpoint { checkpoint: Checkpoint::from_text("12", 3).unwrap(), state: None };
    let text = "SET #leaseCounter = :leaseCounter, #pendingCheckpoint = :pendingCheckpoint, \
                #pendingCheckpointSubSequenceNumber = :pendingCheckpointSubSequenceNumber REMOVE #pendingCheckpointState";
    let write = LeaseWrite::prepare_checkpoint(&seen(), pending.clone());
    assert_eq!(request(write).await, update(MINE, text, values.clone()));

    values[":pendingCheckpointState"] = json!({ "B": "aGk=" });
    let text = "SET #leaseCounter = :leaseCounter, #pendingCheckpoint = :pendingCheckpoint, \
                #pendingCheckpointSubSequenceNumber = :pendingCheckpointSubSequenceNumber, \
                #pendingCheckpointState = :pendingCheckpointState";
    let pending = PendingCheckpoint { state: Some(bytes::Bytes::from_static(b"hi")), ..pending };
    assert_eq!(request(LeaseWrite::prepare_checkpoint(&seen(), pending)).await, update(MINE, text, values));
}

#[tokio::test]
async fn descriptions_leave_the_counter_alone_and_touch_leases_only() {
    let lease = "attribute_exists(#leaseCounter) AND (attribute_not_exists(#entityType) OR #entityType = :entityTypeSeen)";
    let key = seen().key;

    let children = vec![ShardId::from("c2"), ShardId::from("c1")];
    let values = json!({ ":entityTypeSeen": { "S": "LEASE" }, ":childShardIds": { "SS": ["c1", "c2"] } });
    let condition = format!("{lease} AND attribute_not_exists(#childShardIds)");
    let expected = update(&condition, "SET #childShardIds = :childShardIds", values);
    assert_eq!(request(LeaseWrite::describe_children(&key, children)).await, expected);

    let values = json!({
        ":entityTypeSeen": { "S": "LEASE" },
        ":empty": { "S": "" },
        ":startingHashKey": { "S": "0" },
        ":endingHashKey": { "S": "340282366920938463463374607431768211455" },
    });
    let condition = format!(
        "{lease} AND (attribute_not_exists(#startingHashKey) OR #startingHashKey = :empty OR \
         attribute_not_exists(#endingHashKey) OR #endingHashKey = :empty)"
    );
    let text = "SET #startingHashKey = :startingHashKey, #endingHashKey = :endingHashKey";
    let write = LeaseWrite::describe_hash_range(&key, HashKeyRange::FULL);
    assert_eq!(request(write).await, update(&condition, text, values));
}

#[tokio::test]
async fn create_and_delete() {
    let created = request(LeaseWrite::create(unowned())).await;
    assert_eq!(created["action"], "PutItem");
    assert_eq!(created["if"], "attribute_not_exists(#leaseKey)");
    assert_eq!(created["values"], Value::Null, "DynamoDB refuses placeholders that are not used");

    let deleted = request(LeaseWrite::delete(&seen())).await;
    let expected = json!({
        "action": "DeleteItem",
        "key": "shard-1",
        "if": "#leaseCounter = :leaseCounterSeen AND #checkpoint = :checkpointSeen",
        "do": null,
        "values": { ":leaseCounterSeen": { "N": "7" }, ":checkpointSeen": { "S": "SHARD_END" } },
        "returns": "ALL_OLD",
    });
    assert_eq!(deleted, expected);
}

fn every_verb() -> Vec<LeaseWrite> {
    let pending = PendingCheckpoint { checkpoint: Checkpoint::ShardEnd, state: None };
    vec![
        LeaseWrite::create(seen()),
        LeaseWrite::renew(&seen()),
        LeaseWrite::take(&seen(), &"you".into(), TOKEN),
        LeaseWrite::checkpoint(&seen(), Checkpoint::ShardEnd),
        LeaseWrite::prepare_checkpoint(&seen(), pending),
        LeaseWrite::release(&seen()),
        LeaseWrite::describe_children(&seen().key, vec!["c".into()]),
        LeaseWrite::describe_hash_range(&seen().key, HashKeyRange::FULL),
        LeaseWrite::delete(&seen()),
    ]
}

#[tokio::test]
async fn a_lost_race_costs_one_request_too() {
    let unreadable = json!({ "leaseKey": { "S": "shard-1" } });
    let other = json!({ "leaseKey": { "S": "shard-1" }, "entityType": { "S": "STREAM" } });
    let current = Lease { counter: LeaseCounter::new(9), ..unowned() };
    for write in every_verb() {
        let cases = [
            (Some(row("9")), Some(current.clone())),
            (None, None),
            (Some(unreadable.clone()), None),
            (Some(other.clone()), None),
        ];
        for (stored, current) in cases {
            let canned = Canned::new([Answer::refused(stored)]);
            let outcome = canned.store().write(&write).await.unwrap();
            assert_eq!(outcome, WriteOutcome::Rejected { current }, "{}", write.verb().name());
            assert_eq!(canned.sent().len(), 1);
        }
    }
}

#[tokio::test]
async fn an_applied_write_whose_answer_is_no_lease_is_undecided() {
    for answer in [json!({}), json!({ "Attributes": { "leaseKey": { "S": "shard-1" } } })] {
        for write in every_verb().into_iter().filter(|write| write.verb() != Verb::Create) {
            let error = Canned::new([Answer::ok(answer.clone())]).store().write(&write).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Indeterminate, "{error}");
            assert_eq!((error.operation(), error.subject()), (write.verb().name(), "shard-1"));
        }
    }
}

#[tokio::test]
async fn what_java_could_not_read_is_not_sent() {
    let single = HashKeyRange::new(5, 5).unwrap();
    let writes = [
        LeaseWrite::take(&seen(), &"".into(), TOKEN),
        LeaseWrite::create(Lease { owner: Some("".into()), ..seen() }),
        LeaseWrite::create(Lease { checkpoint_owner: Some("".into()), ..seen() }),
        LeaseWrite::create(Lease { hash_range: Some(single), ..seen() }),
        LeaseWrite::describe_hash_range(&seen().key, single),
    ];
    for write in writes {
        let canned = Canned::new([]);
        let error = canned.store().write(&write).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        assert_eq!(canned.sent(), []);
    }
}

#[tokio::test]
async fn a_scan_reads_every_page_and_fails_as_a_whole() {
    let page = |key: &str, more: bool| {
        let mut page = json!({ "Items": [row("1")] });
        page["Items"][0]["leaseKey"]["S"] = json!(key);
        if more {
            page["LastEvaluatedKey"] = json!({ "leaseKey": { "S": key } });
        }
        Answer::ok(page)
    };
    let empty = Answer::ok(json!({ "Items": [], "LastEvaluatedKey": { "leaseKey": { "S": "b" } } }));
    let canned = Canned::new([page("a", true), empty, page("c", false)]);
    let keys: Vec<String> = canned.store().scan().await.unwrap().leases.iter().map(|lease| lease.key.to_string()).collect();
    assert_eq!(keys, ["a", "c"]);
    let starts: Vec<Value> = canned.sent().iter().map(|sent| sent.body["ExclusiveStartKey"]["leaseKey"]["S"].clone()).collect();
    assert_eq!(starts, [Value::Null, json!("a"), json!("b")]);
    assert!(canned.sent().iter().all(|sent| sent.body["ConsistentRead"] == json!(false)));

    let cut = Canned::new([page("a", true), Answer::error(400, "ProvisionedThroughputExceededException")]);
    assert_eq!(cut.store().scan().await.unwrap_err().kind(), ErrorKind::Throttled);
}

#[tokio::test]
async fn a_get_is_strongly_consistent() {
    let canned = Canned::new([Answer::ok(json!({ "Item": row("7") }))]);
    assert_eq!(canned.store().get(&seen().key).await.unwrap(), Some(unowned()));
    assert_eq!(
        canned.only_body(),
        json!({ "TableName": "leases", "Key": { "leaseKey": { "S": "shard-1" } }, "ConsistentRead": true })
    );

    assert_eq!(Canned::new([Answer::ok(json!({}))]).store().get(&seen().key).await.unwrap(), None);

    let other = json!({ "Item": { "leaseKey": { "S": "shard-1" }, "entityType": { "S": "LEADER" } } });
    assert_eq!(Canned::new([Answer::ok(other)]).store().get(&seen().key).await.unwrap(), None);

    let broken = json!({ "Item": { "leaseKey": { "S": "shard-1" } } });
    let error = Canned::new([Answer::ok(broken)]).store().get(&seen().key).await.unwrap_err();
    assert_eq!((error.kind(), error.subject()), (ErrorKind::Corrupt, "shard-1"));
    assert!(kcl_core::error_chain(&error).ends_with("an attribute is missing: attribute=checkpoint"), "{error}");
}
