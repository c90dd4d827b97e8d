//! Measurements: what the library reports about itself, as data.

use std::time::Duration;

use async_trait::async_trait;

use crate::{ShardId, WorkerId};

/// The unit of a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unit {
    /// How many.
    Count,
    /// Milliseconds.
    Milliseconds,
    /// Bytes.
    Bytes,
}

/// How important a measurement is. Sinks may leave out the detailed ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MetricsLevel {
    /// Every measurement.
    Detailed,
    /// What an operator looks at.
    Summary,
}

/// One measured value, with the names and units of the Java library's metrics where it has them.
#[derive(Clone, Debug, PartialEq)]
pub struct Measurement {
    /// What was being done: the `Operation` dimension.
    pub operation: &'static str,
    /// What was measured.
    pub name: &'static str,
    /// Its unit.
    pub unit: Unit,
    /// Its value.
    pub value: f64,
    /// Its importance.
    pub level: MetricsLevel,
    /// The `ShardId` dimension.
    pub shard: Option<ShardId>,
    /// The `WorkerIdentifier` dimension.
    pub worker: Option<WorkerId>,
}

impl Measurement {
    /// A summary-level count without further dimensions.
    pub const fn count(operation: &'static str, name: &'static str, value: f64) -> Self {
        Self { operation, name, unit: Unit::Count, value, level: MetricsLevel::Summary, shard: None, worker: None }
    }

    /// A summary-level duration without further dimensions.
    pub fn time(operation: &'static str, name: &'static str, elapsed: Duration) -> Self {
        Self { unit: Unit::Milliseconds, ..Self::count(operation, name, elapsed.as_secs_f64() * 1000.0) }
    }

    /// With another unit.
    #[must_use]
    pub const fn in_unit(mut self, unit: Unit) -> Self {
        self.unit = unit;
        self
    }

    /// At the detailed level.
    #[must_use]
    pub const fn detailed(mut self) -> Self {
        self.level = MetricsLevel::Detailed;
        self
    }

    /// With the `ShardId` dimension.
    #[must_use]
    pub fn of_shard(mut self, shard: &ShardId) -> Self {
        self.shard = Some(shard.clone());
        self
    }

    /// With the `WorkerIdentifier` dimension.
    #[must_use]
    pub fn of_worker(mut self, worker: &WorkerId) -> Self {
        self.worker = Some(worker.clone());
        self
    }
}

/// Where measurements go. Called on the record path and on the coordination thread: it must return at once.
pub trait MetricsSink: Send + Sync + 'static {
    /// Takes one measurement. Never blocks, never fails.
    fn record(&self, measurement: &Measurement);
}

/// Sends what a sink has collected. The runtime calls it periodically and once at the end; the sink never spawns.
#[async_trait]
pub trait MetricsPublisher: Send + Sync + 'static {
    /// Sends everything collected so far. A failure is the publisher's to count and log; the consumer goes on.
    async fn publish(&self);

    /// How long the runtime waits between two calls.
    fn period(&self) -> Duration;
}

/// Takes every measurement and does nothing with it.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoMetrics;

impl MetricsSink for NoMetrics {
    fn record(&self, _: &Measurement) {}
}

impl<S: MetricsSink + ?Sized> MetricsSink for std::sync::Arc<S> {
    fn record(&self, measurement: &Measurement) {
        (**self).record(measurement);
    }
}
