use std::slice;

use kcl_core::{ErrorKind, HashKeyRange, ShardEvent};

use super::*;

fn shard(number: u32) -> ShardId {
    ShardId::from(format!("shardId-{number:012}"))
}

fn data(event: &ShardEvent) -> Vec<String> {
    event.records.iter().map(|record| String::from_utf8_lossy(&record.data).into_owned()).collect()
}

async fn read(stream: &MemoryStream, position: ReadPosition) -> Vec<String> {
    data(&stream.open(&shard(0), &position).await.unwrap().next().await.unwrap())
}

async fn ids(stream: &MemoryStream, filter: ShardFilter) -> Vec<ShardId> {
    stream.list_shards(filter).await.unwrap().into_iter().map(|shard| shard.id).collect()
}

#[test]
fn hashes_are_divided_evenly() {
    for count in [1, 2, 3, 7, 64] {
        let shards = MemoryStream::new("s", count).shards();
        let ranges: Vec<_> = shards.iter().map(|shard| shard.hash_range).collect();
        assert_eq!(ranges.len(), count as usize);
        assert_eq!((ranges[0].start, ranges[ranges.len() - 1].end), (0, u128::MAX));
        assert!(ranges.windows(2).all(|pair| pair[0].end + 1 == pair[1].start), "{ranges:?}");
    }
    let halves = MemoryStream::new("s", 2).shards();
    assert_eq!(halves[1].hash_range, HashKeyRange { start: 1 << 127, end: u128::MAX });
    assert_eq!(MemoryStream::new("s", 0).shards().len(), 1);
}

#[test]
fn records_go_where_their_hash_is_served() {
    let stream = MemoryStream::new("s", 4);
    // RFC 1321: the MD5 of "a" begins with 0x0c, of "abc" with 0x90, of "message digest" with 0xf9.
    for (key, number) in [("a", 0), ("abc", 2), ("message digest", 3)] {
        assert_eq!(stream.put(key, b"x").0, shard(number), "{key}");
    }
}

#[test]
fn sequence_numbers_increase_over_all_shards() {
    let stream = MemoryStream::new("s", 2);
    let mut numbers: Vec<_> = (0..20).map(|i| stream.put(&i.to_string(), b"x").1).collect();
    let [child, _] = stream.split(&shard(0)).unwrap();
    numbers.push(stream.shards()[0].ending_sequence_number.clone().unwrap());
    numbers.push(stream.put_to(&child, "k", b"x").unwrap());
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
}

#[tokio::test]
async fn every_position_starts_where_it_says() {
    let stream = MemoryStream::new("s", 1);
    let mut numbers = Vec::new();
    for name in ["a", "b", "c"] {
        numbers.push(stream.put("k", name).1);
        stream.advance(Duration::from_secs(1));
    }
    let at = |seconds: i64| ReadPosition::AtTimestamp(Wall::from_unix_millis(MemoryStream::START.unix_millis() + seconds));
    assert_eq!(read(&stream, ReadPosition::TrimHorizon).await, ["a", "b", "c"]);
    assert_eq!(read(&stream, ReadPosition::At(numbers[1].clone())).await, ["b", "c"]);
    assert_eq!(read(&stream, ReadPosition::After(numbers[1].clone())).await, ["c"]);
    assert_eq!(read(&stream, at(-1)).await, ["a", "b", "c"]);
    assert_eq!(read(&stream, at(1000)).await, ["b", "c"]);
    assert_eq!(read(&stream, at(1001)).await, ["c"]);

    let mut latest = stream.open(&shard(0), &ReadPosition::Latest).await.unwrap();
    let mut later = stream.open(&shard(0), &at(4000)).await.unwrap();
    assert_eq!(latest.next().await.unwrap(), ShardEvent { millis_behind_latest: Some(0), ..ShardEvent::default() });
    assert!(data(&later.next().await.unwrap()).is_empty());
    stream.put("k", "d");
    stream.advance(Duration::from_secs(1));
    stream.put("k", "e");
    assert_eq!(data(&latest.next().await.unwrap()), ["d", "e"]);
    assert_eq!(data(&later.next().await.unwrap()), ["e"], "d arrived before the start");
    stream.put_record_at("k", "f", MemoryStream::START);
    assert_eq!(data(&later.next().await.unwrap()), ["f"], "the time only finds the first record");
}

