use super::*;

fn reader(bytes: &[u8]) -> Reader<'_> {
    Reader::over(bytes, 0..bytes.len())
}

fn varint(bytes: &[u8]) -> Result<u64, Malformed> {
    reader(bytes).varint()
}

#[test]
fn varints_have_at_most_ten_bytes() {
    assert_eq!(varint(&[0x96, 0x01]), Ok(150));
    assert_eq!(varint(&[0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00]), Ok(1));
    assert_eq!(varint(&[0x80; 10]), Err(Malformed));
    assert_eq!(varint(&[0x80]), Err(Malformed));
    assert_eq!(varint(&[]), Err(Malformed));
}

#[test]
fn varints_drop_what_does_not_fit_in_64_bits() {
    let mut bytes = [0xff; 10];
    bytes[9] = 0x7f;
    assert_eq!(varint(&bytes), Ok(u64::MAX));
}

#[test]
fn lengths_and_tags_keep_their_low_32_bits() {
    let length_2_pow_32_plus_1 = [0x81, 0x80, 0x80, 0x80, 0x10, b'x'];
    assert_eq!(reader(&length_2_pow_32_plus_1).delimited(), Ok(Delimited { prefix: 0, content: 5..6 }));

    let tag_2_pow_32_plus_10 = [0x8a, 0x80, 0x80, 0x80, 0x10];
    assert_eq!(reader(&tag_2_pow_32_plus_10).tag(), Ok(Some(Tag::delimited(1))));
}

#[test]
fn a_delimited_field_must_end_inside_its_message() {
    assert_eq!(reader(&[2, b'x']).delimited(), Err(Malformed));
    assert_eq!(Reader::over(&[2, b'x', b'y'], 0..2).delimited(), Err(Malformed));
    assert_eq!(reader(&[0xff, 0xff, 0xff, 0xff, 0x0f]).delimited(), Err(Malformed), "negative in Java");
}

#[test]
fn field_number_zero_is_an_error_and_the_end_is_not() {
    assert_eq!(reader(&[0x02]).tag(), Err(Malformed));
    assert_eq!(reader(&[]).tag(), Ok(None));
}

fn skip(bytes: &[u8], depth: usize) -> Result<usize, Malformed> {
    let mut reader = reader(bytes);
    let tag = reader.tag()?.ok_or(Malformed)?;
    reader.skip(tag, depth)?;
    Ok(reader.position())
}

#[test]
fn every_wire_type_is_skipped_whole() {
    assert_eq!(skip(&[0x28, 0x96, 0x01, 9], 0), Ok(3));
    assert_eq!(skip(&[0x29, 1, 2, 3, 4, 5, 6, 7, 8, 9], 0), Ok(9));
    assert_eq!(skip(&[0x2a, 2, 1, 2, 9], 0), Ok(4));
    assert_eq!(skip(&[0x2b, 0x08, 1, 0x2c, 9], 0), Ok(4));
    assert_eq!(skip(&[0x2d, 1, 2, 3, 4, 9], 0), Ok(5));
    assert_eq!(skip(&[0x29, 1, 2, 3], 0), Err(Malformed));
    assert_eq!(skip(&[0x2e], 0), Err(Malformed), "wire type 6");
    assert_eq!(skip(&[0x2f], 0), Err(Malformed), "wire type 7");
}

#[test]
fn groups_must_nest() {
    assert_eq!(skip(&[0x2b, 0x33, 0x34, 0x2c], 0), Ok(4));
    assert_eq!(skip(&[0x2c], 0), Err(Malformed), "end without start");
    assert_eq!(skip(&[0x2b], 0), Err(Malformed), "start without end");
    assert_eq!(skip(&[0x2b, 0x34], 0), Err(Malformed), "end of another group");
}

#[test]
fn groups_nest_to_a_depth_of_100() {
    let nested = |depth: usize| [vec![0x2b; depth], vec![0x2c; depth]].concat();
    assert_eq!(skip(&nested(100), 0), Ok(200));
    assert_eq!(skip(&nested(101), 0), Err(Malformed));
    assert_eq!(skip(&nested(99), 1), Ok(198));
    assert_eq!(skip(&nested(100), 1), Err(Malformed));
}
