use aws_sdk_kinesis::types::SequenceNumberRange;

use super::*;

fn stream() -> StreamRef {
    StreamRef::parse("orders").unwrap()
}

fn hash_keys(start: &str, end: &str) -> SdkHashKeyRange {
    SdkHashKeyRange::builder().starting_hash_key(start).ending_hash_key(end).build().unwrap()
}

fn numbers(start: &str, end: Option<&str>) -> SequenceNumberRange {
    let range = SequenceNumberRange::builder().starting_sequence_number(start);
    range.set_ending_sequence_number(end.map(str::to_owned)).build().unwrap()
}

fn listed() -> SdkShard {
    let whole = hash_keys("0", "340282366920938463463374607431768211455");
    SdkShard::builder().shard_id("shard-2").hash_key_range(whole).sequence_number_range(numbers("5", None)).build().unwrap()
}

fn id(text: &str) -> ShardId {
    ShardId::from(text)
}

#[test]
fn an_open_shard_without_parents() {
    let shard = shard_from_sdk(listed(), &stream()).unwrap();
    let expected = Shard {
        id: id("shard-2"),
        parents: vec![],
        hash_range: HashKeyRange::FULL,
        starting_sequence_number: Some(SequenceNumber::from(5)),
        ending_sequence_number: None,
    };
    assert_eq!(shard, expected);
}

#[test]
fn a_closed_shard_out_of_a_merge() {
    let mut merged = listed();
    merged.parent_shard_id = Some("shard-0".into());
    merged.adjacent_parent_shard_id = Some("shard-1".into());
    merged.sequence_number_range = Some(numbers("5", Some("49590338271490256608559692538361571095921575989136588898")));
    let shard = shard_from_sdk(merged.clone(), &stream()).unwrap();
    assert_eq!(shard.parents, [id("shard-0"), id("shard-1")]);
    assert!(!shard.is_open());

    merged.adjacent_parent_shard_id = Some("shard-0".into());
    assert_eq!(shard_from_sdk(merged.clone(), &stream()).unwrap().parents, [id("shard-0")]);
    merged.parent_shard_id = Some(String::new());
    merged.adjacent_parent_shard_id = None;
    assert!(shard_from_sdk(merged, &stream()).unwrap().parents.is_empty());
}

#[test]
fn a_shard_that_cannot_be_understood_is_named() {
    let broken: [fn(&mut SdkShard); 9] = [
        |shard| shard.hash_key_range = None,
        |shard| shard.hash_key_range = Some(hash_keys("9", "8")),
        |shard| shard.hash_key_range = Some(hash_keys("", "8")),
        |shard| shard.hash_key_range = Some(hash_keys("+1", "8")),
        |shard| shard.hash_key_range = Some(hash_keys("0", "340282366920938463463374607431768211456")),
        |shard| shard.sequence_number_range = None,
        |shard| shard.sequence_number_range = Some(numbers("five", None)),
        // Neither open nor closed.
        |shard| shard.sequence_number_range = Some(numbers("5", Some(""))),
        |shard| shard.sequence_number_range = Some(numbers("5", Some("-1"))),
    ];
    for (case, break_it) in broken.iter().enumerate() {
        let mut shard = listed();
        break_it(&mut shard);
        let error = shard_from_sdk(shard, &stream()).unwrap_err();
        assert_eq!((error.kind(), error.subject()), (ErrorKind::Corrupt, "orders/shard-2"), "case {case}");
    }
    let mut nameless = listed();
    nameless.shard_id = String::new();
    assert_eq!(shard_from_sdk(nameless, &stream()).unwrap_err().kind(), ErrorKind::Corrupt);
}

fn child(name: &str, parents: &[&str]) -> SdkChildShard {
    let parents = parents.iter().map(|&parent| parent.to_owned()).collect();
    SdkChildShard::builder().shard_id(name).set_parent_shards(Some(parents)).hash_key_range(hash_keys("0", "9")).build().unwrap()
}

#[test]
fn children_with_all_their_parents() {
    let children = children_from_sdk(vec![child("c", &["a", "b"]), child("c", &["a", "b"]), child("d", &["a"])]);
    let hash_range = HashKeyRange::new(0, 9);
    let expected = [
        ChildShard { id: id("c"), parents: vec![id("a"), id("b")], hash_range },
        ChildShard { id: id("d"), parents: vec![id("a")], hash_range },
    ];
    assert_eq!(children, expected);
}

#[test]
fn a_list_of_children_with_a_hole_counts_as_absent() {
    assert_eq!(children_from_sdk(vec![child("c", &["a"]), child("d", &[])]), []);
    assert_eq!(children_from_sdk(vec![child("c", &["a"]), child("", &["a"])]), []);
    let mut rangeless = child("c", &["a"]);
    rangeless.hash_key_range = Some(hash_keys("x", "9"));
    assert_eq!(children_from_sdk(vec![rangeless])[0].hash_range, None);
}
