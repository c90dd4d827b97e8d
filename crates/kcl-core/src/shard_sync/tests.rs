use super::*;
use crate::{HashKeyRange, SequenceNumber};

const NOW: Wall = Wall::from_unix_millis(1_700_000_000_000);

/// A stream in which `parents[i]` names the parents of shard `i`; shards without children are open and share the hashes.
fn stream(parents: &[(u8, &[u8])]) -> Vec<Shard> {
    let id = |number: &u8| ShardId::new(number.to_string());
    let open: Vec<u8> =
        parents.iter().map(|(shard, _)| *shard).filter(|shard| !parents.iter().any(|(_, of)| of.contains(shard))).collect();
    let width = u128::MAX / open.len() as u128;
    let range = |shard: &u8| {
        let Some(index) = open.iter().position(|open| open == shard) else { return HashKeyRange::FULL };
        let start = width * index as u128 + u128::from(index > 0);
        let end = if index + 1 == open.len() { u128::MAX } else { width * (index as u128 + 1) };
        HashKeyRange::new(start, end).unwrap()
    };
    let shard = |(number, of): &(u8, &[u8])| Shard {
        id: id(number),
        parents: of.iter().map(id).collect(),
        hash_range: range(number),
        starting_sequence_number: Some(SequenceNumber::from(u64::from(*number) * 10)),
        ending_sequence_number: (!open.contains(number)).then(|| SequenceNumber::from(u64::from(*number) * 10 + 9)),
    };
    parents.iter().map(shard).collect()
}

fn graph_a() -> Vec<Shard> {
    stream(&[
        (0, &[]),
        (1, &[]),
        (2, &[]),
        (3, &[]),
        (4, &[]),
        (5, &[]),
        (6, &[0, 1]),
        (7, &[2, 3]),
        (8, &[6, 7]),
        (9, &[5]),
        (10, &[5]),
    ])
}

fn graph_b() -> Vec<Shard> {
    stream(&[
        (0, &[]),
        (1, &[]),
        (2, &[0, 1]),
        (3, &[2]),
        (4, &[2]),
        (5, &[3, 4]),
        (6, &[5]),
        (7, &[5]),
        (8, &[6, 7]),
        (9, &[8]),
        (10, &[8]),
    ])
}

fn graph_c() -> Vec<Shard> {
    stream(&[
        (0, &[]),
        (1, &[]),
        (2, &[]),
        (3, &[]),
        (4, &[0]),
        (5, &[0]),
        (6, &[2, 3]),
        (7, &[4]),
        (8, &[4]),
        (9, &[5]),
        (10, &[5]),
    ])
}

fn leases_of(shards: &[Shard], ids: &[u8], checkpoint: &Checkpoint) -> Vec<Lease> {
    let has = |shard: &&Shard| ids.iter().any(|id| shard.id.as_str() == id.to_string());
    let lease = |shard: &Shard| {
        let mut lease = Lease::new(LeaseKey::of_shard(&shard.id), checkpoint.clone());
        lease.parents.clone_from(&shard.parents);
        lease
    };
    shards.iter().filter(has).map(lease).collect()
}

fn read_up_to(sequence: u64) -> Checkpoint {
    Checkpoint::At(crate::ExtendedSequenceNumber::new(SequenceNumber::from(sequence), 0))
}

fn planned(shards: &[Shard], leases: &[Lease], start: StartStrategy) -> Vec<(u8, Checkpoint)> {
    let leases: Vec<&Lease> = leases.iter().collect();
    let mut planned: Vec<(u8, Checkpoint)> = plan_shard_sync(shards, &leases, start, NOW)
        .iter()
        .map(|write| match write.change() {
            Change::Put(lease) => (lease.key.parse().unwrap(), lease.checkpoint.clone()),
            other => panic!("only creations are planned: {other:?}"),
        })
        .collect();
    planned.sort();
    planned
}

