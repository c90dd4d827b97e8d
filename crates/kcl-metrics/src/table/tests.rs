use kcl_core::MetricsLevel;

use super::*;

const NO_LIMIT: usize = usize::MAX;

fn table(options: CloudWatchOptions) -> MetricTable {
    MetricTable::new(options)
}

fn of_shard(shard: &str, value: f64) -> Measurement {
    Measurement::count("ProcessTask", "RecordsProcessed", value).of_shard(&ShardId::from(shard))
}

/// The shards and sums of what is taken out, in order.
fn sums(metrics: &[Metric]) -> Vec<(String, f64)> {
    metrics
        .iter()
        .map(|metric| (metric.key.shard.as_ref().map(ToString::to_string).unwrap_or_default(), metric.statistic.sum))
        .collect()
}

#[test]
fn a_key_keeps_its_place_when_values_are_added() {
    let mut table = table(CloudWatchOptions::default());
    for (shard, value) in [("b", 1.0), ("a", 2.0), ("b", 3.0)] {
        table.record(&of_shard(shard, value));
    }
    assert_eq!(sums(&table.take_oldest(NO_LIMIT, NO_LIMIT)), [("b".to_owned(), 4.0), ("a".to_owned(), 2.0)]);
    assert_eq!(table.len(), 0);
}

#[test]
fn a_different_unit_name_operation_or_worker_is_another_metric() {
    let mut table = table(CloudWatchOptions::default());
    let base = Measurement::count("TakeLeases", "Time", 1.0);
    table.record(&base);
    table.record(&base.clone().in_unit(Unit::Milliseconds));
    table.record(&Measurement { name: "Success", ..base.clone() });
    table.record(&Measurement { operation: "RenewAllLeases", ..base.clone() });
    table.record(&base.clone().of_worker(&WorkerId::from("w")));
    table.record(&base);
    assert_eq!(table.len(), 5);
}

#[test]
fn a_new_key_beyond_the_bound_drops_the_oldest_and_counts_its_values() {
    let mut table = table(CloudWatchOptions::default().with_metrics_max(2));
    for shard in ["a", "a", "b", "c"] {
        table.record(&of_shard(shard, 1.0));
    }
    assert_eq!(table.dropped(), Dropped { overflow: 2, ..Dropped::default() });
    assert_eq!(sums(&table.take_oldest(NO_LIMIT, NO_LIMIT)), [("b".to_owned(), 1.0), ("c".to_owned(), 1.0)]);
}

#[test]
fn a_bound_of_zero_drops_everything() {
    let mut table = table(CloudWatchOptions::default().with_metrics_max(0));
    table.record(&of_shard("a", 1.0));
    assert_eq!((table.len(), table.dropped().overflow), (0, 1));
}

#[test]
fn what_is_put_back_is_merged_and_old_again() {
    let mut table = table(CloudWatchOptions::default());
    table.record(&of_shard("a", 1.0));
    table.record(&of_shard("b", 2.0));
    let taken = table.take_oldest(NO_LIMIT, NO_LIMIT);
    table.record(&of_shard("c", 4.0));
    table.record(&of_shard("b", 8.0));
    table.put_back(taken);
    let expected = [("a".to_owned(), 1.0), ("b".to_owned(), 10.0), ("c".to_owned(), 4.0)];
    assert_eq!(sums(&table.take_oldest(NO_LIMIT, NO_LIMIT)), expected);
    assert_eq!(table.dropped(), Dropped::default());
}

#[test]
fn what_is_put_back_does_not_push_out_what_is_newer() {
    let mut table = table(CloudWatchOptions::default().with_metrics_max(2));
    table.record(&of_shard("a", 1.0));
    table.record(&of_shard("b", 2.0));
    let taken = table.take_oldest(NO_LIMIT, NO_LIMIT);
    table.record(&of_shard("c", 4.0));
    table.put_back(taken);
    assert_eq!(sums(&table.take_oldest(NO_LIMIT, NO_LIMIT)), [("b".to_owned(), 2.0), ("c".to_owned(), 4.0)]);
    assert_eq!(table.dropped().overflow, 1);
}

#[test]
fn taking_stops_at_either_limit_but_makes_progress() {
    let mut table = table(CloudWatchOptions::default());
    for shard in ["a", "b", "c", "d"] {
        table.record(&of_shard(shard, 1.0));
    }
    let one = datum::wire_bytes_max(&table.key(&of_shard("a", 1.0)));
    assert_eq!(table.take_oldest(1, NO_LIMIT).len(), 1);
    assert_eq!(table.take_oldest(NO_LIMIT, 2 * one).len(), 2);
    assert_eq!(table.take_oldest(NO_LIMIT, 1).len(), 1);
    assert_eq!(table.take_oldest(NO_LIMIT, NO_LIMIT).len(), 0);
}

#[test]
fn the_level_decides_what_is_kept() {
    let detailed = Measurement::count("TakeLeases", "NeededLeases", 1.0).detailed();
    let summary = Measurement::count("TakeLeases", "TakenLeases", 1.0);
    for (level, kept) in [(Some(MetricsLevel::Detailed), 2), (Some(MetricsLevel::Summary), 1), (None, 0)] {
        let mut table = table(CloudWatchOptions::default().with_level(level));
        table.record(&detailed);
        table.record(&summary);
        assert_eq!((table.len(), table.dropped().total()), (kept, 0), "{level:?}");
    }
}

#[test]
fn a_dimension_that_is_not_kept_merges() {
    let mut table = table(CloudWatchOptions::default().with_dimensions([Dimension::Operation]));
    table.record(&of_shard("a", 1.0));
    table.record(&of_shard("b", 2.0).of_worker(&WorkerId::from("w")));
    let taken = table.take_oldest(NO_LIMIT, NO_LIMIT);
    assert_eq!(sums(&taken), [(String::new(), 3.0)]);
    assert_eq!(taken[0].key.operation, Some("ProcessTask"));
}

#[test]
fn losses_are_told_once() {
    let mut table = table(CloudWatchOptions::default());
    assert_eq!(table.newly_dropped(), None);
    table.record(&of_shard("a", f64::NAN));
    table.record(&of_shard("a", f64::INFINITY));
    let expected = Dropped { unusable: 2, ..Dropped::default() };
    assert_eq!(table.newly_dropped(), Some(expected));
    assert_eq!(table.newly_dropped(), None);
    assert_eq!(table.dropped(), expected);
}
