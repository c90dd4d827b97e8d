//! Whether the rows of a table are about the stream that is there now, or about one of the same name before it.
//!
//! A stream that is deleted and created again begins with the same shard ids. A row of the stream before says nothing about
//! the new shard: its checkpoint is a number that the new shard refuses, or an end that would hide the new shard for ever.

use std::collections::BTreeMap;
use std::fmt;

use crate::{HashKeyRange, Lease, LeaseKey, SequenceNumber, Shard, ShardId};

/// A shard whose row is about another shard of the same id.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Stranger {
    /// The shard.
    pub shard: ShardId,
    /// What proves it.
    pub proof: Proof,
}

/// What never happens to one and the same shard.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Proof {
    /// The checkpoint is a record before the shard's first number.
    CheckpointBefore {
        /// The checkpoint.
        checkpoint: SequenceNumber,
        /// Where the shard begins.
        starting: SequenceNumber,
    },
    /// The row has another range of hashes.
    OtherHashes {
        /// That of the row.
        row: HashKeyRange,
        /// That of the shard.
        shard: HashKeyRange,
    },
}

impl fmt::Display for Stranger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.proof {
            Proof::CheckpointBefore { checkpoint, starting } => {
                write!(f, "shard={} checkpoint={checkpoint} first_of_shard={starting}", self.shard)
            }
            Proof::OtherHashes { row, shard } => write!(f, "shard={} hashes_of_row={row} hashes_of_shard={shard}", self.shard),
        }
    }
}

/// Which stream the rows of a table are about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Incarnation {
    /// This one, as far as anything shows.
    This,
    /// Some rows cannot be about this one: somebody edited them, or the stream was created again and has new rows, too.
    Mixed(Vec<Stranger>),
    /// Some rows cannot be about this one, and none shows that it is.
    Another(Vec<Stranger>),
}

/// Compares the rows of a table with a listing of the stream. Nothing that a row or a listing being old could explain counts.
pub fn incarnation<'a>(leases: impl IntoIterator<Item = &'a Lease>, shards: &[Shard]) -> Incarnation {
    let listed: BTreeMap<LeaseKey, &Shard> = shards.iter().map(|shard| (LeaseKey::of_shard(&shard.id), shard)).collect();
    let (mut shown, mut strangers) = (false, Vec::new());
    for lease in leases {
        let Some(shard) = listed.get(&lease.key) else { continue };
        match proof(lease, shard) {
            Some(proof) => strangers.push(Stranger { shard: shard.id.clone(), proof }),
            // A row without a number fits every stream.
            None => shown |= lease.checkpoint.position().is_some(),
        }
    }
    match (strangers.is_empty(), shown) {
        (true, _) => Incarnation::This,
        (false, true) => Incarnation::Mixed(strangers),
        (false, false) => Incarnation::Another(strangers),
    }
}

fn proof(lease: &Lease, shard: &Shard) -> Option<Proof> {
    let row = lease.hash_range.filter(|range| *range != shard.hash_range);
    if let Some(row) = row {
        return Some(Proof::OtherHashes { row, shard: shard.hash_range });
    }
    let checkpoint = &lease.checkpoint.position()?.sequence_number;
    let starting = shard.starting_sequence_number.as_ref().filter(|starting| checkpoint < *starting)?;
    Some(Proof::CheckpointBefore { checkpoint: checkpoint.clone(), starting: starting.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Checkpoint, ExtendedSequenceNumber};

    const HALF: HashKeyRange = HashKeyRange { start: 0, end: u128::MAX / 2 };

    fn shard(id: &str, starting: Option<u64>, hash_range: HashKeyRange) -> Shard {
        let starting_sequence_number = starting.map(SequenceNumber::from);
        Shard { id: id.into(), parents: Vec::new(), hash_range, starting_sequence_number, ending_sequence_number: None }
    }

    fn at(number: u64) -> Checkpoint {
        Checkpoint::At(ExtendedSequenceNumber::new(SequenceNumber::from(number), 0))
    }

    fn lease(id: &str, checkpoint: Checkpoint, hash_range: Option<HashKeyRange>) -> Lease {
        Lease { hash_range, ..Lease::new(id.into(), checkpoint) }
    }

    #[test]
    fn what_never_happens_to_one_shard() {
        let full = Some(HashKeyRange::FULL);
        let cases = [
            (at(100), full, Some(100), false, "the very first record"),
            (at(99), full, Some(100), true, "a record from before the shard"),
            (at(99), None, Some(100), true, "the row knows no hashes"),
            (at(99), full, None, false, "the listing does not say where the shard begins"),
            (at(100), Some(HALF), Some(100), true, "a shard keeps its hashes"),
            (Checkpoint::TrimHorizon, Some(HALF), Some(100), true, "also one that was not read yet"),
            (Checkpoint::ShardEnd, Some(HALF), Some(100), true, "or is finished"),
            (Checkpoint::TrimHorizon, full, Some(100), false, "not read yet"),
            (Checkpoint::Latest, None, Some(100), false, "nothing to compare"),
            (Checkpoint::ShardEnd, full, Some(100), false, "the listing may be from before the end"),
        ];
        for (checkpoint, hash_range, starting, stranger, why) in cases {
            let found = incarnation(&[lease("a", checkpoint, hash_range)], &[shard("a", starting, HashKeyRange::FULL)]);
            assert_eq!(matches!(found, Incarnation::Another(_)), stranger, "{why}: {found:?}");
            assert_eq!(found == Incarnation::This, !stranger, "{why}: {found:?}");
        }
    }

    #[test]
    fn a_table_is_another_streams_unless_a_row_shows_that_it_is_not() {
        let shards = [shard("a", Some(100), HashKeyRange::FULL), shard("b", Some(100), HashKeyRange::FULL)];
        let found = |rows: &[(&str, u64)]| {
            let leases: Vec<Lease> = rows.iter().map(|(id, number)| lease(id, at(*number), None)).collect();
            match incarnation(&leases, &shards) {
                Incarnation::This => ("this", 0),
                Incarnation::Mixed(strangers) => ("mixed", strangers.len()),
                Incarnation::Another(strangers) => ("another", strangers.len()),
            }
        };
        assert_eq!(found(&[]), ("this", 0));
        assert_eq!(found(&[("z", 1)]), ("this", 0), "a shard that is gone says nothing");
        assert_eq!(found(&[("a", 1), ("b", 2), ("z", 200)]), ("another", 2));
        assert_eq!(found(&[("a", 1), ("b", 200)]), ("mixed", 1));
        assert_eq!(found(&[("a", 200), ("b", 100)]), ("this", 0));
        let leases = [lease("a", at(1), None), lease("b", Checkpoint::TrimHorizon, None)];
        assert!(matches!(incarnation(&leases, &shards), Incarnation::Another(_)), "what was never read fits every stream");
    }

    #[test]
    fn a_stranger_says_how_it_is_known() {
        let found = incarnation(&[lease("a", at(7), None)], &[shard("a", Some(100), HALF)]);
        let Incarnation::Another(strangers) = found else { panic!("{found:?}") };
        assert_eq!(strangers[0].to_string(), "shard=a checkpoint=7 first_of_shard=100");
    }
}
