//! What DynamoDB counts for a request, in request units.
//!
//! From the developer guide, "DynamoDB read and write operations"
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html>) and "DynamoDB item sizes and
//! formats" (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html>): the size of an
//! item is that of its attributes' names and values; a write costs a unit for each KiB begun, of the item before or after,
//! whichever is larger, and as much if its condition fails; a strongly consistent read costs a unit for each 4 KiB begun, of one
//! item (also of none) or of all items of a page together, and any other read half of that.

use serde_json::Value;

/// The size of an item, in bytes.
pub(super) fn item_bytes(item: &Value) -> u64 {
    let attributes = item.as_object().into_iter().flatten();
    attributes.map(|(name, value)| length(name) + value_bytes(value)).sum()
}

fn length(text: &str) -> u64 {
    u64::try_from(text.len()).unwrap_or(u64::MAX)
}

fn value_bytes(value: &Value) -> u64 {
    let Some((kind, value)) = value.as_object().and_then(|value| value.iter().next()) else { return 0 };
    let text = || value.as_str().unwrap_or_default();
    let texts = || value.as_array().into_iter().flatten().filter_map(Value::as_str);
    match kind.as_str() {
        "S" => length(text()),
        "N" => number_bytes(text()),
        "B" => binary_bytes(text()),
        "SS" => texts().map(length).sum(),
        "NS" => texts().map(number_bytes).sum(),
        "BS" => texts().map(binary_bytes).sum(),
        "L" => 3 + value.as_array().into_iter().flatten().map(|value| 1 + value_bytes(value)).sum::<u64>(),
        "M" => {
            3 + value.as_object().into_iter().flatten().map(|(name, value)| 1 + length(name) + value_bytes(value)).sum::<u64>()
        }
        _ => 1,
    }
}

/// About a byte for two significant digits, and one more; another one for a sign.
fn number_bytes(text: &str) -> u64 {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let significant = length(digits.trim_start_matches('0').trim_end_matches('0'));
    significant.div_ceil(2) + 1 + u64::from(text.starts_with('-'))
}

/// Of base64.
fn binary_bytes(text: &str) -> u64 {
    length(text.trim_end_matches('=')) * 3 / 4
}

/// The units of a write of an item that has so many bytes at most, before or after.
pub(super) fn write_units(bytes: u64) -> f64 {
    whole(bytes, 1024)
}

/// The units of reading an item, or a page of items, that has so many bytes.
pub(super) fn read_units(bytes: u64, consistent: bool) -> f64 {
    whole(bytes, 4096) / if consistent { 1.0 } else { 2.0 }
}

#[allow(clippy::cast_precision_loss, reason = "a number of bytes")]
fn whole(bytes: u64, unit: u64) -> f64 {
    bytes.div_ceil(unit).max(1) as f64
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_item_is_as_large_as_its_names_and_values() {
        let cases = [
            (json!({}), 0),
            (json!({"leaseKey": {"S": "shardId-000000000000"}}), 8 + 20),
            (json!({"n": {"N": "0"}}), 1 + 1),
            (json!({"n": {"N": "1234500"}}), 1 + 4),
            (json!({"n": {"N": "-27"}}), 1 + 3),
            (json!({"b": {"B": "AAEC"}}), 1 + 3),
            (json!({"s": {"SS": ["ab", "c"]}, "t": {"BOOL": true}}), 1 + 3 + 1 + 1),
            (json!({"l": {"L": [{"S": "ab"}, {"NULL": true}]}}), 1 + 3 + 1 + 2 + 1 + 1),
            (json!({"m": {"M": {"k": {"N": "1"}}}}), 1 + 3 + 1 + 1 + 2),
        ];
        for (item, bytes) in cases {
            assert_eq!(item_bytes(&item), bytes, "{item}");
        }
    }

    #[test]
    fn units_are_begun_ones() {
        let writes: Vec<f64> = [0, 1, 1024, 1025].map(write_units).to_vec();
        assert_eq!(writes, [1.0, 1.0, 1.0, 2.0]);
        let reads: Vec<f64> =
            [(0, true), (4096, true), (4097, true), (0, false), (4097, false)].map(|(b, c)| read_units(b, c)).to_vec();
        assert_eq!(reads, [1.0, 1.0, 2.0, 0.5, 1.0]);
    }
}