/// The Java library's own expectations, for leases that were being read when the sync ran.
#[test]
fn the_reference_vectors() {
    let start_at = [StartStrategy::Latest, StartStrategy::Oldest, StartStrategy::Timestamp(5)];
    type Case<'a> = (&'a str, Vec<Shard>, &'a [u8], &'a [u8], &'a [u8]);
    let cases: [Case<'_>; 10] = [
        ("A", graph_a(), &[1, 2, 3, 4, 5, 7, 9, 10], &[0], &[0]),
        ("A", graph_a(), &[0, 1, 4, 7, 9, 10], &[], &[]),
        ("A", graph_a(), &[4, 5, 6, 7], &[], &[]),
        ("A", graph_a(), &[], &[4, 8, 9, 10], &[0, 1, 2, 3, 4, 5]),
        ("A", graph_a(), &[4, 9, 10], &[8], &[0, 1, 2, 3]),
        ("B", graph_b(), &[5], &[], &[]),
        ("B", graph_b(), &[0, 1, 2, 3, 4, 5], &[], &[]),
        ("B", graph_b(), &[], &[9, 10], &[0, 1]),
        ("A", graph_a(), &[2, 6], &[3, 4, 9, 10], &[3, 4, 5]),
        ("A", graph_a(), &[3, 4, 5], &[2, 6], &[0, 1, 2]),
    ];
    for (graph, shards, existing, for_latest, for_others) in &cases {
        for start in start_at {
            let leases = leases_of(shards, existing, &read_up_to(3));
            let expected: &[u8] = if start == StartStrategy::Latest { for_latest } else { for_others };
            let expected: Vec<_> = expected.iter().map(|id| (*id, start.initial_checkpoint())).collect();
            assert_eq!(planned(shards, &leases, start), expected, "graph {graph}, leases {existing:?}, {start:?}");
        }
    }
}

#[test]
fn an_ancestor_in_between_is_created_at_the_start_position() {
    for (shards, existing, expected) in [(graph_a(), vec![4, 5, 7], vec![6]), (graph_b(), vec![6], vec![7])] {
        let leases = leases_of(&shards, &existing, &Checkpoint::Latest);
        let expected: Vec<_> = expected.into_iter().map(|id| (id, Checkpoint::Latest)).collect();
        assert_eq!(planned(&shards, &leases, StartStrategy::Latest), expected, "leases {existing:?}");
    }
    let shards = graph_c();
    let leases = leases_of(&shards, &[9, 10], &Checkpoint::Latest);
    let expected: Vec<_> = [1, 6, 7, 8].into_iter().map(|id| (id, Checkpoint::Latest)).collect();
    assert_eq!(planned(&shards, &leases, StartStrategy::Latest), expected);
}

#[test]
fn what_ended_is_never_created_again_and_its_children_are() {
    let shards = stream(&[(0, &[]), (1, &[0]), (2, &[0])]);
    // The parent's row was deleted after child 1 had been read: child 2 lost its row somehow.
    let mut leases = leases_of(&shards, &[1], &read_up_to(12));
    for start in [StartStrategy::Latest, StartStrategy::Oldest] {
        assert_eq!(planned(&shards, &leases, start), [(2, Checkpoint::TrimHorizon)], "{start:?}");
    }
    // The parent ended and whoever ended it died before it created the second child.
    leases = leases_of(&shards, &[0], &Checkpoint::ShardEnd);
    let both = [(1, Checkpoint::TrimHorizon), (2, Checkpoint::TrimHorizon)];
    assert_eq!(planned(&shards, &leases, StartStrategy::Latest), both);
}

#[test]
fn an_unstarted_child_gets_the_parent_it_waits_for() {
    let shards = stream(&[(0, &[]), (1, &[0]), (2, &[0])]);
    let leases = leases_of(&shards, &[1, 2], &Checkpoint::TrimHorizon);
    assert_eq!(planned(&shards, &leases, StartStrategy::Oldest), [(0, Checkpoint::TrimHorizon)]);
}

