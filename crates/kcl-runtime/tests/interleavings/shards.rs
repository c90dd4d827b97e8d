//! Shards: which are read, from where, and when.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use kcl_core::*;
use kcl_runtime::*;
use kcl_testing::MemoryStream;

use crate::support::holder::at;
use crate::support::{Recorder, World, pass, until};

fn shard(id: &str, parents: &[&str], range: (u128, u128), open: bool) -> Shard {
    Shard {
        id: id.into(),
        parents: parents.iter().map(|&parent| parent.into()).collect(),
        hash_range: HashKeyRange { start: range.0, end: range.1 },
        starting_sequence_number: None,
        ending_sequence_number: (!open).then(|| 1.into()),
    }
}

#[test]
fn a_start_at_latest_never_creates_a_closed_shard_whose_children_have_rows() {
    const HALF: u128 = u128::MAX / 2;
    const QUARTER: u128 = HALF / 2;
    let shards = [
        shard("0", &[], (0, u128::MAX), false),
        shard("1", &["0"], (0, HALF), true),
        shard("2", &["0"], (HALF + 1, u128::MAX), false),
        shard("3", &["2"], (HALF + 1, HALF + QUARTER), true),
        shard("4", &["2"], (HALF + QUARTER + 1, u128::MAX), true),
    ];
    let now = Wall::from_unix_millis(1);
    let created = |leases: &[Lease]| -> Vec<Lease> {
        let leases: Vec<&Lease> = leases.iter().collect();
        let writes = plan_shard_sync(&shards, &leases, StartStrategy::Latest, now);
        let lease = |write: &LeaseWrite| match write.change() {
            Change::Put(lease) => (**lease).clone(),
            other => panic!("{other:?}"),
        };
        writes.iter().map(lease).collect()
    };
    let mut leases = created(&[]);
    assert_eq!(leases.iter().map(|lease| lease.key.as_str()).collect::<Vec<_>>(), ["1", "3", "4"]);
    leases[0].checkpoint = at(5);
    assert_eq!(created(&leases), [], "shard 1 was read; that says nothing about 2, which the start left out");
}

