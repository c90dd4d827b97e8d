use kcl_core::{ErrorKind, ReadPosition, SequenceNumber, ShardId};

use super::{StreamFixture, has, is_error, numbered, put_all, two};
use crate::conformance::check::{must, next, open, payloads, read};

/// TRIM_HORIZON gives every record from the oldest on, in the order they were put.
pub async fn trim_horizon_gives_every_record(fixture: &dyn StreamFixture) {
    let (low, _) = two(fixture).await;
    let sent = numbered(5);
    let numbers = put_all(fixture, &low, &sent).await;
    assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
    let mut reader = open(fixture, &low.id, &ReadPosition::TrimHorizon).await;
    let records = read(&mut *reader, 5).await;
    assert_eq!(payloads(&records), sent);
    let read: Vec<_> = records.iter().map(|record| record.sequence_number.clone()).collect();
    assert_eq!(read, numbers);
}

/// AT a sequence number gives that record first.
pub async fn at_gives_the_record_itself(fixture: &dyn StreamFixture) {
    let (low, _) = two(fixture).await;
    let sent = numbered(4);
    for (index, number) in put_all(fixture, &low, &sent).await.into_iter().enumerate() {
        let mut reader = open(fixture, &low.id, &ReadPosition::At(number)).await;
        let rest: Vec<_> = sent.iter().skip(index).cloned().collect();
        assert_eq!(payloads(&read(&mut *reader, rest.len()).await), rest);
    }
}

/// AFTER a sequence number gives the record behind it first; after the newest, the next that is put.
pub async fn after_gives_the_next_record(fixture: &dyn StreamFixture) {
    let (low, _) = two(fixture).await;
    let sent = numbered(4);
    let numbers = put_all(fixture, &low, &sent).await;
    put_all(fixture, &low, &["the last".into()]).await;
    for (index, number) in numbers.into_iter().enumerate() {
        let mut reader = open(fixture, &low.id, &ReadPosition::After(number)).await;
        let mut rest: Vec<_> = sent.iter().skip(index + 1).cloned().collect();
        rest.push("the last".into());
        assert_eq!(payloads(&read(&mut *reader, rest.len()).await), rest);
    }
}

/// LATEST gives no record from before, and every record from then on.
pub async fn latest_gives_what_comes_later(fixture: &dyn StreamFixture) {
    let (low, _) = two(fixture).await;
    put_all(fixture, &low, &numbered(3)).await;
    let mut reader = open(fixture, &low.id, &ReadPosition::Latest).await;
    if !fixture.capabilities().pins_latest {
        assert_eq!(next(&mut *reader).await.records, []);
    }
    let later = vec!["later".to_owned(), "and later".to_owned()];
    put_all(fixture, &low, &later).await;
    assert_eq!(payloads(&read(&mut *reader, 2).await), later);
}

/// AT_TIMESTAMP gives the first record that arrived at that millisecond or later, and those behind it.
pub async fn at_timestamp_gives_the_first_record_from_then_on(fixture: &dyn StreamFixture) {
    let (low, _) = two(fixture).await;
    let sent = numbered(4);
    for data in &sent {
        fixture.pass_time().await;
        put_all(fixture, &low, std::slice::from_ref(data)).await;
    }
    let mut reader = open(fixture, &low.id, &ReadPosition::TrimHorizon).await;
    for (index, record) in read(&mut *reader, sent.len()).await.into_iter().enumerate() {
        let mut reader = open(fixture, &low.id, &ReadPosition::AtTimestamp(record.arrival())).await;
        let rest: Vec<_> = sent.iter().skip(index).cloned().collect();
        assert_eq!(payloads(&read(&mut *reader, rest.len()).await), rest);
    }
}

/// Opening a shard that the stream does not have answers `NotFound`, from every position.
pub async fn unknown_shards_are_not_found(fixture: &dyn StreamFixture) {
    let unknown = ShardId::new("shardId-000000999999");
    for position in [ReadPosition::TrimHorizon, ReadPosition::Latest] {
        let opened = fixture.reader().open(&unknown, &position).await;
        is_error(opened, ErrorKind::NotFound, "opening an unknown shard");
    }
}

/// With the capability `checks_positions`: opening behind a sequence number that nobody was given answers `Invalid`.
pub async fn a_position_beyond_the_shard_is_invalid(fixture: &dyn StreamFixture) {
    if !has(fixture.capabilities().checks_positions, "a_position_beyond_the_shard_is_invalid") {
        return;
    }
    let (low, _) = two(fixture).await;
    put_all(fixture, &low, &numbered(1)).await;
    let beyond = must(SequenceNumber::new(&"9".repeat(56)), "a sequence number");
    for position in [ReadPosition::At(beyond.clone()), ReadPosition::After(beyond)] {
        let opened = fixture.reader().open(&low.id, &position).await;
        is_error(opened, ErrorKind::Invalid, "opening beyond the shard");
    }
}
