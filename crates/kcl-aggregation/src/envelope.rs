//! The frame around the message: magic number in front, digest behind (KPL aggregation format).

use bytes::{BufMut, Bytes, BytesMut};
use md5::{Digest, Md5};
use prost::Message;

use crate::decode::Undecodable;

const MAGIC: [u8; 4] = [0xf3, 0x89, 0x9a, 0xc2];
const DIGEST_BYTES: usize = 16;

/// Bytes of an aggregated record that are not message.
pub(crate) const OVERHEAD_BYTES: usize = MAGIC.len() + DIGEST_BYTES;

/// The message inside `data`, or `None` if `data` is no aggregated record at all.
///
/// As in the Java `AggregatorUtil`, an empty message does not make an aggregated record.
pub(crate) fn open(data: &Bytes) -> Option<Result<Bytes, Undecodable>> {
    if data.len() <= OVERHEAD_BYTES || !data.starts_with(&MAGIC) {
        return None;
    }
    let body = data.slice(MAGIC.len()..data.len() - DIGEST_BYTES);
    if data.ends_with(&Md5::digest(&body)) { Some(Ok(body)) } else { Some(Err(Undecodable::Digest)) }
}

/// The aggregated record that carries `message`.
pub(crate) fn seal(message: &impl Message) -> Bytes {
    let body = message.encode_to_vec();
    let mut data = BytesMut::with_capacity(OVERHEAD_BYTES + body.len());
    data.put_slice(&MAGIC);
    data.put_slice(&body);
    data.put_slice(&Md5::digest(&body));
    data.freeze()
}

#[cfg(test)]
pub(crate) fn seal_bytes(body: &[u8]) -> Bytes {
    Bytes::from([&MAGIC, body, &Md5::digest(body)].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_data_is_no_envelope() {
        let one_byte_message = seal_bytes(b"x");
        for length in 0..one_byte_message.len() {
            assert_eq!(open(&one_byte_message.slice(..length)), None, "length {length}");
        }
        assert_eq!(open(&seal_bytes(b"")), None, "an empty message");
        assert_eq!(open(&Bytes::from_static(&[0; 64])), None);
    }

    #[test]
    fn the_digest_must_match() {
        let sealed = seal_bytes(b"message");
        assert_eq!(open(&sealed), Some(Ok(Bytes::from_static(b"message"))));
        for at in MAGIC.len()..sealed.len() {
            let mut flipped = sealed.to_vec();
            flipped[at] ^= 1;
            assert_eq!(open(&flipped.into()), Some(Err(Undecodable::Digest)), "byte {at}");
        }
    }
}
