//! A walk over the aggregated-record message (KPL aggregation format) that copies nothing.
//!
//! Semantics of the parser generated for Java from the same proto2 schema: a required field that is missing spoils the
//! whole message; a field of a known number but another wire type is unknown; of a repeated singular field the last counts.

use std::ops::Range;

use crate::wire::{Delimited, Malformed, Reader, Tag};

const PARTITION_KEY_TABLE: Tag = Tag::delimited(1);
const EXPLICIT_HASH_KEY_TABLE: Tag = Tag::delimited(2);
const RECORDS: Tag = Tag::delimited(3);

const RECORD_PARTITION_KEY_INDEX: Tag = Tag::varint(1);
const RECORD_EXPLICIT_HASH_KEY_INDEX: Tag = Tag::varint(2);
const RECORD_DATA: Tag = Tag::delimited(3);
const RECORD_TAGS: Tag = Tag::delimited(4);

const TAG_KEY: Tag = Tag::delimited(1);

/// A known field of the outermost message.
#[derive(Debug)]
pub(crate) enum Field {
    PartitionKey(Delimited),
    ExplicitHashKey(Delimited),
    Record(Delimited),
}

/// The known fields of the outermost message, in wire order.
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    reader: Reader<'a>,
}

impl<'a> Fields<'a> {
    /// Starts at `position`, which is 0 or an earlier [`position`](Self::position).
    pub(crate) fn resume(body: &'a [u8], position: usize) -> Self {
        Self { reader: Reader::over(body, position..body.len()) }
    }

    pub(crate) fn position(&self) -> usize {
        self.reader.position()
    }

    pub(crate) fn next_field(&mut self) -> Result<Option<Field>, Malformed> {
        while let Some(tag) = self.reader.tag()? {
            let field = match tag {
                PARTITION_KEY_TABLE => Field::PartitionKey(self.reader.delimited()?),
                EXPLICIT_HASH_KEY_TABLE => Field::ExplicitHashKey(self.reader.delimited()?),
                RECORDS => Field::Record(self.reader.delimited()?),
                unknown => {
                    self.reader.skip(unknown, 0)?;
                    continue;
                }
            };
            return Ok(Some(field));
        }
        Ok(None)
    }

    /// Where the next record lies; keys on the way are passed over.
    pub(crate) fn next_record(&mut self) -> Result<Option<Range<usize>>, Malformed> {
        while let Some(field) = self.next_field()? {
            if let Field::Record(record) = field {
                return Ok(Some(record.content));
            }
        }
        Ok(None)
    }
}

/// One record of the message: indexes not yet checked, data not yet sliced.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RawRecord {
    pub(crate) partition_key_index: u64,
    pub(crate) explicit_hash_key_index: Option<u64>,
    pub(crate) data: Range<usize>,
}

impl RawRecord {
    pub(crate) fn read(body: &[u8], content: Range<usize>) -> Result<Self, Malformed> {
        let mut reader = Reader::over(body, content);
        let mut partition_key_index = None;
        let mut explicit_hash_key_index = None;
        let mut data = None;
        while let Some(tag) = reader.tag()? {
            match tag {
                RECORD_PARTITION_KEY_INDEX => partition_key_index = Some(reader.varint()?),
                RECORD_EXPLICIT_HASH_KEY_INDEX => explicit_hash_key_index = Some(reader.varint()?),
                RECORD_DATA => data = Some(reader.delimited()?.content),
                RECORD_TAGS => check_tag(body, reader.delimited()?.content)?,
                unknown => reader.skip(unknown, 1)?,
            }
        }
        Ok(Self {
            partition_key_index: partition_key_index.ok_or(Malformed)?,
            explicit_hash_key_index,
            data: data.ok_or(Malformed)?,
        })
    }
}

/// A record's tags are not delivered, but one without its required key makes the message invalid.
fn check_tag(body: &[u8], content: Range<usize>) -> Result<(), Malformed> {
    let mut reader = Reader::over(body, content);
    let mut has_key = false;
    while let Some(tag) = reader.tag()? {
        has_key |= tag == TAG_KEY;
        reader.skip(tag, 2)?;
    }
    if has_key { Ok(()) } else { Err(Malformed) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(bytes: &[u8]) -> Result<RawRecord, Malformed> {
        RawRecord::read(bytes, 0..bytes.len())
    }

    #[test]
    fn index_and_data_are_required() {
        assert_eq!(
            record(&[0x08, 2, 0x1a, 1, b'x']),
            Ok(RawRecord { partition_key_index: 2, explicit_hash_key_index: None, data: 4..5 })
        );
        assert_eq!(record(&[0x08, 2]), Err(Malformed));
        assert_eq!(record(&[0x1a, 0]), Err(Malformed));
        assert_eq!(record(&[]), Err(Malformed));
    }

    #[test]
    fn the_last_of_a_repeated_field_counts() {
        let bytes = [0x1a, 1, b'x', 0x08, 1, 0x10, 0, 0x08, 0, 0x10, 3, 0x1a, 0];
        let expected = RawRecord { partition_key_index: 0, explicit_hash_key_index: Some(3), data: 13..13 };
        assert_eq!(record(&bytes), Ok(expected));
    }

    #[test]
    fn a_known_number_with_another_wire_type_is_an_unknown_field() {
        assert_eq!(record(&[0x0a, 0, 0x1a, 0]), Err(Malformed), "the index is missing");
        assert!(record(&[0x08, 0, 0x1a, 0, 0x0a, 0, 0x18, 0]).is_ok());
    }

    #[test]
    fn tags_need_a_key() {
        let with_tag = |tag: &[u8]| {
            let length = u8::try_from(tag.len()).expect("short tag");
            record(&[&[0x08, 0, 0x1a, 0, 0x22, length], tag].concat())
        };
        assert!(with_tag(&[0x0a, 0]).is_ok());
        assert!(with_tag(&[0x12, 0, 0x0a, 1, b'k']).is_ok());
        assert_eq!(with_tag(&[0x12, 0]), Err(Malformed));
        assert_eq!(with_tag(&[0x08, 0]), Err(Malformed));
    }

    #[test]
    fn records_are_found_between_other_fields() {
        let body = [0x0a, 1, b'k', 0x28, 7, 0x1a, 2, 0x08, 0, 0x12, 1, b'1'];
        let mut fields = Fields::resume(&body, 0);
        assert_eq!(fields.next_record(), Ok(Some(7..9)));
        assert_eq!(fields.position(), 9);
        assert_eq!(fields.next_record(), Ok(None));
        assert_eq!(Fields::resume(&body[..11], 9).next_record(), Err(Malformed));
    }
}
