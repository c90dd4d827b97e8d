use std::cmp::Ordering;
use std::fmt;

use bytes::Bytes;

use crate::{ExtendedSequenceNumber, SequenceNumber};

/// How far a shard has been processed: what the `checkpoint` attribute of its lease row says.
///
/// The order is that of the Java library (`ExtendedSequenceNumber.java`): timestamp start, oldest, latest, positions,
/// end of the shard.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Checkpoint {
    /// Nothing processed; start at the timestamp that the worker's configuration names.
    AtTimestamp,
    /// Nothing processed; start at the oldest record.
    TrimHorizon,
    /// Nothing processed; start after the newest record at the time the lease was created.
    Latest,
    /// Everything up to and including this position is processed.
    At(ExtendedSequenceNumber),
    /// The whole shard is processed.
    ShardEnd,
}

impl Checkpoint {
    /// Whether nothing has been processed yet.
    pub const fn is_initial(&self) -> bool {
        matches!(self, Self::AtTimestamp | Self::TrimHorizon | Self::Latest)
    }

    /// Whether the whole shard is processed.
    pub const fn is_shard_end(&self) -> bool {
        matches!(self, Self::ShardEnd)
    }

    /// The position, if the checkpoint is one.
    pub const fn position(&self) -> Option<&ExtendedSequenceNumber> {
        match self {
            Self::At(position) => Some(position),
            _ => None,
        }
    }

    const fn rank(&self) -> u8 {
        match self {
            Self::AtTimestamp => 0,
            Self::TrimHorizon => 1,
            Self::Latest => 2,
            Self::At(_) => 3,
            Self::ShardEnd => 4,
        }
    }

    /// The text of the `checkpoint` attribute: a sentinel's name or the sequence number's digits.
    pub fn as_text(&self) -> &str {
        match self {
            Self::AtTimestamp => "AT_TIMESTAMP",
            Self::TrimHorizon => "TRIM_HORIZON",
            Self::Latest => "LATEST",
            Self::At(position) => position.sequence_number.as_str(),
            Self::ShardEnd => "SHARD_END",
        }
    }

    /// The number beside the text: 0 for every sentinel.
    pub const fn sub_sequence_number(&self) -> u64 {
        match self {
            Self::At(position) => position.sub_sequence_number,
            _ => 0,
        }
    }

    /// Reads what [`as_text`](Self::as_text) and [`sub_sequence_number`](Self::sub_sequence_number) wrote.
    ///
    /// # Errors
    /// If the text is neither a sentinel nor decimal digits.
    pub fn from_text(text: &str, sub_sequence_number: u64) -> Result<Self, crate::InvalidSequenceNumber> {
        Ok(match text {
            "AT_TIMESTAMP" => Self::AtTimestamp,
            "TRIM_HORIZON" => Self::TrimHorizon,
            "LATEST" => Self::Latest,
            "SHARD_END" => Self::ShardEnd,
            digits => Self::At(ExtendedSequenceNumber::new(SequenceNumber::new(digits)?, sub_sequence_number)),
        })
    }
}

impl Ord for Checkpoint {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::At(a), Self::At(b)) => a.cmp(b),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for Checkpoint {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(position) => position.fmt(f),
            sentinel => f.write_str(sentinel.as_text()),
        }
    }
}

/// A checkpoint that was proposed and not yet committed, with what the application stored beside it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PendingCheckpoint {
    /// The proposed checkpoint.
    pub checkpoint: Checkpoint,
    /// The application's own bytes.
    pub state: Option<Bytes>,
}

impl fmt::Debug for PendingCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state_bytes = self.state.as_ref().map(Bytes::len);
        f.debug_struct("PendingCheckpoint").field("checkpoint", &self.checkpoint).field("state_bytes", &state_bytes).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_text() {
        let at = |s: &str, sub| Checkpoint::from_text(s, sub).unwrap();
        let ascending = [
            at("AT_TIMESTAMP", 0),
            at("TRIM_HORIZON", 0),
            at("LATEST", 0),
            at("9", 0),
            at("9", 4),
            at("10", 0),
            at("SHARD_END", 0),
        ];
        for pair in ascending.windows(2) {
            assert!(pair[0] < pair[1], "{pair:?}");
        }
        for checkpoint in &ascending {
            assert_eq!(&at(checkpoint.as_text(), checkpoint.sub_sequence_number()), checkpoint);
        }
        assert!(Checkpoint::from_text("latest", 0).is_err());
    }
}