#[tokio::test]
async fn positions_outside_of_the_shard_are_invalid() {
    let stream = MemoryStream::new("s", 2);
    let number = stream.put_to(&shard(0), "k", b"x").unwrap();
    let [child, _] = stream.split(&shard(0)).unwrap();
    let last = stream.shards()[0].ending_sequence_number.clone().unwrap();
    let beyond = SequenceNumber::new("49590338271490256608559692538361571095921575989136588898").unwrap();
    let kind =
        async |shard: &ShardId, at: SequenceNumber| stream.open(shard, &ReadPosition::At(at)).await.err().map(|e| e.kind());
    assert_eq!(kind(&shard(0), number.clone()).await, None);
    assert_eq!(kind(&shard(0), last).await, None);
    for (shard, number) in [(shard(0), 1_000.into()), (shard(0), 0.into()), (child, number), (shard(1), beyond)] {
        assert_eq!(kind(&shard, number.clone()).await, Some(ErrorKind::Invalid), "{shard} {number}");
    }
    assert_eq!(kind(&shard(9), 1.into()).await, Some(ErrorKind::NotFound));
}

#[tokio::test]
async fn lag_is_that_of_the_last_record_read() {
    let stream = MemoryStream::new("s", 1);
    stream.set_records_per_read(2);
    for _ in 0..5 {
        stream.put("k", b"x");
        stream.advance(Duration::from_millis(700));
    }
    let mut reader = stream.open(&shard(0), &ReadPosition::TrimHorizon).await.unwrap();
    let mut read = Vec::new();
    for _ in 0..4 {
        let event = reader.next().await.unwrap();
        read.push((event.records.len(), event.millis_behind_latest));
    }
    assert_eq!(read, [(2, Some(2_100)), (2, Some(700)), (1, Some(0)), (0, Some(0))]);
}

#[tokio::test]
async fn a_closed_shard_ends_with_its_last_records() {
    let stream = MemoryStream::new("s", 1);
    stream.set_records_per_read(2);
    for name in ["a", "b", "c"] {
        stream.put("k", name);
    }
    let children = stream.split(&shard(0)).unwrap();
    let mut reader = stream.open(&shard(0), &ReadPosition::TrimHorizon).await.unwrap();
    assert_eq!(reader.next().await.unwrap().end, None);
    let last = reader.next().await.unwrap();
    assert_eq!(data(&last), ["c"]);
    let named = last.end.unwrap().children;
    assert_eq!(named.iter().map(|child| child.id.clone()).collect::<Vec<_>>(), children);
    assert!(named.iter().all(|child| child.parents == [shard(0)] && child.hash_range.is_some()));
    stream.set_children_named(false);
    assert_eq!(reader.next().await.unwrap().end.unwrap().children, [], "the end is said again, as the stream says it now");
}

