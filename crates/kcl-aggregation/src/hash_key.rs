//! Hash keys: where Kinesis places a record on a stream.

use md5::{Digest, Md5};

/// The hash key that Kinesis derives from a partition key: its MD5 digest as a big-endian unsigned integer.
///
/// A shard owns a range of these. A user record with an explicit hash key is placed by that instead. The Java KCL hashes
/// the UTF-8 text of the partition key, so `hash_of(partition_key.as_bytes())` is its value.
#[must_use]
pub fn hash_of(partition_key: &[u8]) -> u128 {
    u128::from_be_bytes(Md5::digest(partition_key).into())
}

/// The value of an explicit hash key's text, or `None` if it is not an integer between 0 and 2^128 - 1.
///
/// Java reads it as a big integer, so a sign and leading zeros are fine. Digits outside ASCII, which Java also reads, are not.
pub(crate) fn parse(text: &[u8]) -> Option<u128> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() {
        return None;
    }
    let value = digits.iter().try_fold(0_u128, |value, digit| {
        let digit = char::from(*digit).to_digit(10)?;
        value.checked_mul(10)?.checked_add(u128::from(digit))
    })?;
    if negative && value != 0 { None } else { Some(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partition_keys_hash_as_kinesis_does() {
        assert_eq!(hash_of(b"a"), 16_955_237_001_963_240_173_058_271_559_858_726_497);
        assert_eq!(hash_of(b"b"), 195_289_424_170_611_159_128_911_017_612_795_795_343);
        assert_eq!(hash_of(b""), 281_949_768_489_412_648_962_353_822_266_799_178_366);
    }

    #[test]
    fn explicit_hash_keys_are_128_bit_decimal_integers() {
        assert_eq!(parse(b"0"), Some(0));
        assert_eq!(parse(b"340282366920938463463374607431768211455"), Some(u128::MAX));
        assert_eq!(parse(b"340282366920938463463374607431768211456"), None);
        assert_eq!(parse(b"3402823669209384634633746074317682114550"), None);
        for text in ["", " 1", "1 ", "0x1", "a", "1.0", "1e3", "--1", "+-1", "+", "-", "-1", "\u{663}"] {
            assert_eq!(parse(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn signs_and_leading_zeros_are_read_as_java_reads_them() {
        assert_eq!(parse(b"+7"), Some(7));
        assert_eq!(parse(b"-0"), Some(0));
        assert_eq!(parse(&[b"0".repeat(100).as_slice(), b"7"].concat()), Some(7));
    }
}
