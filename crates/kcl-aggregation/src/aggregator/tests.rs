use super::*;
use crate::{Decoded, decode, hash_of};

fn user_records(packed: &PackedRecord) -> Vec<(String, Option<String>, Bytes)> {
    let Decoded::Aggregate(aggregate) = decode(&packed.data) else {
        panic!("not an aggregate: {packed:?}");
    };
    assert_eq!(aggregate.len(), packed.count);
    let plain = |record: crate::UserRecord| {
        (record.partition_key.to_string(), record.explicit_hash_key.map(|key| key.to_string()), record.data)
    };
    aggregate.user_records().map(plain).collect()
}

#[test]
fn an_empty_aggregator_packs_nothing() {
    let mut aggregator = Aggregator::default();
    assert_eq!(aggregator.finish(), None);
    assert!(aggregator.is_empty());
    assert_eq!(aggregator.size_bytes(), 0);
}

#[test]
fn one_record_alone_goes_out_plain() {
    let mut aggregator = Aggregator::default();
    for hash_key in [None, Some(7)] {
        assert_eq!(aggregator.add("k", hash_key, "payload"), Ok(None));
        assert_eq!(aggregator.size_bytes(), 7);
        let expected = PackedRecord {
            data: Bytes::from_static(b"payload"),
            partition_key: "k".into(),
            explicit_hash_key: hash_key,
            count: 1,
        };
        assert_eq!(aggregator.finish(), Some(expected));
    }
}

#[test]
fn the_bytes_are_those_of_the_format() {
    let mut aggregator = Aggregator::default();
    for (key, hash_key, data) in [("a", None, "one"), ("b", Some(0), "two"), ("a", None, "")] {
        assert_eq!(aggregator.add(key, hash_key, data), Ok(None));
    }
    let packed = aggregator.finish().expect("three records");
    let body =
        b"\x0a\x01a\x0a\x01b\x12\x010\x1a\x07\x08\x00\x1a\x03one\x1a\x09\x08\x01\x10\x00\x1a\x03two\x1a\x04\x08\x00\x1a\x00";
    assert_eq!(packed.data, crate::envelope::seal_bytes(body));
    assert_eq!(packed.partition_key, "a");
    assert_eq!(packed.explicit_hash_key, Some(hash_of(b"a")));
}

#[test]
fn the_first_record_places_the_aggregate() {
    let place = |first: (&str, Option<u128>)| {
        let mut aggregator = Aggregator::default();
        for (key, hash_key) in [first, ("z", Some(9))] {
            assert_eq!(aggregator.add(key, hash_key, ""), Ok(None));
        }
        aggregator.finish().expect("two records").explicit_hash_key
    };
    assert_eq!(place(("k", None)), Some(hash_of(b"k")));
    assert_eq!(place(("k", Some(u128::MAX))), Some(u128::MAX));
}

#[test]
fn a_record_that_does_not_fit_finishes_the_one_before() {
    let exact = 20 + (3 + 8 + 8); // frame, key table entry, two records of two bytes
    let mut aggregator = Aggregator::new(exact);
    assert_eq!(aggregator.add("k", None, "r0"), Ok(None));
    assert_eq!(aggregator.add("k", None, "r1"), Ok(None));
    assert_eq!(aggregator.size_bytes(), exact);
    let packed = aggregator.add("k", None, "r2").expect("small enough").expect("full");
    assert_eq!(packed.data.len(), exact);
    let expected = ["r0", "r1"].map(|data| ("k".to_owned(), None, Bytes::from(data)));
    assert_eq!(user_records(&packed), expected);
    assert_eq!(aggregator.len(), 1);

    let mut smaller = Aggregator::new(exact - 1);
    assert_eq!(smaller.add("k", None, "r0"), Ok(None));
    assert_eq!(smaller.add("k", None, "r1").expect("small enough").map(|packed| packed.count), Some(1));
}

#[test]
fn a_record_may_fill_the_limit_alone_but_not_exceed_it() {
    let mut aggregator = Aggregator::new(64);
    assert_eq!(aggregator.add("k", None, vec![0; 64]), Ok(None));
    assert_eq!(aggregator.add("k", None, vec![0; 65]), Err(TooLarge { size_bytes: 65, limit_bytes: 64 }));
    assert_eq!(aggregator.len(), 1, "what was pending stays");
    assert_eq!(aggregator.finish().map(|packed| packed.data.len()), Some(64));
}
