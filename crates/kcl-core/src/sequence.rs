use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

/// The position of a record in its shard, as Kinesis gives it: a decimal number of any size.
///
/// Ordered by value, not by text. Leading zeros are not kept, so equal numbers are equal texts.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SequenceNumber(Arc<str>);

/// A text that is not a decimal number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a sequence number is decimal digits only: text={text:?}")]
pub struct InvalidSequenceNumber {
    text: String,
}

impl SequenceNumber {
    /// Reads the decimal text.
    ///
    /// # Errors
    /// If the text is empty or holds anything but ASCII digits.
    pub fn new(text: &str) -> Result<Self, InvalidSequenceNumber> {
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
            let text = text.chars().take(200).collect();
            return Err(InvalidSequenceNumber { text });
        }
        let digits = text.trim_start_matches('0');
        Ok(Self(if digits.is_empty() { "0" } else { digits }.into()))
    }

    /// The decimal text without leading zeros.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<u64> for SequenceNumber {
    fn from(number: u64) -> Self {
        Self(number.to_string().into())
    }
}

impl std::str::FromStr for SequenceNumber {
    type Err = InvalidSequenceNumber;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text)
    }
}

impl Ord for SequenceNumber {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_length = self.0.len().cmp(&other.0.len());
        by_length.then_with(|| self.0.as_bytes().cmp(other.0.as_bytes()))
    }
}

impl PartialOrd for SequenceNumber {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for SequenceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SequenceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for SequenceNumber {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// The position of a user record: its Kinesis record, and its place inside that record's aggregate.
///
/// Ordered by sequence number, then by sub-sequence number.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExtendedSequenceNumber {
    /// The Kinesis record.
    pub sequence_number: SequenceNumber,
    /// The place inside the aggregate, from 0; 0 for a record that is not aggregated.
    pub sub_sequence_number: u64,
}

impl ExtendedSequenceNumber {
    /// The position of user record `sub_sequence_number` of Kinesis record `sequence_number`.
    pub const fn new(sequence_number: SequenceNumber, sub_sequence_number: u64) -> Self {
        Self { sequence_number, sub_sequence_number }
    }
}

impl fmt::Display for ExtendedSequenceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.sequence_number, self.sub_sequence_number)
    }
}

impl fmt::Debug for ExtendedSequenceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequence(text: &str) -> SequenceNumber {
        SequenceNumber::new(text).unwrap()
    }

    #[test]
    fn ordered_by_value() {
        let ascending = ["0", "9", "10", "49590338271490256608559692538361571095921575989136588898"];
        for pair in ascending.windows(2) {
            assert!(sequence(pair[0]) < sequence(pair[1]), "{pair:?}");
        }
        assert_eq!(sequence("007"), sequence("7"));
        assert_eq!(sequence("000"), sequence("0"));
    }

    #[test]
    fn text_that_is_no_number_is_refused() {
        for text in ["", "-1", "1.0", "LATEST", "１", "1 "] {
            assert!(SequenceNumber::new(text).is_err(), "{text:?}");
        }
    }
}
