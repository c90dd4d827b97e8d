use kcl_core::ReadPosition;

use super::{StreamFixture, has, numbered, put_all, two};
use crate::conformance::check::{ATTEMPTS, next, open, payloads, read};

/// Data of any bytes, partition key and sequence number come as they were put, with a time of arrival.
pub async fn a_record_is_delivered_as_it_was_put(fixture: &dyn StreamFixture) {
    let (low, _) = two(fixture).await;
    let data: Vec<u8> = (0..=u8::MAX).collect();
    let (_, number) = fixture.put("a key: ключ", low.hash_range.start, &data).await;
    let mut reader = open(fixture, &low.id, &ReadPosition::TrimHorizon).await;
    let records = read(&mut *reader, 1).await;
    assert_eq!(records.len(), 1);
    for record in records {
        assert_eq!(record.data, data);
        assert_eq!(record.partition_key, "a key: ключ");
        assert_eq!(record.sequence_number, number);
        assert!(record.approximate_arrival_timestamp > 0);
    }
}

/// A reader that goes on while records are put gives each once, in order.
pub async fn no_record_is_skipped_or_repeated(fixture: &dyn StreamFixture) {
    let (low, _) = two(fixture).await;
    let sent = numbered(60);
    let mut reader = open(fixture, &low.id, &ReadPosition::TrimHorizon).await;
    let mut received = Vec::new();
    for part in sent.chunks(7) {
        put_all(fixture, &low, part).await;
        // One read for each part: the reader falls behind and catches up.
        received.extend(next(&mut *reader).await.records);
    }
    received.extend(read(&mut *reader, sent.len() - received.len()).await);
    assert_eq!(payloads(&received), sent);
    assert!(received.is_sorted_by(|a, b| a.sequence_number < b.sequence_number));
}

/// A reader that is opened AFTER the last record of another goes on where that one stopped.
pub async fn reopening_after_the_last_record_goes_on(fixture: &dyn StreamFixture) {
    let (low, _) = two(fixture).await;
    let sent = numbered(12);
    let mut position = ReadPosition::TrimHorizon;
    let mut received = Vec::new();
    for part in sent.chunks(4) {
        put_all(fixture, &low, part).await;
        let mut reader = open(fixture, &low.id, &position).await;
        let records = read(&mut *reader, part.len()).await;
        assert_eq!(payloads(&records), part);
        received.extend(records);
        if let Some(last) = received.last() {
            position = ReadPosition::After(last.sequence_number.clone());
        }
    }
    assert_eq!(payloads(&received), sent);
}

/// What one reader reads is not gone for another.
pub async fn readers_are_independent(fixture: &dyn StreamFixture) {
    let (low, _) = two(fixture).await;
    let sent = numbered(5);
    put_all(fixture, &low, &sent).await;
    let mut first = open(fixture, &low.id, &ReadPosition::TrimHorizon).await;
    let mut second = open(fixture, &low.id, &ReadPosition::TrimHorizon).await;
    assert_eq!(payloads(&read(&mut *first, 5).await), sent);
    assert_eq!(payloads(&read(&mut *second, 5).await), sent);
}

/// A reader gives the records of its own shard only.
pub async fn shards_do_not_share_records(fixture: &dyn StreamFixture) {
    let (low, high) = two(fixture).await;
    for number in 0..6 {
        let shard = if number % 2 == 0 { &low } else { &high };
        put_all(fixture, shard, &[format!("record {number}")]).await;
    }
    for (shard, expected) in [(&low, [0, 2, 4]), (&high, [1, 3, 5])] {
        let mut reader = open(fixture, &shard.id, &ReadPosition::TrimHorizon).await;
        assert_eq!(payloads(&read(&mut *reader, 3).await), expected.map(|number| format!("record {number}")));
    }
}

/// With the capability `millis_behind_latest`: every event says how far it is behind, never less than 0, and 0 once
/// everything is read.
pub async fn lag_is_zero_at_the_tip(fixture: &dyn StreamFixture) {
    if !has(fixture.capabilities().millis_behind_latest, "lag_is_zero_at_the_tip") {
        return;
    }
    let (low, _) = two(fixture).await;
    put_all(fixture, &low, &numbered(5)).await;
    let mut reader = open(fixture, &low.id, &ReadPosition::TrimHorizon).await;
    let mut count = 0;
    for _ in 0..ATTEMPTS {
        let event = next(&mut *reader).await;
        count += event.records.len();
        match event.millis_behind_latest {
            Some(0) if count == 5 => return,
            Some(lag) => assert!(lag >= 0, "{lag}"),
            None => panic!("an event without lag after {count} records"),
        }
    }
    panic!("the lag was not 0 after {ATTEMPTS} reads and {count} of 5 records");
}
