use std::collections::BTreeSet;

use kcl_core::{ReadPosition, Record, Shard, ShardEndEvent, ShardReader};

use super::{StreamFixture, children, numbered, put_all, two};
use crate::conformance::check::{ATTEMPTS, next, open, payloads};

async fn read_to_end(reader: &mut dyn ShardReader) -> (Vec<Record>, ShardEndEvent) {
    let mut records = Vec::new();
    for _ in 0..ATTEMPTS {
        let event = next(reader).await;
        records.extend(event.records);
        if let Some(end) = event.end {
            return (records, end);
        }
    }
    panic!("no end after {ATTEMPTS} reads and {} records", records.len());
}

/// Reads a closed shard from the beginning and compares what its end says with the listing.
async fn assert_ends(fixture: &dyn StreamFixture, shard: &Shard, sent: &[String]) {
    let mut reader = open(fixture, &shard.id, &ReadPosition::TrimHorizon).await;
    let (records, end) = read_to_end(&mut *reader).await;
    assert_eq!(payloads(&records), sent, "the records of {}", shard.id);
    let listed = children(fixture, shard).await;
    assert!(!listed.is_empty(), "the listing has no children of {}", shard.id);
    if !fixture.capabilities().child_shards {
        assert_eq!(end.children, [], "children are named although it is declared that they are not");
        return;
    }
    let named: BTreeSet<_> =
        end.children.iter().map(|child| (&child.id, child.parents.iter().collect::<BTreeSet<_>>())).collect();
    let expected: BTreeSet<_> = listed.iter().map(|child| (&child.id, child.parents.iter().collect())).collect();
    assert_eq!(named, expected, "the children of {}", shard.id);
    for child in &end.children {
        let range = listed.iter().find(|listed| listed.id == child.id).map(|listed| listed.hash_range);
        assert!(child.hash_range.is_none() || child.hash_range == range, "{child:?}");
    }
}

/// A shard that was split gives its records and then its end; the children are named or listed, and have what came later.
pub async fn a_split_shard_ends_in_two_children(fixture: &dyn StreamFixture) {
    let (low, _) = two(fixture).await;
    let sent = numbered(5);
    put_all(fixture, &low, &sent).await;
    fixture.split(&low).await;
    let halves = children(fixture, &low).await;
    assert_eq!(halves.len(), 2);
    for half in &halves {
        put_all(fixture, half, &["on a child".into()]).await;
    }
    assert_ends(fixture, &low, &sent).await;
    for half in &halves {
        let mut reader = open(fixture, &half.id, &ReadPosition::TrimHorizon).await;
        assert_eq!(payloads(&crate::conformance::check::read(&mut *reader, 1).await), ["on a child"]);
    }
}

/// Both shards of a merge give their records and then their end, with the same child.
pub async fn a_merged_shard_ends_in_one_child(fixture: &dyn StreamFixture) {
    let (low, high) = two(fixture).await;
    let (on_low, on_high) = (numbered(3), vec!["on the other".to_owned()]);
    put_all(fixture, &low, &on_low).await;
    put_all(fixture, &high, &on_high).await;
    fixture.merge(&low, &high).await;
    assert_ends(fixture, &low, &on_low).await;
    assert_ends(fixture, &high, &on_high).await;
}

/// A shard that was split before any record was put ends too.
pub async fn an_empty_shard_ends(fixture: &dyn StreamFixture) {
    let (low, _) = two(fixture).await;
    fixture.split(&low).await;
    assert_ends(fixture, &low, &[]).await;
}

/// A closed shard's end comes from every position, behind the last record too; a reader that was there before finds it.
pub async fn the_end_is_reached_from_every_position(fixture: &dyn StreamFixture) {
    let (low, _) = two(fixture).await;
    let sent = numbered(3);
    let numbers = put_all(fixture, &low, &sent).await;
    let mut early = open(fixture, &low.id, &ReadPosition::TrimHorizon).await;
    let mut received = next(&mut *early).await.records;
    fixture.split(&low).await;
    received.extend(read_to_end(&mut *early).await.0);
    assert_eq!(payloads(&received), sent);

    let mut positions = vec![(ReadPosition::Latest, 0)];
    for (index, number) in numbers.into_iter().enumerate() {
        positions.push((ReadPosition::At(number.clone()), 3 - index));
        positions.push((ReadPosition::After(number), 2 - index));
    }
    for (position, count) in positions {
        let mut reader = open(fixture, &low.id, &position).await;
        assert_eq!(read_to_end(&mut *reader).await.0.len(), count, "{position:?}");
    }
}

/// An open shard without further records gives events without an end, and the records that come later.
pub async fn an_open_shard_does_not_end(fixture: &dyn StreamFixture) {
    let (low, _) = two(fixture).await;
    let mut reader = open(fixture, &low.id, &ReadPosition::TrimHorizon).await;
    for _ in 0..3 {
        let event = next(&mut *reader).await;
        assert_eq!((event.records, event.end), (Vec::new(), None));
    }
    put_all(fixture, &low, &numbered(1)).await;
    assert_eq!(crate::conformance::check::read(&mut *reader, 1).await.len(), 1);
}
