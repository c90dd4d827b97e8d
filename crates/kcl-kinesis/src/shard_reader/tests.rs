use std::task::Poll;

use kcl_core::{ChildShard, HashKeyRange, Record, SequenceNumber, StreamReader, Wall};
use serde_json::{Value, json};

use super::*;
use crate::canned::{Answer, Canned};

fn iterator(text: &str) -> Answer {
    Answer::ok(&json!({ "ShardIterator": text }))
}

fn stored(number: &str) -> Value {
    // "aGVsbG8=" is "hello".
    json!({ "SequenceNumber": number, "Data": "aGVsbG8=", "PartitionKey": "key", "ApproximateArrivalTimestamp": 1_458_114_938.275 })
}

fn page(records: &[Value], next: Option<&str>) -> Answer {
    Answer::ok(&json!({ "Records": records, "NextShardIterator": next, "MillisBehindLatest": 40 }))
}

async fn open(canned: &Canned, position: ReadPosition) -> Box<dyn ShardReader> {
    canned.reader().open(&ShardId::from("shard-0"), &position).await.unwrap()
}

fn ended(children: Vec<ChildShard>) -> Option<ShardEndEvent> {
    Some(ShardEndEvent { children })
}

#[tokio::test]
async fn positions_are_the_iterator_types_of_the_api() {
    let number = || SequenceNumber::from(77);
    let moment = Wall::from_unix_millis(1_458_114_938_275);
    let cases = [
        (ReadPosition::TrimHorizon, json!({ "ShardIteratorType": "TRIM_HORIZON" })),
        (ReadPosition::Latest, json!({ "ShardIteratorType": "LATEST" })),
        (ReadPosition::AtTimestamp(moment), json!({ "ShardIteratorType": "AT_TIMESTAMP", "Timestamp": 1_458_114_938.275 })),
        (ReadPosition::At(number()), json!({ "ShardIteratorType": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": "77" })),
        (ReadPosition::After(number()), json!({ "ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": "77" })),
    ];
    for (position, mut expected) in cases {
        expected["StreamName"] = json!("orders");
        expected["ShardId"] = json!("shard-0");
        let canned = Canned::new([iterator("i")]);
        open(&canned, position).await;
        assert_eq!(canned.requests(), [("GetShardIterator".to_owned(), expected)]);
    }
}

#[tokio::test]
async fn records_come_in_order_and_one_call_each() {
    let canned = Canned::new([iterator("i0"), page(&[stored("5"), stored("10")], Some("i1")), page(&[], Some("i2"))]);
    let mut reader = open(&canned, ReadPosition::TrimHorizon).await;
    let record = |number: u64| Record {
        data: bytes::Bytes::from_static(b"hello"),
        partition_key: "key".into(),
        sequence_number: SequenceNumber::from(number),
        approximate_arrival_timestamp: 1_458_114_938_275,
    };
    let first = reader.next().await.unwrap();
    assert_eq!(first, ShardEvent { records: vec![record(5), record(10)], millis_behind_latest: Some(40), end: None });
    let second = reader.next().await.unwrap();
    assert_eq!(second, ShardEvent { records: vec![], millis_behind_latest: Some(40), end: None });
    let expected = ["i0", "i1"].map(|text| ("GetRecords".to_owned(), json!({ "ShardIterator": text, "Limit": 100 })));
    assert_eq!(canned.requests()[1..], expected);
}

#[tokio::test]
async fn the_last_page_may_carry_records_and_children() {
    let last = json!({
        "Records": [stored("5")],
        "MillisBehindLatest": 0,
        "ChildShards": [{
            "ShardId": "shard-2",
            "ParentShards": ["shard-0", "shard-1"],
            "HashKeyRange": { "StartingHashKey": "3", "EndingHashKey": "9" },
        }],
    });
    let canned = Canned::new([iterator("i0"), Answer::ok(&last)]);
    let mut reader = open(&canned, ReadPosition::TrimHorizon).await;
    let event = reader.next().await.unwrap();
    assert_eq!(event.records.len(), 1);
    let parents = vec![ShardId::from("shard-0"), ShardId::from("shard-1")];
    let child = ChildShard { id: ShardId::from("shard-2"), parents, hash_range: HashKeyRange::new(3, 9) };
    assert_eq!(event.end, ended(vec![child]));

    // Behind the end nothing is asked any more.
    let after = reader.next().await.unwrap();
    assert_eq!(after, ShardEvent { end: ended(vec![]), ..ShardEvent::default() });
    assert_eq!(canned.requests().len(), 2);
}

#[tokio::test]
async fn an_end_without_children_leaves_them_to_the_listing() {
    let answers = [
        json!({ "Records": [], "MillisBehindLatest": 0 }),
        json!({ "Records": [], "NextShardIterator": null, "ChildShards": null }),
        json!({ "Records": [], "NextShardIterator": "", "ChildShards": [] }),
        json!({ "Records": [], "ChildShards": [{ "ShardId": "shard-2", "ParentShards": [] }] }),
    ];
    for answer in answers {
        let canned = Canned::new([iterator("i0"), Answer::ok(&answer)]);
        let event = open(&canned, ReadPosition::Latest).await.next().await.unwrap();
        assert_eq!(event.end, ended(vec![]), "{answer}");
    }
}

#[tokio::test]
async fn children_beside_an_iterator_are_no_end() {
    let early = json!({
        "Records": [stored("5")],
        "NextShardIterator": "i1",
        "ChildShards": [{ "ShardId": "shard-2", "ParentShards": ["shard-0"] }],
    });
    let canned = Canned::new([iterator("i0"), Answer::ok(&early), page(&[stored("6")], None)]);
    let mut reader = open(&canned, ReadPosition::TrimHorizon).await;
    assert_eq!(reader.next().await.unwrap().end, None);
    let last = reader.next().await.unwrap();
    assert_eq!((last.records.len(), last.end), (1, ended(vec![])));
}

#[tokio::test]
async fn after_an_error_the_same_call_is_made_again() {
    let canned = Canned::new([
        iterator("i0"),
        Answer::error(400, "ProvisionedThroughputExceededException"),
        page(&[stored("oops")], Some("never used")),
        Answer::error(400, "ResourceNotFoundException"),
        Answer::error(400, "ExpiredIteratorException"),
        page(&[stored("5")], Some("i1")),
    ]);
    let mut reader = open(&canned, ReadPosition::TrimHorizon).await;
    let kinds = [ErrorKind::Throttled, ErrorKind::Corrupt, ErrorKind::NotFound, ErrorKind::Expired];
    for kind in kinds {
        let error = reader.next().await.unwrap_err();
        assert_eq!((error.kind(), error.operation(), error.subject()), (kind, "GetRecords", "orders/shard-0"));
    }
    assert_eq!(reader.next().await.unwrap().records.len(), 1);
    for (_, body) in &canned.requests()[1..] {
        assert_eq!(body["ShardIterator"], json!("i0"));
    }
}

#[tokio::test]
async fn a_dropped_call_loses_nothing() {
    let canned = Canned::new([iterator("i0"), Answer::Never, page(&[stored("5")], None)]);
    let mut reader = open(&canned, ReadPosition::TrimHorizon).await;
    {
        let mut call = reader.next();
        std::future::poll_fn(|cx| {
            assert!(call.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
    }
    assert_eq!(canned.requests().len(), 2, "the call was under way when it was dropped");
    let event = reader.next().await.unwrap();
    assert_eq!((event.records.len(), event.end), (1, ended(vec![])));
    assert_eq!(canned.requests()[2].1["ShardIterator"], json!("i0"));
}

#[tokio::test]
async fn an_answer_without_an_iterator_is_not_the_end_of_the_shard() {
    for answer in [json!({}), json!({ "ShardIterator": "" })] {
        let canned = Canned::new([Answer::ok(&answer)]);
        let opened = canned.reader().open(&ShardId::from("shard-0"), &ReadPosition::Latest).await;
        let error = opened.err().expect("nothing to read with");
        assert_eq!((error.kind(), error.operation()), (ErrorKind::Unavailable, "GetShardIterator"));
    }
}
