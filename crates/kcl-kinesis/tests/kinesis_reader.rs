//! The reader against an in-process Kinesis-compatible server, over real sockets.

#![allow(clippy::unwrap_used, reason = "a failure of the set-up is a failure of the test")]

mod support;

use std::collections::BTreeSet;

use aws_sdk_kinesis::Client;
use kcl_core::{
    ErrorKind, HashKeyRange, ReadError, ReadPosition, Record, SequenceNumber, Shard, ShardEndEvent, ShardFilter, ShardId,
    ShardReader, StreamReader, Wall,
};
use kcl_kinesis::KinesisStreamReader;
use support::{STREAM, Server, endpoint_of_nobody};

mod conformance {
    kcl_testing::stream_reader_conformance!(super::support::Fixture::start());
}

async fn listing(reader: &KinesisStreamReader) -> Vec<Shard> {
    reader.list_shards(ShardFilter::All).await.unwrap()
}

async fn open(reader: &KinesisStreamReader, shard: &ShardId, position: ReadPosition) -> Box<dyn ShardReader> {
    reader.open(shard, &position).await.unwrap()
}

async fn open_error(reader: &KinesisStreamReader, shard: &str, position: ReadPosition) -> ReadError {
    reader.open(&ShardId::from(shard), &position).await.err().expect("nothing to open")
}

/// Reads until `count` records came. The server's answers never lag behind what was put, so it is bounded.
async fn read(reader: &mut Box<dyn ShardReader>, count: usize) -> Vec<Record> {
    let mut records = Vec::new();
    for _ in 0..=count {
        let event = reader.next().await.unwrap();
        assert_eq!(event.end, None);
        records.extend(event.records);
        if records.len() >= count {
            break;
        }
    }
    assert_eq!(records.len(), count);
    records
}

/// Reads to the end of a closed shard.
async fn drain(reader: &mut Box<dyn ShardReader>) -> (Vec<Record>, ShardEndEvent) {
    let mut records = Vec::new();
    for _ in 0..100 {
        let event = reader.next().await.unwrap();
        records.extend(event.records);
        if let Some(end) = event.end {
            return (records, end);
        }
    }
    panic!("no end after {} records", records.len());
}

fn texts(records: &[Record]) -> Vec<&str> {
    records.iter().map(|record| std::str::from_utf8(&record.data).unwrap()).collect()
}

async fn put(client: &Client, text: &str) -> SequenceNumber {
    let data = aws_sdk_kinesis::primitives::Blob::new(text);
    let answer = client.put_record().stream_name(STREAM).partition_key("key").data(data).send().await.unwrap();
    SequenceNumber::new(answer.sequence_number()).unwrap()
}

async fn put_all(client: &Client, texts: &[&str]) -> Vec<SequenceNumber> {
    let mut numbers = Vec::new();
    for text in texts {
        numbers.push(put(client, text).await);
    }
    numbers
}

#[tokio::test]
async fn a_listing_covers_every_hash_once() {
    let server = Server::start(3).await;
    let mut shards = listing(&server.reader(100)).await;
    shards.sort_by_key(|shard| shard.hash_range);
    assert_eq!(shards.len(), 3);
    assert_eq!(shards[0].hash_range.start, HashKeyRange::FULL.start);
    assert_eq!(shards[2].hash_range.end, HashKeyRange::FULL.end);
    for pair in shards.windows(2) {
        assert_eq!(pair[0].hash_range.end + 1, pair[1].hash_range.start);
    }
    assert!(shards.iter().all(|shard| shard.is_open() && shard.parents.is_empty()));
    assert!(shards.iter().all(|shard| shard.starting_sequence_number.is_some()));
}

