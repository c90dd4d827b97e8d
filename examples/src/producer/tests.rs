use super::*;

fn records(count: u64) -> Vec<UserRecord> {
    (0..count).map(|id| UserRecord::numbered(id, format!("key-{}", id % 3))).collect()
}

#[test]
fn the_number_of_a_record_is_found_in_its_payload_and_nowhere_else() {
    assert_eq!(record_id(&UserRecord::numbered(17, "key").data), Some(17));
    for other in ["", "17", "{\"id\":-1}", "{\"id\":\"17\"}", "{\"ident\":17}", "\u{0}"] {
        assert_eq!(record_id(other.as_bytes()), None, "{other}");
    }
}

#[test]
fn an_aggregate_holds_records_of_one_key_and_each_record_is_in_one_entry() {
    let entries = entries(records(30), Packing::Aggregated).unwrap();
    assert_eq!(entries.len(), 3);
    let mut ids: Vec<u64> = entries.iter().flat_map(|entry| entry.ids.clone()).collect();
    ids.sort_unstable();
    assert_eq!(ids, (0..30).collect::<Vec<_>>());
    assert!(entries.iter().all(|entry| entry.ids.iter().all(|id| id % 3 == entry.ids[0] % 3)));
}

#[test]
fn a_full_aggregate_is_sent_without_the_record_that_did_not_fit() {
    let large = |id| UserRecord { id, partition_key: "key".to_owned(), data: vec![b'x'; 20_000].into() };
    let entries = entries((0..5).map(large).collect(), Packing::Aggregated).unwrap();
    let ids: Vec<Vec<u64>> = entries.into_iter().map(|entry| entry.ids).collect();
    assert_eq!(ids, [vec![0, 1], vec![2, 3], vec![4]]);
}

#[test]
fn a_request_is_bounded_by_records_and_bytes_and_never_empty() {
    assert_eq!(request_length(&entries(records(501), Packing::Plain).unwrap()), REQUEST_RECORDS_MOST);
    let large = |id| UserRecord { id, partition_key: "key".to_owned(), data: vec![b'x'; 1_000_000].into() };
    assert_eq!(request_length(&entries((0..9).map(large).collect(), Packing::Plain).unwrap()), 4);
    let huge = UserRecord { id: 0, partition_key: "key".to_owned(), data: vec![b'x'; REQUEST_BYTES_MOST].into() };
    assert_eq!(request_length(&entries(vec![huge], Packing::Plain).unwrap()), 1);
    assert_eq!(request_length(&[]), 0);
}