#[test]
fn a_merge_at_a_timestamp_leaves_out_both_parents_or_none() {
    let shards = stream(&[(0, &[]), (1, &[]), (2, &[0, 1])]);
    let start = StartStrategy::Timestamp(5);
    let child = leases_of(&shards, &[2], &Checkpoint::AtTimestamp);
    assert_eq!(planned(&shards, &child, start), []);
    let finished = [leases_of(&shards, &[1], &Checkpoint::ShardEnd), child].concat();
    assert_eq!(planned(&shards, &finished, start), [(0, Checkpoint::AtTimestamp)]);
}

#[test]
fn a_child_of_an_open_shard_waits_for_the_next_listing() {
    let mut shards = stream(&[(0, &[]), (1, &[0])]);
    shards[0].ending_sequence_number = None;
    let leases = leases_of(&shards, &[0], &Checkpoint::TrimHorizon);
    assert_eq!(planned(&shards, &leases, StartStrategy::Oldest), []);
}

#[test]
fn a_start_at_latest_is_pinned_to_the_moment() {
    let shards = stream(&[(0, &[])]);
    for (start, pinned) in [(StartStrategy::Latest, Some(NOW)), (StartStrategy::Oldest, None)] {
        let writes = plan_shard_sync(&shards, &[], start, NOW);
        let Change::Put(lease) = writes[0].change() else { panic!("a creation") };
        assert_eq!(lease.latest_since, pinned);
        assert_eq!(lease.hash_range, Some(HashKeyRange::FULL));
    }
}

#[test]
fn parents_come_first() {
    let shards = graph_a();
    let writes = plan_shard_sync(&shards, &[], StartStrategy::Oldest, NOW);
    let keys: Vec<_> = writes.iter().map(|write| write.key().as_str()).collect();
    assert_eq!(keys, ["0", "1", "2", "3", "4", "5"]);
}

#[test]
fn a_listing_must_cover_every_hash_once() {
    let complete = graph_a();
    assert_eq!(check_listing(&complete), Ok(()));
    assert!(check_listing(&[]).is_err());
    for missing in ["4", "8", "10"] {
        let partial: Vec<_> = complete.iter().filter(|shard| shard.id != *missing).cloned().collect();
        assert!(check_listing(&partial).is_err(), "without {missing}");
    }
    let mut twice = complete;
    twice.iter_mut().filter(|shard| shard.id == *"4").for_each(|shard| shard.hash_range = HashKeyRange::FULL);
    assert!(check_listing(&twice).is_err());
}

#[test]
fn closed_shards_are_created_only_after_their_descendants_were_read() {
    let shards = graph_a();
    let checked = |start| -> Vec<u8> {
        let writes = plan_shard_sync(&shards, &[], start, NOW);
        let mut rows: Vec<u8> = rows_to_check(&shards, &writes).iter().map(|key| key.parse().unwrap()).collect();
        rows.sort_unstable();
        rows
    };
    assert_eq!(checked(StartStrategy::Oldest), [6, 7, 8, 9, 10]);
    assert_eq!(checked(StartStrategy::Latest), [0, 1, 2, 3, 5, 6, 7], "open shards have none, but they have ancestors");
}

#[test]
fn the_child_of_a_forgotten_shard_waits_for_the_end_of_its_row() {
    // Shard 0 was left unread for longer than the retention: the listing shows only what follows it.
    let mut shards = stream(&[(0, &[]), (1, &[]), (2, &[0, 1])]);
    let rows = leases_of(&shards, &[0, 1], &Checkpoint::Latest);
    shards.retain(|shard| shard.id != *"0");
    assert_eq!(planned(&shards, &rows, StartStrategy::Latest), [], "not at LATEST: its records would be skipped");
    let mut ended = rows;
    ended[0].checkpoint = Checkpoint::ShardEnd;
    assert_eq!(planned(&shards, &ended, StartStrategy::Latest), [(2, Checkpoint::TrimHorizon)]);
}