#[tokio::test]
async fn records_arrive_whole_and_in_order_whatever_the_limit() {
    let server = Server::start(1).await;
    let expected = ["a", "b", "c", "d", "e"];
    let numbers = put_all(&server.client, &expected).await;
    let shard = listing(&server.reader(1)).await.remove(0).id;
    for limit in [1, 2, 10_000] {
        let mut reader = open(&server.reader(limit), &shard, ReadPosition::TrimHorizon).await;
        let first = reader.next().await.unwrap();
        assert_eq!(first.records.len(), expected.len().min(usize::try_from(limit).unwrap()));
        let mut records = first.records;
        let missing = expected.len() - records.len();
        if missing > 0 {
            records.extend(read(&mut reader, missing).await);
        }
        assert_eq!(texts(&records), expected);
        assert!(records.iter().zip(&numbers).all(|(record, number)| record.sequence_number == *number));
        assert!(records.iter().all(|record| record.partition_key == "key"));
        let arrivals: Vec<i64> = records.iter().map(|record| record.approximate_arrival_timestamp).collect();
        assert!(arrivals.is_sorted() && arrivals[0] > 1_600_000_000_000, "{arrivals:?}");
        assert_eq!(reader.next().await.unwrap().records, [], "the tip is empty and not the end");
    }
}

#[tokio::test]
async fn every_position_begins_where_it_says() {
    let server = Server::start(1).await;
    let reader = server.reader(100);
    let numbers = put_all(&server.client, &["a", "b", "c"]).await;
    let shard = listing(&reader).await.remove(0).id;
    let cases = [
        (ReadPosition::TrimHorizon, vec!["a", "b", "c"]),
        (ReadPosition::AtTimestamp(Wall::from_unix_millis(0)), vec!["a", "b", "c"]),
        (ReadPosition::At(numbers[1].clone()), vec!["b", "c"]),
        (ReadPosition::After(numbers[1].clone()), vec!["c"]),
    ];
    for (position, expected) in cases {
        let mut opened = open(&reader, &shard, position.clone()).await;
        assert_eq!(texts(&read(&mut opened, expected.len()).await), expected, "{position:?}");
    }
    let mut latest = open(&reader, &shard, ReadPosition::Latest).await;
    let mut behind_all = open(&reader, &shard, ReadPosition::After(numbers[2].clone())).await;
    put(&server.client, "d").await;
    assert_eq!(texts(&read(&mut latest, 1).await), ["d"]);
    assert_eq!(texts(&read(&mut behind_all, 1).await), ["d"]);
}

#[tokio::test]
async fn a_split_shard_ends_behind_its_last_record() {
    let server = Server::start(1).await;
    let reader = server.reader(2);
    put_all(&server.client, &["a", "b", "c"]).await;
    let parent = listing(&reader).await.remove(0).id;
    let mut opened = open(&reader, &parent, ReadPosition::TrimHorizon).await;
    let split = server.client.split_shard().stream_name(STREAM).shard_to_split(parent.as_str());
    split.new_starting_hash_key((u128::MAX / 2 + 1).to_string()).send().await.unwrap();
    server.until_active().await;

    let (records, end) = drain(&mut opened).await;
    assert_eq!(texts(&records), ["a", "b", "c"]);
    // This server never names the children: the listing does.
    assert_eq!(end, ShardEndEvent::default());
    let again = opened.next().await.unwrap();
    assert_eq!((again.records.len(), again.end), (0, Some(ShardEndEvent::default())));

    let shards = listing(&reader).await;
    let closed: Vec<_> = shards.iter().filter(|shard| !shard.is_open()).map(|shard| shard.id.clone()).collect();
    assert_eq!(closed, std::slice::from_ref(&parent));
    let children: Vec<_> = shards.iter().filter(|shard| shard.parents == [parent.clone()]).collect();
    assert_eq!(children.len(), 2);

    put(&server.client, "after the split").await;
    let mut from_children = Vec::new();
    for child in children {
        let event = open(&reader, &child.id, ReadPosition::TrimHorizon).await.next().await.unwrap();
        from_children.extend(event.records);
    }
    assert_eq!(texts(&from_children), ["after the split"]);
}

