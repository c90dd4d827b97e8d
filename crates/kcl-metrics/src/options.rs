use std::collections::BTreeSet;
use std::time::Duration;

use kcl_core::MetricsLevel;

/// A property that CloudWatch keeps apart: each combination of values is a metric of its own, and billed as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dimension {
    /// `Operation`: what was being done.
    Operation,
    /// `ShardId`: of a thousand shards comes a thousand times the number of metrics.
    ShardId,
    /// `WorkerIdentifier`: a new one with every process, unless workers have fixed names.
    WorkerIdentifier,
}

/// What is sent to CloudWatch, how often, and how much of it may wait. The defaults are the Java library's.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CloudWatchOptions {
    /// The least important level that is sent; `None` sends nothing. Default: [`MetricsLevel::Detailed`], which is about
    /// a dozen metrics per shard. KCL name: `metricsLevel`.
    pub level: Option<MetricsLevel>,
    /// The dimensions that are kept; values that differ only in others are added up. Default: all of them. KCL name:
    /// `metricsEnabledDimensions`.
    pub dimensions: BTreeSet<Dimension>,
    /// How many distinct metrics may wait to be sent. A new one beyond that drops the oldest. Default: 10,000, some
    /// megabytes; with 0 nothing is sent. KCL name: `metricsMaxQueueSize`.
    pub metrics_max: usize,
    /// The time between two calls of `publish`. Default: 10 s. CloudWatch keeps minutes, so that more than a minute
    /// leaves gaps, and less than a second costs requests for nothing. KCL name: `metricsBufferTimeMillis`.
    pub period: Duration,
}

impl Default for CloudWatchOptions {
    fn default() -> Self {
        Self {
            level: Some(MetricsLevel::Detailed),
            dimensions: BTreeSet::from([Dimension::Operation, Dimension::ShardId, Dimension::WorkerIdentifier]),
            metrics_max: 10_000,
            period: Duration::from_secs(10),
        }
    }
}

impl CloudWatchOptions {
    /// With another least important level; `None` sends nothing.
    #[must_use]
    pub const fn with_level(mut self, level: Option<MetricsLevel>) -> Self {
        self.level = level;
        self
    }

    /// With these dimensions only.
    #[must_use]
    pub fn with_dimensions(mut self, dimensions: impl IntoIterator<Item = Dimension>) -> Self {
        self.dimensions = dimensions.into_iter().collect();
        self
    }

    /// With another bound on the distinct metrics that may wait.
    #[must_use]
    pub const fn with_metrics_max(mut self, metrics_max: usize) -> Self {
        self.metrics_max = metrics_max;
        self
    }

    /// With another time between two calls of `publish`.
    #[must_use]
    pub const fn with_period(mut self, period: Duration) -> Self {
        self.period = period;
        self
    }
}
