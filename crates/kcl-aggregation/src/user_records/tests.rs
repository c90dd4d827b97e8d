use super::*;
use crate::envelope::seal_bytes;
use crate::{Aggregate, Decoded, KeyTable, Undecodable, decode};

fn bytes(hex: &str) -> Bytes {
    let digits: Vec<u32> = hex.chars().filter_map(|digit| digit.to_digit(16)).collect();
    digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).expect("a byte")).collect()
}

fn aggregate(data: &Bytes) -> Aggregate {
    match decode(data) {
        Decoded::Aggregate(aggregate) => aggregate,
        other => panic!("expected an aggregate, got {other:?}"),
    }
}

fn reason(data: &Bytes) -> Undecodable {
    match decode(data) {
        Decoded::Undecodable(reason) => reason,
        other => panic!("expected an undecodable record, got {other:?}"),
    }
}

/// Three records: (`a`: "one"), (`b`, explicit hash key `0`: "two"), (`a`: "").
fn three() -> Bytes {
    bytes(
        "f3899ac20a01610a01621201301a0708001a036f6e651a09080110001a0374776f1a0408001a00\
         23d13c679e67f2aa0955b8127cfe8dd2",
    )
}

#[test]
fn records_come_out_in_order_with_their_keys() {
    let data = three();
    let aggregate = aggregate(&data);
    assert_eq!(aggregate.len(), 3);
    let records: Vec<_> = aggregate.user_records().collect();
    let expected = [("a", None, "one", false), ("b", Some("0"), "two", false), ("a", None, "", true)];
    for (position, (record, (key, hash_key, payload, is_last))) in records.iter().zip(expected).enumerate() {
        assert_eq!(record.partition_key, key);
        assert_eq!(record.explicit_hash_key.as_deref(), hash_key);
        assert_eq!(record.data, payload);
        assert_eq!(record.sub_sequence_number, position as u64);
        assert_eq!(record.is_last, is_last);
    }
}

#[test]
fn nothing_is_copied_but_one_text_per_key() {
    let data = three();
    let records: Vec<_> = aggregate(&data).user_records().collect();
    assert!(data.as_ptr_range().contains(&records[1].data.as_ptr()));
    assert_eq!(records[0].partition_key.as_ptr(), records[2].partition_key.as_ptr());
}

#[test]
fn skipping_goes_forward_only() {
    let aggregate = aggregate(&three());
    let mut records = aggregate.user_records();
    records.skip_to(1);
    assert_eq!(records.len(), 2);
    records.skip_to(0);
    assert_eq!(records.next().map(|record| record.sub_sequence_number), Some(1));
    records.skip_to(u64::MAX);
    assert_eq!(records.len(), 0);
    assert_eq!(records.next(), None);
    assert_eq!(records.next(), None);
    assert_eq!(aggregate.user_records().nth(2).map(|record| record.is_last), Some(true));
    assert_eq!(aggregate.user_records().nth(3), None);
}

#[test]
fn the_iterator_can_move_between_threads() {
    fn check<T: Send + Sync + 'static>(_: &T) {}
    check(&aggregate(&three()).user_records());
}

#[test]
fn a_bad_index_spoils_the_whole_aggregate() {
    let data = bytes("f3899ac20a01611a0608001a026b301a0608071a026b311a0608001a026b321c47de0ac2f69cbd9b6f77cd89b43cb4");
    let expected = Undecodable::KeyIndex { table: KeyTable::PartitionKey, sub_sequence_number: 1, index: 7, entries: 1 };
    assert_eq!(reason(&data), expected);
}

#[test]
fn indexes_are_not_narrowed() {
    let index = [0x80, 0x80, 0x80, 0x80, 0x10]; // 2^32, which Java reads as 0
    let body = [&[0x0a, 1, b'a', 0x12, 1, b'0', 0x1a, 10, 0x08, 0, 0x10], index.as_slice(), &[0x1a, 0]].concat();
    let table = KeyTable::ExplicitHashKey;
    let expected = Undecodable::KeyIndex { table, sub_sequence_number: 0, index: 1 << 32, entries: 1 };
    assert_eq!(reason(&seal_bytes(&body)), expected);
}

#[test]
fn only_named_hash_keys_must_be_valid() {
    let table = [0x0a, 1, b'a', 0x12, 1, b'x', 0x12, 1, b'1'];
    let naming = |index: u8| seal_bytes(&[table.as_slice(), &[0x1a, 6, 0x08, 0, 0x10, index, 0x1a, 0]].concat());
    assert_eq!(aggregate(&naming(1)).len(), 1);
    assert_eq!(reason(&naming(0)), Undecodable::HashKey { sub_sequence_number: 0, index: 0 });
}

#[test]
fn a_missing_required_field_spoils_the_whole_aggregate() {
    assert_eq!(reason(&bytes("f3899ac20a01611a0208006f9c5d02d95fbde86ecdd45367d7f6b4")), Undecodable::Protobuf);
}

#[test]
fn keys_may_follow_records_and_be_broken_utf_8() {
    let data = seal_bytes(&[0x1a, 4, 0x08, 0, 0x1a, 0, 0x0a, 2, b'a', 0xff]);
    let record = aggregate(&data).user_records().next().expect("one record");
    assert_eq!(record.partition_key, "a\u{fffd}");
}

#[test]
fn an_aggregate_without_records_is_empty() {
    let aggregate = aggregate(&seal_bytes(&[0x0a, 1, b'a']));
    assert!(aggregate.is_empty());
    assert_eq!(aggregate.user_records().next(), None);
}

#[test]
fn millions_of_minimal_records_are_walked_without_being_held() {
    let mut body = vec![0x0a, 0];
    body.extend([0x1a, 4, 0x08, 0, 0x1a, 0].repeat(1_000_000));
    let aggregate = aggregate(&seal_bytes(&body));
    let mut records = aggregate.user_records();
    records.skip_to(999_998);
    assert_eq!(records.map(|record| record.is_last).collect::<Vec<_>>(), [false, true]);
}

/// Reading the key again for each record would take minutes.
#[test]
fn a_long_key_is_read_once_however_many_records_name_it() {
    let digits = [&[0x80, 0x80, 0x20], "0".repeat(1 << 19).as_bytes()].concat();
    let mut body = [&[0x0a], digits.as_slice(), &[0x12], &digits].concat();
    body.extend([0x1a, 6, 0x08, 0, 0x10, 0, 0x1a, 0].repeat(100_000));
    assert_eq!(aggregate(&seal_bytes(&body)).user_records().count(), 100_000);
}

#[test]
fn debug_output_shows_no_payload_and_no_key() {
    let data = seal_bytes(b"\x0a\x03key\x1a\x08\x08\x00\x1a\x04body");
    let aggregate = aggregate(&data);
    let record = aggregate.user_records().next();
    let shown = format!("{:?} {aggregate:?} {:?} {record:?}", decode(&data), aggregate.user_records());
    assert!(!shown.contains("key\"") && !shown.contains("body\""), "{shown}");
}
