use aws_sdk_cloudwatch::types::{Dimension, MetricDatum, StandardUnit, StatisticSet};
use kcl_core::Unit;

use crate::table::{Metric, MetricKey};

/// The most characters of a dimension's value (API page `Dimension`).
const VALUE_CHARS_MAX: usize = 1024;
/// The most characters of a namespace (API page `PutMetricData`).
const NAMESPACE_CHARS_MAX: usize = 255;

/// The bytes of a datum besides names and dimensions, rounded up: the field names, four numbers and the unit.
const DATUM_BYTES: usize = 200;
/// The bytes of a dimension besides its value, rounded up.
const DIMENSION_BYTES: usize = 50;

/// The datum of a metric. It has no timestamp: CloudWatch uses the time of receipt, as for the Java library.
pub(crate) fn datum(metric: &Metric) -> MetricDatum {
    let statistic = metric.statistic;
    #[allow(clippy::cast_precision_loss, reason = "a count beyond 2^53 may be off by a little")]
    let count = statistic.count as f64;
    let values =
        StatisticSet::builder().sum(statistic.sum).minimum(statistic.min).maximum(statistic.max).sample_count(count).build();
    let mut datum = MetricDatum::builder().metric_name(metric.key.name).statistic_values(values).unit(match metric.key.unit {
        Unit::Count => StandardUnit::Count,
        Unit::Milliseconds => StandardUnit::Milliseconds,
        Unit::Bytes => StandardUnit::Bytes,
    });
    for (name, value) in dimensions(&metric.key) {
        datum = datum.dimensions(Dimension::builder().name(name).value(clean(value, VALUE_CHARS_MAX)).build());
    }
    datum.build()
}

/// A namespace that CloudWatch takes, made of `text`.
pub(crate) fn namespace(text: &str) -> String {
    clean(text, NAMESPACE_CHARS_MAX)
}

/// No fewer bytes than the datum of `key` takes in a request that is not compressed.
pub(crate) fn wire_bytes_max(key: &MetricKey) -> usize {
    let values: usize = dimensions(key).map(|(_, value)| DIMENSION_BYTES + value.len().min(VALUE_CHARS_MAX)).sum();
    DATUM_BYTES + key.name.len() + values
}

fn dimensions(key: &MetricKey) -> impl Iterator<Item = (&'static str, &str)> {
    let operation = key.operation.map(|value| ("Operation", value));
    let shard = key.shard.as_deref().map(|value| ("ShardId", value));
    let worker = key.worker.as_deref().map(|value| ("WorkerIdentifier", value));
    [operation, shard, worker].into_iter().flatten()
}

/// `text` within CloudWatch's rules for names: printable ASCII, not blank, no colon in front, not too long. One name
/// that is against them would have the whole request refused.
fn clean(text: &str, chars_max: usize) -> String {
    let printable = |character: char| if character.is_ascii_graphic() || character == ' ' { character } else { '_' };
    let mut clean: String = text.chars().take(chars_max).map(printable).collect();
    if clean.starts_with(':') {
        clean.replace_range(..1, "_");
    }
    if clean.trim().is_empty() { "_".to_owned() } else { clean }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_cloudwatch_takes_stay_as_they_are() {
        for text in ["shardId-000000000000", "host.example:8f1c", "a b"] {
            assert_eq!(clean(text, 1024), text);
        }
    }

    #[test]
    fn names_that_cloudwatch_refuses_are_mended() {
        assert_eq!(clean(":worker", 1024), "_worker");
        assert_eq!(clean("wörker\n", 1024), "w_rker_");
        assert_eq!(clean("  ", 1024), "_");
        assert_eq!(clean("", 1024), "_");
        assert_eq!(clean("abc", 2), "ab");
        assert_eq!(namespace(&"ä".repeat(300)), "_".repeat(255));
    }
}
