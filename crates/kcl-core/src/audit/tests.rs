use super::*;
use crate::{Checkpoint, SequenceNumber};

/// The hashes in sixteenths: `0-7` is the first half.
fn range(text: &str) -> HashKeyRange {
    let (first, last) = text.split_once('-').unwrap();
    let at = |sixteenth: &str| u128::from_str_radix(sixteenth, 16).unwrap() << 124;
    HashKeyRange::new(at(first), at(last) | (u128::MAX >> 4)).unwrap()
}

/// `name range state`: the range is `?` for a row that does not know it.
fn lease(text: &str) -> Lease {
    let words: Vec<&str> = text.split(' ').collect();
    let mut lease = Lease::new(words[0].into(), Checkpoint::from_text(words[2], 0).unwrap());
    lease.hash_range = (words[1] != "?").then(|| range(words[1]));
    lease
}

/// `name range`, and `closed` if it is.
fn shard(text: &str) -> Shard {
    let words: Vec<&str> = text.split(' ').collect();
    Shard {
        id: words[0].into(),
        parents: Vec::new(),
        hash_range: range(words[1]),
        starting_sequence_number: None,
        ending_sequence_number: (words.len() > 2).then(|| SequenceNumber::from(9)),
    }
}

fn audited(leases: &[&str], shards: &[&str]) -> Audit {
    let leases: Vec<Lease> = leases.iter().map(|text| lease(text)).collect();
    let shards: Vec<Shard> = shards.iter().map(|text| shard(text)).collect();
    audit(&leases.iter().collect::<Vec<_>>(), &shards)
}

#[test]
fn what_is_not_covered() {
    let cases: [(&[&str], Option<&str>, &str); 11] = [
        (&["a 0-f LATEST"], None, "one lease for all"),
        (&["a 0-7 5", "b 8-f TRIM_HORIZON"], None, "two, side by side"),
        (&[], Some("0-f"), "no lease at all"),
        (&["a 0-7 5"], Some("8-f"), "nothing at the end"),
        (&["b 8-f 5"], Some("0-7"), "nothing at the beginning"),
        (&["a 0-3 5", "b 8-f 5"], Some("4-7"), "nothing in the middle"),
        (&["a 0-3 5", "b 6-7 5", "c a-f 5"], Some("4-5"), "the first of two"),
        (&["p 0-f SHARD_END", "a 0-7 5"], Some("8-f"), "a finished lease covers nothing"),
        (&["p 0-f 5", "a 0-7 5", "b 8-f 5"], None, "a parent and its children"),
        (&["p 0-f 5", "a 0-3 5", "b 4-7 5"], None, "the last in order ends before an earlier one"),
        (&["p 0-b 5", "a 2-3 5", "b c-f 5"], None, "the same in the middle"),
    ];
    for (leases, expected, why) in cases {
        assert_eq!(audited(leases, &[]).hole.map(|hole| hole.hashes), expected.map(range), "{why}");
    }
}

#[test]
fn rows_without_a_range_get_that_of_their_shard() {
    let shards = ["a 0-7", "b 8-f", "c 0-f closed"];
    let filled = |leases: &[&str]| -> Vec<LeaseWrite> { audited(leases, &shards).fill };
    let fill = |key: &str, text: &str| LeaseWrite::describe_hash_range(&key.into(), range(text));
    assert_eq!(filled(&["a ? 5", "b 8-f 5"]), [fill("a", "0-7")]);
    assert_eq!(filled(&["a ? LATEST", "b ? 5", "c ? 5"]), [fill("a", "0-7"), fill("b", "8-f"), fill("c", "0-f")]);
    assert_eq!(filled(&["c ? SHARD_END", "z ? 5"]), [], "finished, and unknown");
    assert_eq!(audited(&["a ? 5", "b ? 5"], &shards).hole, None, "they count at once");
    assert_eq!(audited(&["a 0-7 5", "z ? 5"], &shards).hole.map(|hole| hole.hashes), Some(range("8-f")), "of unknown shards not");
}

#[test]
fn a_hole_is_explained_by_the_shards_that_serve_it() {
    let hole = audited(&["a 0-3 5", "b 4-7 SHARD_END", "d c-f 5"], &["a 0-3", "b 4-7", "c 8-b", "d c-f", "e 0-f closed"]).hole;
    let (without_lease, finished) = (vec!["c".into()], vec!["b".into()]);
    assert_eq!(hole, Some(Hole { hashes: range("4-b"), without_lease, finished }));
}

#[test]
fn a_hole_is_believed_when_it_is_seen_three_times() {
    // One letter an audit: which hole it saw, `-` for none. -> how often in a row, where that is believed.
    let cases: [(&str, &[Option<u32>]); 5] = [
        ("aaaa", &[None, None, Some(3), Some(4)]),
        ("aabaab", &[None, None, None, None, None, None]),
        ("aa-aa", &[None, None, None, None, None]),
        ("abbb", &[None, None, None, Some(3)]),
        ("---a", &[None, None, None, None]),
    ];
    for (seen, expected) in cases {
        let mut watch = HoleWatch::default();
        let hole = |letter: char| {
            let hashes = range(if letter == 'a' { "0-1" } else { "2-3" });
            (letter != '-').then_some(Hole { hashes, without_lease: Vec::new(), finished: Vec::new() })
        };
        let believed: Vec<Option<u32>> = seen.chars().map(|letter| watch.saw(hole(letter).as_ref())).collect();
        assert_eq!(believed, expected, "{seen}");
    }
}
