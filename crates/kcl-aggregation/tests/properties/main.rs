//! Properties of both directions, on generated input.

mod reference;

use bytes::Bytes;
use kcl_aggregation::{Aggregator, Decoded, PackedRecord, decode, hash_of};
use md5::{Digest, Md5};
use proptest::prelude::*;
use prost::Message;
use reference::{AggregatedRecord, Flat, Record, Tag, resolve};

fn seal(body: &[u8]) -> Bytes {
    Bytes::from([&[0xf3, 0x89, 0x9a, 0xc2], body, &Md5::digest(body)].concat())
}

/// What `decode` says: the user records, or a label. Checks the promises of the iterator on the way.
fn decoded(data: &Bytes) -> Result<Vec<Flat>, &'static str> {
    let aggregate = match decode(data) {
        Decoded::Plain => return Err("plain"),
        Decoded::Undecodable(reason) => return Err(reason.label()),
        Decoded::Aggregate(aggregate) => aggregate,
    };
    let mut records = aggregate.user_records();
    let mut flat = Vec::new();
    while let Some(record) = records.next() {
        assert_eq!(record.sub_sequence_number, flat.len() as u64);
        assert_eq!(record.is_last, records.len() == 0);
        let hash_key = record.explicit_hash_key.map(|key| key.to_string());
        flat.push((record.partition_key.to_string(), hash_key, record.data));
        assert_eq!(flat.len() + records.len(), aggregate.len());
    }
    assert_eq!(flat.len(), aggregate.len(), "validation promised every record");
    Ok(flat)
}

fn key_text() -> impl Strategy<Value = Bytes> {
    prop_oneof![
        4 => "[a-c]{1,2}".prop_map(Bytes::from),
        1 => ".{0,6}".prop_map(Bytes::from),
        1 => prop::collection::vec(any::<u8>(), 0..6).prop_map(Bytes::from),
    ]
}

fn hash_key_text() -> impl Strategy<Value = Bytes> {
    prop_oneof![8 => any::<u128>().prop_map(|key| key.to_string()), 1 => "[-+]?0{0,3}[0-9a]{0,3}"].prop_map(Bytes::from)
}

fn payload() -> impl Strategy<Value = Bytes> {
    prop::collection::vec(any::<u8>(), 0..12).prop_map(Bytes::from)
}

prop_compose! {
    fn record()(
        partition_key_index in prop_oneof![40 => (0_u64..3).prop_map(Some), 1 => any::<u64>().prop_map(Some), 1 => Just(None)],
        explicit_hash_key_index in prop_oneof![20 => Just(None), 20 => (0_u64..2).prop_map(Some), 1 => any::<u64>().prop_map(Some)],
        data in prop_oneof![40 => payload().prop_map(Some), 1 => Just(None)],
        tags in prop_oneof![20 => Just(vec![]), 1 => prop::collection::vec(tag(), 1..3)],
    ) -> Record {
        Record { partition_key_index, explicit_hash_key_index, data, tags }
    }
}

fn tag() -> impl Strategy<Value = Tag> {
    let key = prop_oneof![4 => payload().prop_map(Some), 1 => Just(None)];
    (key, prop::option::of(payload())).prop_map(|(key, value)| Tag { key, value })
}

prop_compose! {
    fn message()(
        partition_key_table in prop::collection::vec(key_text(), 2..5),
        explicit_hash_key_table in prop::collection::vec(hash_key_text(), 1..4),
        records in prop::collection::vec(record(), 0..6),
    ) -> AggregatedRecord {
        AggregatedRecord { partition_key_table, explicit_hash_key_table, records }
    }
}

/// Changes of single bytes, as (where, what): bit flips and small numbers keep most of the structure alive.
fn mutations() -> impl Strategy<Value = Vec<(prop::sample::Index, u8, bool)>> {
    prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), any::<bool>()), 1..4)
}

fn user_record() -> impl Strategy<Value = (String, Option<u128>, Vec<u8>)> {
    let data = (any::<u8>(), 0_usize..200).prop_map(|(byte, length)| vec![byte; length]);
    ("[a-e]{0,2}|.{1,20}", prop::option::of(prop_oneof![0_u128..20, any::<u128>()]), data)
}

