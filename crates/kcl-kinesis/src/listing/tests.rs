use kcl_core::StreamReader;
use serde_json::{Value, json};

use super::*;
use crate::canned::{Answer, Canned};

fn listed(id: &str, ending: Option<&str>) -> Value {
    json!({
        "ShardId": id,
        "HashKeyRange": { "StartingHashKey": "0", "EndingHashKey": "99" },
        "SequenceNumberRange": { "StartingSequenceNumber": "1", "EndingSequenceNumber": ending },
    })
}

fn page(shards: &[Value], next_token: Option<&str>) -> Answer {
    Answer::ok(&json!({ "Shards": shards, "NextToken": next_token }))
}

#[tokio::test]
async fn pages_are_put_together() {
    let canned = Canned::new([
        page(&[listed("shard-2", None), listed("shard-0", None)], Some("token-1")),
        // An empty page is not the last one.
        page(&[], Some("token-2")),
        // Resharded meanwhile: listed again, now closed.
        page(&[listed("shard-1", None), listed("shard-0", Some("7"))], None),
    ]);
    let shards = canned.reader().list_shards(ShardFilter::AtLatest).await.unwrap();
    let ids: Vec<&str> = shards.iter().map(|shard| shard.id.as_str()).collect();
    assert_eq!(ids, ["shard-0", "shard-1", "shard-2"]);
    assert!(!shards[0].is_open(), "the later page knows more");
    let expected = [
        json!({ "StreamName": "orders", "ShardFilter": { "Type": "AT_LATEST" } }),
        json!({ "NextToken": "token-1" }),
        json!({ "NextToken": "token-2" }),
    ];
    for ((operation, body), expected) in canned.requests().iter().zip(&expected) {
        assert_eq!((operation.as_str(), body), ("ListShards", expected));
    }
    assert_eq!(canned.requests().len(), 3);
}

#[tokio::test]
async fn filters_are_those_of_the_api() {
    let moment = Wall::from_unix_millis(1_458_114_938_275);
    let cases = [
        (ShardFilter::All, json!(null)),
        (ShardFilter::AtLatest, json!({ "Type": "AT_LATEST" })),
        (ShardFilter::AtTrimHorizon, json!({ "Type": "AT_TRIM_HORIZON" })),
        (ShardFilter::AtTimestamp(moment), json!({ "Type": "AT_TIMESTAMP", "Timestamp": 1_458_114_938.275 })),
        (ShardFilter::AtTimestamp(Wall::from_unix_millis(-1)), json!({ "Type": "AT_TIMESTAMP", "Timestamp": 0 })),
    ];
    for (filter, expected) in cases {
        let canned = Canned::new([page(&[], Some(""))]);
        assert_eq!(canned.reader().list_shards(filter).await.unwrap(), [], "{filter:?}");
        assert_eq!(canned.requests()[0].1["ShardFilter"], expected, "{filter:?}");
    }
}

#[tokio::test]
async fn a_listing_is_complete_or_an_error() {
    let canned = Canned::new([page(&[listed("shard-0", None)], Some("token")), Answer::error(400, "ExpiredNextTokenException")]);
    let error = canned.reader().list_shards(ShardFilter::All).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unavailable, true));
    assert!(error.to_string().contains("list again from the start"), "{error}");

    let mut broken = listed("shard-1", None);
    broken["HashKeyRange"]["EndingHashKey"] = json!("ff");
    let canned = Canned::new([page(&[listed("shard-0", None), broken], None)]);
    let error = canned.reader().list_shards(ShardFilter::All).await.unwrap_err();
    assert_eq!((error.kind(), error.subject()), (ErrorKind::Corrupt, "orders/shard-1"));
}

#[tokio::test]
async fn a_listing_that_does_not_end_is_given_up() {
    let around = ["a", "b", "a"].map(|token| page(&[], Some(token)));
    let canned = Canned::new(around);
    let error = canned.reader().list_shards(ShardFilter::All).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(canned.requests().len(), 3);

    let fresh: Vec<Answer> = (0..=PAGES_MAX).map(|page_number| page(&[], Some(&page_number.to_string()))).collect();
    let canned = Canned::new(fresh);
    let error = canned.reader().list_shards(ShardFilter::All).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(canned.requests().len(), PAGES_MAX);
}
