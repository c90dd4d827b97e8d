use std::collections::BTreeSet;

use kcl_core::{HashKeyRange, ReadPosition, Shard, ShardFilter, ShardId};

use super::{StreamFixture, children, has, listed, open_shards, put_all, shards, two};
use crate::conformance::check::{open, read};

fn ids(shards: &[Shard]) -> Vec<ShardId> {
    shards.iter().map(|shard| shard.id.clone()).collect()
}

#[track_caller]
fn assert_tiles(parts: &[Shard], whole: HashKeyRange) {
    let ranges: Vec<_> = parts.iter().map(|shard| shard.hash_range).collect();
    assert_eq!(ranges.first().map(|range| range.start), Some(whole.start), "{ranges:?}");
    assert_eq!(ranges.last().map(|range| range.end), Some(whole.end), "{ranges:?}");
    assert!(ranges.is_sorted_by(|a, b| a.end.checked_add(1) == Some(b.start)), "a hole or an overlap: {ranges:?}");
}

/// A listing has every shard once, open and closed, also after a split of a split.
pub async fn listing_names_every_shard_once(fixture: &dyn StreamFixture) {
    let (low, high) = two(fixture).await;
    fixture.split(&low).await;
    let grandparents = children(fixture, &low).await;
    for shard in &grandparents {
        fixture.split(shard).await;
    }
    let all = shards(fixture).await;
    let distinct: BTreeSet<_> = ids(&all).into_iter().collect();
    assert_eq!((all.len(), distinct.len()), (8, 8), "{all:?}");
    assert!([low, high].iter().chain(&grandparents).all(|shard| distinct.contains(&shard.id)));
    assert_eq!(open_shards(fixture).await.len(), 5);
}

/// The hashes of the open shards cover every hash once, whatever was split and merged.
pub async fn open_shards_cover_every_hash(fixture: &dyn StreamFixture) {
    assert_tiles(&open_shards(fixture).await, HashKeyRange::FULL);
    let (low, high) = two(fixture).await;
    fixture.split(&low).await;
    assert_tiles(&open_shards(fixture).await, HashKeyRange::FULL);
    if let Some(middle) = children(fixture, &low).await.last() {
        fixture.merge(middle, &high).await;
    }
    let open = open_shards(fixture).await;
    assert_eq!(open.len(), 2, "{open:?}");
    assert_tiles(&open, HashKeyRange::FULL);
}

/// With the capability `filters`: AT_LATEST gives the open shards, AT_TRIM_HORIZON those at the beginning, AT_TIMESTAMP
/// those that were open then.
pub async fn filters_select_open_shards(fixture: &dyn StreamFixture) {
    if !has(fixture.capabilities().filters, "filters_select_open_shards") {
        return;
    }
    let (low, high) = two(fixture).await;
    fixture.pass_time().await;
    put_all(fixture, &low, &["before the split".into()]).await;
    let mut reader = open(fixture, &low.id, &ReadPosition::TrimHorizon).await;
    let before = read(&mut *reader, 1).await.swap_remove(0).arrival();
    fixture.pass_time().await;
    fixture.split(&low).await;
    let parents = ids(&[low.clone(), high.clone()]);
    assert_eq!(ids(&listed(fixture, ShardFilter::AtTrimHorizon).await), parents);
    assert_eq!(ids(&listed(fixture, ShardFilter::AtTimestamp(before)).await), parents);
    let open = ids(&open_shards(fixture).await);
    assert!(!open.contains(&low.id));
    assert_eq!(ids(&listed(fixture, ShardFilter::AtLatest).await), open);
    fixture.pass_time().await;
    put_all(fixture, &high, &["after the split".into()]).await;
    let mut reader = super::super::check::open(fixture, &high.id, &ReadPosition::TrimHorizon).await;
    let after = read(&mut *reader, 1).await.swap_remove(0).arrival();
    assert_eq!(ids(&listed(fixture, ShardFilter::AtTimestamp(after)).await), open);
}

/// A split closes the shard and opens two that name it as their only parent and divide its hashes.
pub async fn lineage_of_a_split(fixture: &dyn StreamFixture) {
    let (low, high) = two(fixture).await;
    assert!(low.is_open() && low.parents.is_empty(), "{low:?}");
    fixture.split(&low).await;
    let halves = children(fixture, &low).await;
    assert_eq!(halves.len(), 2, "{halves:?}");
    assert!(halves.iter().all(|half| half.is_open() && half.parents == [low.id.clone()]), "{halves:?}");
    assert_tiles(&halves, low.hash_range);
    let after = shards(fixture).await;
    let parent = after.iter().find(|shard| shard.id == low.id);
    assert!(parent.is_some_and(|parent| !parent.is_open() && parent.hash_range == low.hash_range), "{parent:?}");
    assert!(after.contains(&high), "the other shard changed: {after:?}");
}

/// A merge closes both shards and opens one that names both as its parents and serves their hashes.
pub async fn lineage_of_a_merge(fixture: &dyn StreamFixture) {
    let (low, high) = two(fixture).await;
    fixture.merge(&low, &high).await;
    let open = open_shards(fixture).await;
    assert_eq!(open.len(), 1, "{open:?}");
    let parents: BTreeSet<_> = open.iter().flat_map(|shard| &shard.parents).collect();
    assert_eq!(parents, BTreeSet::from([&low.id, &high.id]));
    assert_tiles(&open, HashKeyRange::FULL);
    assert_eq!(shards(fixture).await.len(), 3);
}
