//! What KCL 3.x workers stored about their fleet: which requests read it, and what is made of the answers.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod canned;

use canned::{Answer, Canned};
use kcl_core::{CoordinatorTable, ErrorKind, FleetMode, FleetRefusal, FleetRows, LeaseStore, StoredState, fleet_mode};
use serde_json::{Value, json};

fn absent() -> Answer {
    Answer::ok(json!({}))
}

fn version(state: &str) -> Answer {
    Answer::ok(json!({ "Item": { "leaseKey": { "S": "Migration3.0" }, "cv": { "S": state }, "mts": { "N": "1" } } }))
}

fn no_table() -> Answer {
    Answer::error(400, "ResourceNotFoundException")
}

fn denied() -> Answer {
    Answer::error(400, "AccessDeniedException")
}

fn described(indexes: &[&str]) -> Answer {
    let indexes: Vec<Value> = indexes.iter().map(|name| json!({ "IndexName": name })).collect();
    Answer::ok(json!({ "Table": { "TableName": "leases", "GlobalSecondaryIndexes": indexes } }))
}

/// What was asked for, one word for each request, and what came of it.
async fn fleet(answers: impl IntoIterator<Item = Answer>) -> (Vec<String>, Result<FleetRows, kcl_core::StoreError>) {
    let canned = Canned::new(answers);
    let rows = canned.store().fleet().await;
    let asked = canned.sent().into_iter().map(|sent| {
        if sent.action == "GetItem" {
            assert_eq!(sent.body["ConsistentRead"], true);
        }
        let key = sent.body["Key"].as_object().and_then(|key| key.iter().next());
        let key = key.map(|(name, value)| format!(" {name}={}", value["S"].as_str().unwrap())).unwrap_or_default();
        format!("{} {}{key}", sent.action, sent.body["TableName"].as_str().unwrap())
    });
    (asked.collect(), rows)
}

const MIGRATED: &str = "GetItem leases-CoordinatorState key=TableMigration3.5";
const THERE: &str = "GetItem leases-CoordinatorState key=Migration3.0";
const HERE: &str = "GetItem leases leaseKey=Migration3.0";
const INDEXES: &str = "DescribeTable leases";

#[tokio::test]
async fn a_table_that_kcl_3_never_used() {
    let (asked, rows) = fleet([no_table(), absent(), described(&["mine"])]).await;
    assert_eq!(asked, [MIGRATED, HERE, INDEXES]);
    assert_eq!(rows.unwrap(), FleetRows::default());
}

#[tokio::test]
async fn a_coordinator_table_is_read_first_and_the_index_is_not_asked_for() {
    let complete = Answer::ok(json!({ "Item": { "tm": { "S": "TABLE_MIGRATION_STATUS_COMPLETE" } } }));
    let (asked, rows) = fleet([complete, version("CLIENT_VERSION_2X"), version("CLIENT_VERSION_3X")]).await;
    assert_eq!(asked, [MIGRATED, THERE, HERE]);
    let rows = rows.unwrap();
    assert_eq!(rows.client_version, StoredState::Is("CLIENT_VERSION_3X".to_owned()));
    assert!(matches!(fleet_mode(&rows), Err(FleetRefusal::Native { .. })));

    let (asked, rows) = fleet([absent(), version("CLIENT_VERSION_2X"), absent()]).await;
    assert_eq!(asked, [MIGRATED, THERE, HERE]);
    assert_eq!(fleet_mode(&rows.unwrap()), Ok(FleetMode::Compatible("CLIENT_VERSION_2X".to_owned())));
}

#[tokio::test]
async fn rows_of_another_form_are_told_as_they_are() {
    for item in [json!({ "cv": { "N": "3" } }), json!({ "key": { "S": "Migration3.0" } })] {
        let (_, rows) = fleet([no_table(), Answer::ok(json!({ "Item": item }))]).await;
        assert!(matches!(fleet_mode(&rows.unwrap()), Err(FleetRefusal::NotUnderstood { row: "Migration3.0", .. })));
    }
}

#[tokio::test]
async fn a_coordinator_table_that_may_not_be_read_is_an_answer() {
    let (asked, rows) = fleet([denied(), absent(), described(&[])]).await;
    assert_eq!(asked, [MIGRATED, HERE, INDEXES]);
    let rows = rows.unwrap();
    let CoordinatorTable::Denied(reason) = &rows.coordinator_table else { panic!("{rows:?}") };
    assert!(reason.contains("dynamodb:GetItem") && reason.ends_with("table=leases-CoordinatorState"), "{reason}");
    assert!(matches!(fleet_mode(&rows), Ok(FleetMode::Unseen(_))));

    let (_, rows) = fleet([absent(), denied(), absent(), described(&["LeaseOwnerToLeaseKeyIndex"])]).await;
    assert!(matches!(fleet_mode(&rows.unwrap()), Err(FleetRefusal::Denied { .. })));
}

#[tokio::test]
async fn what_else_fails_is_an_error_that_names_the_table() {
    let throttled = || Answer::error(400, "ThrottlingException");
    for (answers, kind, subject) in [
        (vec![throttled()], ErrorKind::Throttled, "leases-CoordinatorState"),
        (vec![absent(), throttled()], ErrorKind::Throttled, "leases-CoordinatorState"),
        (vec![no_table(), throttled()], ErrorKind::Throttled, "leases"),
        (vec![no_table(), denied()], ErrorKind::Denied, "leases"),
        (vec![no_table(), no_table()], ErrorKind::NotFound, "leases"),
        (vec![no_table(), absent(), denied()], ErrorKind::Denied, "leases"),
    ] {
        let error = fleet(answers).await.1.unwrap_err();
        assert_eq!((error.kind(), error.subject(), error.operation()), (kind, subject, "fleet"));
    }
}

#[tokio::test]
async fn a_coordinator_table_of_another_name() {
    let canned = Canned::new([absent(), version("CLIENT_VERSION_3X"), absent()]);
    let rows = canned.store().with_coordinator_table("elsewhere").fleet().await.unwrap();
    assert_eq!(canned.sent()[0].body["TableName"], "elsewhere");
    assert!(matches!(fleet_mode(&rows), Err(FleetRefusal::Native { .. })));
}
