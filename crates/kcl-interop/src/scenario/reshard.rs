use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kcl::ShardId;
use kcl::backend::Shard;

use crate::failure::Failure;
use crate::kind::Kind;
use crate::scene::Scene;

/// What a Java worker waits before it removes the row of a finished shard, 5 min and its rounds of 1 min, and as much again.
const CLEANED_WITHIN: Duration = Duration::from_secs(780);

pub(super) async fn reshard(scene: &mut Scene, one: Kind, other: Kind) -> Result<(), Failure> {
    let [one, other] = reshape(scene, one, other).await?;
    scene.balanced(&[&one, &other]).await?;
    scene.drain().await
}

/// The same, and on until the rows of all finished shards are removed: ours early, those of Java workers at their time.
pub(super) async fn cleanup(scene: &mut Scene, one: Kind, other: Kind) -> Result<(), Failure> {
    let [one, other] = reshape(scene, one, other).await?;
    scene
        .until_within(CLEANED_WITHIN, "no row of a finished shard is left", async |scene| {
            scene.rows().await.iter().all(|row| !row.checkpoint.is_shard_end())
        })
        .await?;
    scene.balanced(&[&one, &other]).await?;
    // Enough for rounds of every worker's comparison of leases and shards: nobody may bring a shard back.
    scene.more_records(400).await?;
    scene.drain().await?;
    let finished = scene.shards().await?.into_iter().flat_map(|shard| shard.parents).collect::<BTreeSet<_>>();
    match scene.rows().await.iter().find(|row| finished.contains(&row.key.shard_id())) {
        None => Ok(()),
        Some(row) => Err(Failure::new(format!("the row of a finished shard came back: {row:?}"))),
    }
}

/// Two workers, and shards that are split and merged while both work.
async fn reshape(scene: &mut Scene, one: Kind, other: Kind) -> Result<[String; 2], Failure> {
    if one != Kind::Rust {
        scene.seed().await?;
    }
    scene.produce();
    // Java has no such setting.
    let options = |kind| if kind == Kind::Rust { &["--cleanup-seconds", "10"][..] } else { &[] };
    let one = scene.start_with(one, options(one))?;
    let other = scene.start_with(other, options(other))?;
    scene.balanced(&[&one, &other]).await?;
    scene.works(&one).await?;
    scene.works(&other).await?;

    let shards = scene.shards().await?;
    let rows = scene.rows().await;
    let owners: BTreeMap<ShardId, Option<String>> =
        rows.iter().map(|row| (row.key.shard_id(), row.owner.as_ref().map(ToString::to_string))).collect();
    let chosen = choose(&shards, &owners).ok_or_else(|| Failure::new(format!("nothing to split and merge: {shards:?}")))?;
    merge(scene, chosen.merge.0, chosen.merge.1).await?;
    for shard in &chosen.splits {
        split(scene, shard).await?;
    }
    settled(scene).await?;
    Ok([one, other])
}

/// Which shards to reshard.
#[derive(Debug, PartialEq, Eq)]
struct Chosen<'a> {
    merge: (&'a Shard, &'a Shard),
    splits: Vec<&'a Shard>,
}

/// Two neighbours to merge, if possible of two workers, so that the parents' ends meet; and the others to split.
fn choose<'a>(shards: &'a [Shard], owners: &BTreeMap<ShardId, Option<String>>) -> Option<Chosen<'a>> {
    let mut sorted: Vec<&Shard> = shards.iter().collect();
    sorted.sort_by_key(|shard| shard.hash_range.start);
    let pairs: Vec<(&Shard, &Shard)> = sorted.iter().zip(sorted.iter().skip(1)).map(|(a, b)| (*a, *b)).collect();
    let owner = |shard: &Shard| owners.get(&shard.id);
    let merge = *pairs.iter().find(|(a, b)| owner(a) != owner(b)).or_else(|| pairs.first())?;
    let splits = sorted.into_iter().filter(|shard| shard.id != merge.0.id && shard.id != merge.1.id).collect();
    Some(Chosen { merge, splits })
}

/// Splits a shard in the middle and waits until the stream has done it.
pub(super) async fn split(scene: &Scene, shard: &Shard) -> Result<(), Failure> {
    let middle = shard.hash_range.start + (shard.hash_range.end - shard.hash_range.start) / 2 + 1;
    let request = scene.kinesis().split_shard().stream_name(scene.stream()).shard_to_split(&*shard.id);
    let done = request.new_starting_hash_key(middle.to_string()).send().await;
    done.map_err(|error| Failure::of("a shard cannot be split", &error))?;
    scene.stream_is_active().await
}

async fn merge(scene: &Scene, one: &Shard, other: &Shard) -> Result<(), Failure> {
    let request = scene.kinesis().merge_shards().stream_name(scene.stream()).shard_to_merge(&*one.id);
    let done = request.adjacent_shard_to_merge(&*other.id).send().await;
    done.map_err(|error| Failure::of("shards cannot be merged", &error))?;
    scene.stream_is_active().await
}

/// Waits until every open shard is read by somebody, and the row of every closed one is finished or gone.
pub(super) async fn settled(scene: &mut Scene) -> Result<(), Failure> {
    let shards = scene.shards().await?;
    let parents: BTreeSet<&ShardId> = shards.iter().flat_map(|shard| &shard.parents).collect();
    let open: BTreeSet<ShardId> = shards.iter().map(|shard| shard.id.clone()).filter(|id| !parents.contains(id)).collect();
    scene
        .until("every open shard is read, and every closed one is finished", async |scene| {
            let rows = scene.rows().await;
            let read = rows.iter().filter(|row| open.contains(&row.key.shard_id()));
            let begun = read.filter(|row| row.owner.is_some() && row.checkpoint.position().is_some()).count();
            let closed = rows.iter().filter(|row| !open.contains(&row.key.shard_id()));
            begun == open.len() && closed.into_iter().all(|row| row.checkpoint.is_shard_end())
        })
        .await
}

#[cfg(test)]
mod tests {
    use kcl::backend::HashKeyRange;

    use super::*;

    fn shard(id: &str, start: u128) -> Shard {
        let (id, hash_range) = (ShardId::from(id), HashKeyRange { start, end: start + 9 });
        Shard { id, parents: Vec::new(), hash_range, starting_sequence_number: None, ending_sequence_number: None }
    }

    #[test]
    fn neighbours_of_two_workers_are_merged_and_the_others_split() {
        let shards = [shard("c", 20), shard("a", 0), shard("b", 10), shard("d", 30)];
        let owned = |pairs: [(&str, &str); 4]| {
            pairs.map(|(shard, owner)| (ShardId::from(shard), Some(owner.to_owned()))).into_iter().collect()
        };
        let ids = |owners| {
            let Chosen { merge, splits } = choose(&shards, &owners).unwrap();
            (merge.0.id.to_string(), merge.1.id.to_string(), splits.iter().map(|shard| shard.id.as_str()).collect::<String>())
        };
        let two = owned([("a", "x"), ("b", "x"), ("c", "y"), ("d", "y")]);
        assert_eq!(ids(two), ("b".to_owned(), "c".to_owned(), "ad".to_owned()));
        let one = owned([("a", "x"), ("b", "x"), ("c", "x"), ("d", "x")]);
        assert_eq!(ids(one), ("a".to_owned(), "b".to_owned(), "cd".to_owned()));
        assert_eq!(choose(&shards[..1], &BTreeMap::new()), None);
    }
}
