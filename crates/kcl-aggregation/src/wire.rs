//! Protobuf's wire format, with exactly the tolerance of the protobuf runtime under the Java KCL.
//!
//! A stricter reader would deliver raw what Java unpacks. So: a varint has at most ten bytes and bits above the 64th are
//! dropped; tags and lengths keep their low 32 bits; unknown fields are skipped, groups included, to a depth of 100.

use std::ops::Range;

/// Deepest nesting of messages and groups, counted from the outermost message.
const NESTING_MAX: usize = 100;

const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const DELIMITED: u32 = 2;
const START_GROUP: u32 = 3;
const END_GROUP: u32 = 4;
const FIXED32: u32 = 5;

/// The bytes are not a protobuf message of the expected shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

/// A field's number and wire type as they stand on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tag(u32);

impl Tag {
    /// The tag of a varint field.
    pub(crate) const fn varint(number: u32) -> Self {
        Self(number << 3 | VARINT)
    }

    /// The tag of a string, bytes or message field.
    pub(crate) const fn delimited(number: u32) -> Self {
        Self(number << 3 | DELIMITED)
    }

    fn number(self) -> u32 {
        self.0 >> 3
    }

    fn wire_type(self) -> u32 {
        self.0 & 7
    }
}

/// Where a length-delimited field lies, as offsets into the outermost message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Delimited {
    /// Offset of the length prefix: enough to find the field again.
    pub(crate) prefix: usize,
    pub(crate) content: Range<usize>,
}

/// A cursor over one message that lies inside `bytes` and ends where they end.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Reads `range` of `bytes`; positions stay relative to the start of `bytes`.
    pub(crate) fn over(bytes: &'a [u8], range: Range<usize>) -> Self {
        Self { bytes: bytes.get(..range.end).unwrap_or_default(), at: range.start }
    }

    pub(crate) fn position(&self) -> usize {
        self.at
    }

    /// The next field's tag, or `None` at the end of the message.
    pub(crate) fn tag(&mut self) -> Result<Option<Tag>, Malformed> {
        if self.at >= self.bytes.len() {
            return Ok(None);
        }
        let tag = Tag(self.varint_low_32()?);
        if tag.number() == 0 { Err(Malformed) } else { Ok(Some(tag)) }
    }

    pub(crate) fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = *self.bytes.get(self.at).ok_or(Malformed)?;
            self.at += 1;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Malformed)
    }

    pub(crate) fn delimited(&mut self) -> Result<Delimited, Malformed> {
        let prefix = self.at;
        let length = self.varint_low_32()?;
        let start = self.at;
        self.advance(usize::try_from(length).map_err(|_| Malformed)?)?;
        Ok(Delimited { prefix, content: start..self.at })
    }

    /// Skips the value of an unknown field; `depth` is the nesting of the message that holds it.
    pub(crate) fn skip(&mut self, tag: Tag, depth: usize) -> Result<(), Malformed> {
        match tag.wire_type() {
            START_GROUP => self.skip_group(tag.number(), depth),
            _ => self.skip_value(tag),
        }
    }

    fn skip_group(&mut self, number: u32, depth: usize) -> Result<(), Malformed> {
        let mut open = vec![number];
        while let Some(&innermost) = open.last() {
            if depth + open.len() > NESTING_MAX {
                return Err(Malformed);
            }
            let tag = self.tag()?.ok_or(Malformed)?;
            match tag.wire_type() {
                START_GROUP => open.push(tag.number()),
                END_GROUP if tag.number() == innermost => drop(open.pop()),
                _ => self.skip_value(tag)?,
            }
        }
        Ok(())
    }

    /// Skips anything but a group. The end of a group that was never opened is an error.
    fn skip_value(&mut self, tag: Tag) -> Result<(), Malformed> {
        match tag.wire_type() {
            VARINT => self.varint().map(drop),
            FIXED64 => self.advance(8),
            FIXED32 => self.advance(4),
            DELIMITED => self.delimited().map(drop),
            _ => Err(Malformed),
        }
    }

    fn varint_low_32(&mut self) -> Result<u32, Malformed> {
        u32::try_from(self.varint()? & u64::from(u32::MAX)).map_err(|_| Malformed)
    }

    fn advance(&mut self, count: usize) -> Result<(), Malformed> {
        if count > self.bytes.len().saturating_sub(self.at) {
            return Err(Malformed);
        }
        self.at += count;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
