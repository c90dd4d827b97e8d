//! Recorded answers of the Java KCL's `AggregatorUtil` (3.1.3) to valid, odd and broken records.
//!
//! One case a line: payload, the shard's hash range (inclusive), and what Java delivers for a record with partition key `outer`;
//! no `java` means that an error escaped from it. Cases named `package-` were packed by the Python package `aws-kinesis-agg`.
//!
//! What is an aggregate and how its records decode must be exactly Java's. Two differences are intended: a bad index or
//! hash key spoils the whole record, where Java delivers a prefix or fails; and decoding never drops a record
//! for its hash key, where Java drops the whole aggregate if one hash key lies outside the shard's range.

use std::collections::BTreeMap;

use bytes::Bytes;
use kcl_aggregation::{Aggregate, Decoded, Undecodable, UserRecord, decode, hash_of};
use serde::Deserialize;

const CASES: &str = include_str!("data/cases.jsonl");

/// Kinds of case in which some record names a key that does not exist or is no hash key.
const BAD_KEY_KINDS: [&str; 5] = ["badehk", "badhash", "badpk", "emptytable", "hugeindex"];

#[derive(Deserialize)]
struct Case {
    name: String,
    data: String,
    start: String,
    end: String,
    java: Option<Vec<Delivered>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Delivered {
    partition_key: String,
    explicit_hash_key: Option<String>,
    sub_sequence_number: u64,
    aggregated: bool,
    data: String,
}

impl Delivered {
    fn raw(case: &Case) -> Self {
        Self {
            partition_key: "outer".to_owned(),
            explicit_hash_key: None,
            sub_sequence_number: 0,
            aggregated: false,
            data: case.data.clone(),
        }
    }

    fn user_record(record: &UserRecord) -> Self {
        Self {
            partition_key: record.partition_key.to_string(),
            explicit_hash_key: record.explicit_hash_key.as_ref().map(ToString::to_string),
            sub_sequence_number: record.sub_sequence_number,
            aggregated: true,
            data: base64(&record.data),
        }
    }
}

impl Case {
    fn kind(&self) -> &str {
        self.name.rsplit_once('-').map_or(self.name.as_str(), |(kind, _)| kind)
    }

    fn range_contains(&self, record: &UserRecord) -> bool {
        let bound = |text: &str| text.parse::<u128>().expect("a hash key");
        let hash = match &record.explicit_hash_key {
            Some(key) => bound(key),
            None => hash_of(record.partition_key.as_bytes()),
        };
        (bound(&self.start)..=bound(&self.end)).contains(&hash)
    }
}

/// How a case ended, for the tally.
fn check(case: &Case) -> &'static str {
    match decode(&Bytes::from(base64_bytes(&case.data))) {
        Decoded::Plain | Decoded::Undecodable(Undecodable::Digest | Undecodable::Protobuf) => {
            assert_eq!(case.java, Some(vec![Delivered::raw(case)]), "{}: not an aggregate", case.name);
            "raw"
        }
        Decoded::Undecodable(reason) => {
            check_bad_key(case, reason);
            "bad key"
        }
        Decoded::Aggregate(aggregate) => check_aggregate(case, &aggregate),
    }
}

fn check_aggregate(case: &Case, aggregate: &Aggregate) -> &'static str {
    let delivered: Vec<_> = aggregate.user_records().map(|record| Delivered::user_record(&record)).collect();
    assert_eq!(delivered.len(), aggregate.len(), "{}", case.name);
    if aggregate.user_records().all(|record| case.range_contains(&record)) {
        assert_eq!(case.java.as_ref(), Some(&delivered), "{}: whole delivery", case.name);
        "delivered"
    } else {
        assert_eq!(case.java, Some(vec![]), "{}: only the range can make Java drop it", case.name);
        "dropped by Java"
    }
}

/// Java failed, or delivered what came before the bad key, or narrowed an index into its table.
fn check_bad_key(case: &Case, reason: Undecodable) {
    assert!(BAD_KEY_KINDS.contains(&case.kind()), "{}: {reason}", case.name);
    let (Undecodable::KeyIndex { sub_sequence_number, .. } | Undecodable::HashKey { sub_sequence_number, .. }) = reason else {
        panic!("{}: {reason}", case.name);
    };
    let narrowed = matches!(reason, Undecodable::KeyIndex { index, .. } if index > u64::from(u32::MAX));
    let java = case.java.as_deref().unwrap_or_default();
    assert!(narrowed || java.len() as u64 <= sub_sequence_number, "{}: Java delivered past {reason}", case.name);
    assert!(java.iter().all(|record| record.aggregated), "{}: Java saw an aggregate", case.name);
}

#[test]
fn every_case_decodes_as_in_java() {
    let mut tally = BTreeMap::new();
    for line in CASES.lines() {
        let case: Case = serde_json::from_str(line).expect("a case");
        *tally.entry(check(&case)).or_insert(0) += 1;
    }
    let seen: Vec<_> = tally.keys().copied().collect();
    assert_eq!(seen, ["bad key", "delivered", "dropped by Java", "raw"], "{tally:?}");
    assert!(tally["delivered"] >= 100 && tally["raw"] >= 100, "{tally:?}");
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn base64(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0_usize, |group, byte| group << 8 | usize::from(*byte)) << (8 * (3 - chunk.len()));
        for position in 0..4 {
            let digit = char::from(ALPHABET[group >> (18 - 6 * position) & 63]);
            text.push(if position <= chunk.len() { digit } else { '=' });
        }
    }
    text
}

fn base64_bytes(text: &str) -> Vec<u8> {
    let digits = text.bytes().filter_map(|byte| ALPHABET.iter().position(|digit| *digit == byte));
    let mut bytes = Vec::new();
    let (mut group, mut bits) = (0_usize, 0);
    for digit in digits {
        group = (group << 6 | digit) & 0xffff;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(group >> bits & 0xff).expect("a byte"));
        }
    }
    bytes
}