fn unpack(packed: &PackedRecord) -> Vec<Flat> {
    if packed.count == 1 {
        let hash_key = packed.explicit_hash_key.map(|key| key.to_string());
        return vec![(packed.partition_key.to_string(), hash_key, packed.data.clone())];
    }
    decoded(&packed.data).expect("an aggregate")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn what_goes_in_comes_out_within_the_limit(
        added in prop::collection::vec(user_record(), 0..40),
        limit in 200_usize..3_000,
    ) {
        let mut aggregator = Aggregator::new(limit);
        let mut packed = Vec::new();
        for (key, hash_key, data) in &added {
            let size_before = aggregator.size_bytes();
            if let Some(full) = aggregator.add(key, *hash_key, data.clone()).expect("below the limit") {
                prop_assert_eq!(full.data.len(), size_before, "the size is exact");
                packed.push(full);
            }
        }
        packed.extend(aggregator.finish());
        prop_assert!(packed.iter().all(|record| record.data.len() <= limit));
        let came_out: Vec<Flat> = packed.iter().flat_map(unpack).collect();
        let went_in: Vec<Flat> = added.iter()
            .map(|(key, hash_key, data)| (key.clone(), hash_key.map(|key| key.to_string()), data.clone().into()))
            .collect();
        prop_assert_eq!(came_out, went_in);
    }

    #[test]
    fn an_aggregate_is_placed_by_its_first_record(added in prop::collection::vec(user_record(), 2..5)) {
        let mut aggregator = Aggregator::default();
        for (key, hash_key, data) in &added {
            prop_assert_eq!(aggregator.add(key, *hash_key, data.clone()), Ok(None));
        }
        let (key, hash_key, _) = &added[0];
        let placed = aggregator.finish().and_then(|packed| packed.explicit_hash_key);
        prop_assert_eq!(placed, Some(hash_key.unwrap_or_else(|| hash_of(key.as_bytes()))));
    }

    #[test]
    fn well_formed_messages_decode_as_the_reference_does(message in message()) {
        prop_assert_eq!(decoded(&seal(&message.encode_to_vec())), resolve(&message));
    }

    /// Whatever the reference parses, we decode alike. It is stricter than Java in three points; there we go with Java.
    #[test]
    fn damaged_messages_decode_as_the_reference_does(message in message(), mutations in mutations()) {
        let mut body = message.encode_to_vec();
        for (at, value, replace) in mutations {
            let at = at.index(body.len());
            body[at] = if replace { value % 0x30 } else { body[at] ^ (1 << (value % 8)) };
        }
        let ours = decoded(&seal(&body));
        match AggregatedRecord::decode(body.as_slice()) {
            Ok(message) => prop_assert_eq!(ours, resolve(&message)),
            Err(error) => {
                let error = error.to_string();
                let stricter = ["invalid wire type", "invalid varint", "invalid key value"];
                prop_assert!(
                    ours == Err("protobuf") || stricter.iter().any(|text| error.contains(text)),
                    "{:?}, but the reference says: {}", ours, error
                );
            }
        }
    }

    #[test]
    fn every_byte_string_has_an_answer(body in prop::collection::vec(any::<u8>(), 1..400)) {
        let _ = decoded(&Bytes::from(body.clone()));
        let _ = decoded(&seal(&body));
    }

    /// Bytes that are mostly tags and small lengths get much deeper into the parser than random ones.
    #[test]
    fn every_tag_soup_has_an_answer(
        body in prop::collection::vec(prop::sample::select(b"\x00\x01\x02\x03\x04\x06\x08\x0a\x0b\x0c\x10\x12\x1a\x1b\x1c\x22\x80\xff19".as_slice()), 1..200)
    ) {
        prop_assert_ne!(decoded(&seal(&body)), Err("plain"));
    }

    #[test]
    fn a_damaged_envelope_is_delivered_raw(message in message(), at: prop::sample::Index, bit in 0_u32..8) {
        let sealed = seal(&message.encode_to_vec());
        let mut damaged = sealed.to_vec();
        let at = at.index(damaged.len());
        damaged[at] ^= 1_u8 << bit;
        let expected = if at < 4 { "plain" } else { "digest" };
        prop_assert_eq!(decoded(&damaged.into()), Err(expected));
        prop_assert!(matches!(decoded(&sealed.slice(..sealed.len() - 1)), Err("digest" | "plain")));
    }
}
