use aws_sdk_kinesis::types::Record as SdkRecord;
use aws_smithy_types::DateTime;
use bytes::Bytes;
use kcl_core::{InvalidSequenceNumber, PartitionKey, Record, SequenceNumber};

/// A record as the stream stores it. The payload's memory is that of the answer: nothing is copied.
///
/// Fails only for a sequence number that is not one: without it the record could not be checkpointed.
pub(crate) fn record_from_sdk(record: SdkRecord) -> Result<Record, InvalidSequenceNumber> {
    Ok(Record {
        data: Bytes::from(record.data.into_inner()),
        partition_key: record.partition_key.map(PartitionKey::from).unwrap_or_default(),
        sequence_number: SequenceNumber::new(&record.sequence_number)?,
        approximate_arrival_timestamp: record.approximate_arrival_timestamp.as_ref().map_or(0, unix_millis),
    })
}

/// Rounds to the nearest millisecond: the wire carries seconds as a floating-point number, and cutting off would be
/// a millisecond short for about half of all times.
fn unix_millis(moment: &DateTime) -> i64 {
    let millis = (i64::from(moment.subsec_nanos()) + 500_000) / 1_000_000;
    moment.secs().saturating_mul(1_000).saturating_add(millis)
}

#[cfg(test)]
mod tests {
    use aws_smithy_types::Blob;

    use super::*;

    fn record(sequence_number: &str) -> SdkRecord {
        SdkRecord::builder().sequence_number(sequence_number).data(Blob::new(vec![7; 64])).build().unwrap()
    }

    #[test]
    fn the_payload_is_not_copied() {
        let listed = record("5");
        let address = listed.data.as_ref().as_ptr();
        let converted = record_from_sdk(listed).unwrap();
        assert_eq!(converted.data.as_ptr(), address);
        assert_eq!(converted.data.len(), 64);
    }

    #[test]
    fn what_the_stream_leaves_out_has_a_neutral_value() {
        let converted = record_from_sdk(record("5")).unwrap();
        assert_eq!(converted.partition_key, PartitionKey::default());
        assert_eq!(converted.approximate_arrival_timestamp, 0);
        assert!(record_from_sdk(record("")).is_err());
        assert!(record_from_sdk(record("LATEST")).is_err());
    }

    #[test]
    fn arrival_times_survive_floating_point_seconds() {
        for millis in [0, 1, 999, 1_458_114_938_275, 1_458_114_938_999, 1_700_000_000_001, 4_102_444_799_999_i64] {
            #[allow(clippy::cast_precision_loss, reason = "the loss is what is tested")]
            let seconds = millis as f64 / 1_000.0;
            assert_eq!(unix_millis(&DateTime::from_secs_f64(seconds)), millis);
        }
        assert_eq!(unix_millis(&DateTime::from_secs(i64::MAX)), i64::MAX);
    }
}