#[tokio::test]
async fn merging_joins_adjacent_hashes() {
    let stream = MemoryStream::new("s", 3);
    assert_eq!(stream.merge(&shard(0), &shard(2)).unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(stream.open_shards().len(), 3, "nothing changed");
    let child = stream.merge(&shard(2), &shard(1)).unwrap();
    let merged = stream.shards().pop().unwrap();
    assert_eq!((merged.id, merged.parents), (child, vec![shard(2), shard(1)]));
    assert_eq!(merged.hash_range.end, u128::MAX);
    assert_eq!(merged.hash_range.start, stream.shards()[1].hash_range.start);
    assert_eq!(stream.merge(&shard(2), &shard(0)).unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(stream.split(&shard(2)).unwrap_err().kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn filters_select_by_the_time_of_a_shard() {
    let stream = MemoryStream::new("s", 1);
    let second = |n: i64| Wall::from_unix_millis(MemoryStream::START.unix_millis() + n * 1000);
    stream.set_now(second(10));
    let [low, high] = stream.split(&shard(0)).unwrap();
    stream.set_now(second(20));
    let child = stream.merge(&low, &high).unwrap();
    let all = [shard(0), low.clone(), high.clone(), child.clone()];
    assert_eq!(ids(&stream, ShardFilter::All).await, all);
    assert_eq!(ids(&stream, ShardFilter::AtLatest).await, slice::from_ref(&child));
    assert_eq!(ids(&stream, ShardFilter::AtTrimHorizon).await, [shard(0)]);
    assert_eq!(ids(&stream, ShardFilter::AtTimestamp(second(-5))).await, [shard(0)]);
    assert_eq!(ids(&stream, ShardFilter::AtTimestamp(second(9))).await, [shard(0)]);
    assert_eq!(ids(&stream, ShardFilter::AtTimestamp(second(10))).await, all[..3]);
    assert_eq!(ids(&stream, ShardFilter::AtTimestamp(second(11))).await, all[1..3]);
    assert_eq!(ids(&stream, ShardFilter::AtTimestamp(second(21))).await, slice::from_ref(&child));

    stream.remove_shard(&shard(0)).unwrap();
    assert_eq!(ids(&stream, ShardFilter::AtTrimHorizon).await, [low, high]);
    stream.trim_all();
    stream.split(&child).unwrap();
    assert_eq!(ids(&stream, ShardFilter::AtTrimHorizon).await, [child], "as it was when it was trimmed");
}

#[tokio::test]
async fn trimmed_records_are_passed_over() {
    let stream = MemoryStream::new("s", 1);
    let numbers: Vec<_> = ["a", "b", "c"].iter().map(|name| stream.put("k", name).1).collect();
    assert_eq!(stream.trim(&shard(0), &numbers[2]).unwrap(), 2);
    assert_eq!(read(&stream, ReadPosition::After(numbers[0].clone())).await, ["c"]);
    assert_eq!(stream.trim_all(), 1);
    assert!(read(&stream, ReadPosition::TrimHorizon).await.is_empty());
}

#[tokio::test]
async fn what_is_gone_is_not_found_and_never_an_end() {
    let stream = MemoryStream::new("s", 2);
    stream.put_to(&shard(0), "k", b"x").unwrap();
    let mut reader = stream.open(&shard(0), &ReadPosition::TrimHorizon).await.unwrap();
    let [child, _] = stream.split(&shard(0)).unwrap();
    stream.remove_shard(&shard(0)).unwrap();
    assert_eq!(reader.next().await.unwrap_err().kind(), ErrorKind::NotFound);
    let orphan = stream.shards().into_iter().find(|shard| shard.id == child).unwrap();
    assert_eq!(orphan.parents, [shard(0)], "the parent is still named");
    let mut reader = stream.open(&child, &ReadPosition::TrimHorizon).await.unwrap();
    stream.delete();
    assert_eq!(reader.next().await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(stream.list_shards(ShardFilter::All).await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn an_expired_reader_stays_expired() {
    let stream = MemoryStream::new("s", 1);
    stream.put("k", "a");
    let mut old = stream.open(&shard(0), &ReadPosition::TrimHorizon).await.unwrap();
    stream.expire_iterators();
    for _ in 0..2 {
        assert_eq!(old.next().await.unwrap_err().kind(), ErrorKind::Expired);
    }
    assert_eq!(read(&stream, ReadPosition::TrimHorizon).await, ["a"]);
}

#[tokio::test]
async fn closing_ends_every_shard_without_children() {
    let stream = MemoryStream::new("s", 2);
    stream.close();
    assert!(stream.open_shards().is_empty());
    let mut reader = stream.open(&shard(1), &ReadPosition::Latest).await.unwrap();
    assert_eq!(reader.next().await.unwrap().end.unwrap().children, []);
}

#[tokio::test]
async fn dropping_a_read_loses_nothing() {
    let stream = MemoryStream::new("s", 1);
    stream.put("k", "a");
    let mut reader = stream.open(&shard(0), &ReadPosition::TrimHorizon).await.unwrap();
    drop(reader.next());
    assert_eq!(data(&reader.next().await.unwrap()), ["a"]);
}