#[tokio::test]
async fn a_merged_shard_has_two_parents() {
    let server = Server::start(2).await;
    let reader = server.reader(100);
    let parents: Vec<ShardId> = listing(&reader).await.into_iter().map(|shard| shard.id).collect();
    let merge = server.client.merge_shards().stream_name(STREAM).shard_to_merge(parents[0].as_str());
    merge.adjacent_shard_to_merge(parents[1].as_str()).send().await.unwrap();
    server.until_active().await;
    let shards = listing(&reader).await;
    let child = shards.iter().find(|shard| shard.is_open()).unwrap();
    let named: BTreeSet<&ShardId> = child.parents.iter().collect();
    assert_eq!(named, parents.iter().collect());
    assert_eq!(child.hash_range, HashKeyRange::FULL);
}

#[tokio::test]
async fn what_does_not_exist_is_not_found_and_never_an_end() {
    let server = Server::start(1).await;
    let elsewhere = KinesisStreamReader::from_config(&server.aws, "elsewhere", 100).unwrap();
    let error = elsewhere.list_shards(ShardFilter::All).await.unwrap_err();
    assert_eq!((error.kind(), error.subject()), (ErrorKind::NotFound, "elsewhere"));
    assert!(error.to_string().contains("check its name, the region and the account"), "{error}");
    let shard = "shardId-000000000000";
    assert_eq!(open_error(&elsewhere, shard, ReadPosition::Latest).await.kind(), ErrorKind::NotFound);

    let reader = server.reader(100);
    let unknown = "shardId-000000000007";
    let error = open_error(&reader, unknown, ReadPosition::Latest).await;
    assert_eq!((error.kind(), error.subject()), (ErrorKind::NotFound, "orders/shardId-000000000007"));

    let mut opened = open(&reader, &ShardId::from(shard), ReadPosition::TrimHorizon).await;
    server.client.delete_stream().stream_name(STREAM).send().await.unwrap();
    // Deletion is a background task of the server even without a delay; each call is a chance for it to run.
    let mut answers = Vec::new();
    while answers.len() < 10_000 {
        match opened.next().await {
            Ok(event) => answers.push(event.end),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::NotFound);
                assert!(answers.iter().all(Option::is_none));
                return;
            }
        }
    }
    panic!("the stream is still there");
}

#[tokio::test]
async fn a_position_of_another_shard_is_invalid() {
    let server = Server::start(2).await;
    let reader = server.reader(100);
    let shards = listing(&reader).await;
    let foreign = shards[1].starting_sequence_number.clone().unwrap();
    for position in [ReadPosition::At(foreign.clone()), ReadPosition::After(foreign), ReadPosition::At(SequenceNumber::from(1))] {
        let error = open_error(&reader, &shards[0].id, position.clone()).await;
        assert_eq!(error.kind(), ErrorKind::Invalid, "{position:?}: {error}");
    }
}

#[tokio::test]
async fn an_old_iterator_is_expired() {
    // With an age of zero an iterator is too old in the millisecond after the one it was made in.
    let server = Server::start_with(1, |options| options.iterator_ttl_seconds = 0).await;
    let reader = server.reader(100);
    let shard = listing(&reader).await.remove(0).id;
    let mut opened = open(&reader, &shard, ReadPosition::TrimHorizon).await;
    let mut outcome = opened.next().await;
    for _ in 0..10_000 {
        if outcome.is_err() {
            break;
        }
        outcome = opened.next().await;
    }
    let error = outcome.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Expired, true));
}

#[tokio::test]
async fn a_dead_endpoint_is_unavailable() {
    let aws = support::config(&endpoint_of_nobody().await);
    let reader = KinesisStreamReader::from_config(&aws, STREAM, 100).unwrap();
    let error = reader.list_shards(ShardFilter::All).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unavailable, true));
    assert!(error.to_string().contains("connection refused: nothing listens"), "{error}");
}