#[tokio::test(start_paused = true)]
async fn a_start_at_a_timestamp_delivers_nothing_older() {
    let mut world = World::new(1);
    world.put(0..5);
    world.stream.advance(Duration::from_secs(3600));
    let parent = world.stream.open_shards().remove(0);
    world.stream.split(&parent).unwrap();
    world.put(5..10);
    world.stream.advance(Duration::from_secs(3600));
    let start = MemoryStream::START.unix_millis() + 7_000_000;
    world.config.management.start_strategy = StartStrategy::Timestamp(start);
    let put = world.put(10..20);
    let recorder = Recorder::new("a");
    let worker = world.start(&recorder).await;
    until("what was put after the timestamp", || put.is_subset(&recorder.distinct())).await;
    assert_eq!(recorder.distinct(), put);
    worker.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_stuck_processor_does_not_hold_back_the_children_of_the_shard_it_lost() {
    let world = World::new(1);
    let parent = world.stream.open_shards().remove(0);
    let recorder = Recorder::new("a").before_record(|_, payload| {
        let stuck = payload == "00000";
        async move {
            if stuck {
                std::future::pending().await
            }
        }
        .boxed()
    });
    let worker = world.start(&recorder).await;
    world.put(0..1);
    until("held", || world.owners().contains_key("a")).await;
    pass(Duration::from_secs(1)).await;
    // Another worker takes the lease, reads the shard to its end and creates the children.
    let row = world.lease(&parent);
    let mut taken = LeaseWrite::take(&row, &"java".into(), TenureToken::new(1)).apply(Some(&row)).unwrap().unwrap();
    let children = world.stream.split(&parent).unwrap();
    taken.checkpoint = Checkpoint::ShardEnd;
    taken.children = children.to_vec();
    world.store.put(taken);
    for child in &children {
        let mut lease = Lease::new(LeaseKey::of_shard(child), Checkpoint::TrimHorizon);
        lease.parents = vec![parent.clone()];
        world.store.put(lease);
    }
    let put = world.put(10..30);
    until("the children are read", || recorder.distinct() == put).await;
    drop(worker);
}

/// A stream whose listings leave shards out.
struct Partial {
    stream: MemoryStream,
    lacks: Arc<Mutex<Lacks>>,
}

#[derive(Clone)]
enum Lacks {
    Nothing,
    AllBut(ShardId),
    /// So many listings lack it.
    Times(usize, ShardId),
}

#[async_trait::async_trait]
impl StreamReader for Partial {
    async fn list_shards(&self, filter: ShardFilter) -> Result<Vec<Shard>, ReadError> {
        let mut shards = self.stream.list_shards(filter).await?;
        match &mut *self.lacks.lock().unwrap() {
            Lacks::AllBut(stays) => shards.retain(|shard| shard.id == *stays),
            Lacks::Times(times, hides) if *times > 0 => {
                *times -= 1;
                shards.retain(|shard| shard.id != *hides);
            }
            Lacks::Nothing | Lacks::Times(..) => {}
        }
        Ok(shards)
    }

    async fn open(&self, shard: &ShardId, position: &ReadPosition) -> Result<Box<dyn ShardReader>, ReadError> {
        self.stream.open(shard, position).await
    }
}

/// A worker that leads nothing and gets the lease of a child whose parent has no row, while listings lack something.
struct Orphan {
    world: World,
    child: ShardId,
    parent: ShardId,
    recorder: Recorder,
    worker: Worker,
}

impl Orphan {
    async fn new(lacks: impl FnOnce(&ShardId, &ShardId) -> Lacks) -> Self {
        let world = World::new(1);
        let parent = world.stream.open_shards().remove(0);
        world.put(0..5);
        let [child, other] = world.stream.split(&parent).unwrap();
        let mut led = Lease::new(LeaseKey::of_shard(&other), Checkpoint::TrimHorizon);
        led.owner = Some("0-leader".into());
        led.parents = vec![parent.clone()];
        world.store.put(led);
        let seen = Arc::new(Mutex::new(Lacks::Nothing));
        let stream = Partial { stream: world.stream.clone(), lacks: Arc::clone(&seen) };
        let recorder = Recorder::new("a");
        let env = TokioEnv::on_current_runtime();
        let worker = world.start_on(&recorder, world.store.clone(), stream, env).await.unwrap();
        pass(Duration::from_secs(2)).await;
        *seen.lock().unwrap() = lacks(&parent, &child);
        // The parent's row was lost; a leader that is not this worker will see to that.
        let row = Lease { parents: vec![parent.clone()], ..Lease::new(LeaseKey::of_shard(&child), Checkpoint::TrimHorizon) };
        world.store.put(row);
        Self { world, child, parent, recorder, worker }
    }

    fn is_held(&self) -> bool {
        self.world.lease(&self.child).is_owned_by(&"a".into())
    }

    fn has_begun(&self) -> bool {
        !self.recorder.events_of(&self.child).is_empty()
    }
}

#[tokio::test(start_paused = true)]
async fn a_listing_that_is_known_to_be_incomplete_proves_nothing_about_parents() {
    let orphan = Orphan::new(|_, child| Lacks::AllBut(child.clone())).await;
    pass(Duration::from_secs(8)).await;
    assert!(orphan.is_held());
    assert!(!orphan.has_begun(), "and waits: nobody has read its parent (S4)");
    orphan.worker.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn one_listing_that_lacks_a_parent_proves_nothing() {
    let orphan = Orphan::new(|parent, _| Lacks::Times(1, parent.clone())).await;
    pass(Duration::from_secs(6)).await;
    assert!(orphan.is_held());
    assert!(!orphan.has_begun(), "one listing lacked its parent (S4)");
    let put = orphan.world.put(10..20);
    let mut ended = Lease::new(LeaseKey::of_shard(&orphan.parent), Checkpoint::ShardEnd);
    ended.owner = Some("0-leader".into());
    orphan.world.store.put(ended);
    until("the child is read after its parent", || orphan.recorder.distinct().iter().any(|record| put.contains(record))).await;
    orphan.worker.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_parent_that_listings_lack_for_a_failover_time_is_gone() {
    let orphan = Orphan::new(|parent, _| Lacks::Times(usize::MAX, parent.clone())).await;
    let failover = orphan.world.config.failover_time;
    pass(failover).await;
    assert!(orphan.is_held() && !orphan.has_begun());
    pass(failover).await;
    assert!(orphan.has_begun());
    orphan.worker.shutdown().await.unwrap();
}

#[test]
fn a_long_history_of_resharding_is_planned_in_time_and_stack() {
    let parents: Vec<String> = (0..10_000).map(|number| number.to_string()).collect();
    let chain: Vec<Shard> = (0..10_000)
        .map(|number| {
            let parent: Vec<&str> = if number == 0 { vec![] } else { vec![&parents[number - 1]] };
            shard(&parents[number], &parent, (0, u128::MAX), number == 9_999)
        })
        .collect();
    let writes = plan_shard_sync(&chain, &[], StartStrategy::Oldest, Wall::from_unix_millis(1));
    assert_eq!(writes.len(), 1);
}
