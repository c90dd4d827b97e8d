use std::collections::BTreeMap;

use kcl_core::{Measurement, ShardId, Unit, WorkerId};

use crate::options::{CloudWatchOptions, Dimension};
use crate::statistic::Statistic;
use crate::{Dropped, datum};

/// What makes a metric: values of the same key are added up.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct MetricKey {
    pub(crate) operation: Option<&'static str>,
    pub(crate) name: &'static str,
    pub(crate) shard: Option<ShardId>,
    pub(crate) worker: Option<WorkerId>,
    pub(crate) unit: Unit,
}

/// A metric taken out of the table to be sent. `age` is its place in the order of arrival.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Metric {
    pub(crate) key: MetricKey,
    pub(crate) statistic: Statistic,
    age: u64,
}

/// The measurements that wait to be sent: a bounded map that remembers in which order its keys came.
#[derive(Debug)]
pub(crate) struct MetricTable {
    options: CloudWatchOptions,
    metrics: BTreeMap<MetricKey, (u64, Statistic)>,
    /// The keys of `metrics` by age, the oldest first.
    ages: BTreeMap<u64, MetricKey>,
    next_age: u64,
    dropped: Dropped,
    /// What `newly_dropped` has told already.
    told: Dropped,
}

impl MetricTable {
    /// An empty table.
    pub(crate) fn new(options: CloudWatchOptions) -> Self {
        let told = Dropped::default();
        Self { options, metrics: BTreeMap::new(), ages: BTreeMap::new(), next_age: 0, dropped: told, told }
    }

    /// How many metrics wait.
    pub(crate) fn len(&self) -> usize {
        self.metrics.len()
    }

    /// What was lost so far.
    pub(crate) const fn dropped(&self) -> Dropped {
        self.dropped
    }

    /// What was lost so far, if that is more than at the last call.
    pub(crate) fn newly_dropped(&mut self) -> Option<Dropped> {
        let news = self.dropped != self.told;
        self.told = self.dropped;
        news.then_some(self.dropped)
    }

    /// Adds a measurement, or counts it as dropped.
    pub(crate) fn record(&mut self, measurement: &Measurement) {
        if self.options.level.is_none_or(|level| measurement.level < level) {
            return;
        }
        let Some(statistic) = Statistic::of(measurement.value) else {
            self.dropped.unusable = self.dropped.unusable.saturating_add(1);
            return;
        };
        let age = self.next_age;
        self.next_age = age.saturating_add(1);
        self.add(Metric { key: self.key(measurement), statistic, age });
    }

    /// Takes the oldest metrics out: at most `metrics_max`, and together at most about `bytes_max` on the wire, but at
    /// least one if there is one.
    pub(crate) fn take_oldest(&mut self, metrics_max: usize, bytes_max: usize) -> Vec<Metric> {
        let mut taken = Vec::new();
        let mut bytes = 0_usize;
        while taken.len() < metrics_max
            && let Some((_, key)) = self.ages.first_key_value()
        {
            bytes = bytes.saturating_add(datum::wire_bytes_max(key));
            if bytes > bytes_max && !taken.is_empty() {
                break;
            }
            taken.extend(self.pop_oldest());
        }
        taken
    }

    /// Puts metrics back that were not sent, at their old places, added to what came in the meantime.
    pub(crate) fn put_back(&mut self, metrics: Vec<Metric>) {
        for metric in metrics {
            self.add(metric);
        }
    }

    /// Counts metrics that will not be sent again.
    pub(crate) fn count_rejected(&mut self, metrics: &[Metric]) {
        let lost = metrics.iter().map(|metric| metric.statistic.count).fold(0, u64::saturating_add);
        self.dropped.rejected = self.dropped.rejected.saturating_add(lost);
    }

    fn key(&self, measurement: &Measurement) -> MetricKey {
        let keeps = |dimension| self.options.dimensions.contains(&dimension);
        MetricKey {
            operation: keeps(Dimension::Operation).then_some(measurement.operation),
            name: measurement.name,
            shard: measurement.shard.clone().filter(|_| keeps(Dimension::ShardId)),
            worker: measurement.worker.clone().filter(|_| keeps(Dimension::WorkerIdentifier)),
            unit: measurement.unit,
        }
    }

    fn add(&mut self, metric: Metric) {
        let Metric { key, statistic, age } = metric;
        if let Some((known_age, known)) = self.metrics.get_mut(&key) {
            known.merge(statistic);
            if age < *known_age {
                self.ages.remove(known_age);
                *known_age = age;
                self.ages.insert(age, key);
            }
            return;
        }
        self.metrics.insert(key.clone(), (age, statistic));
        self.ages.insert(age, key);
        while self.metrics.len() > self.options.metrics_max
            && let Some(oldest) = self.pop_oldest()
        {
            self.dropped.overflow = self.dropped.overflow.saturating_add(oldest.statistic.count);
        }
    }

    fn pop_oldest(&mut self) -> Option<Metric> {
        let (age, key) = self.ages.pop_first()?;
        let (_, statistic) = self.metrics.remove(&key)?;
        Some(Metric { key, statistic, age })
    }
}

#[cfg(test)]
mod tests;
