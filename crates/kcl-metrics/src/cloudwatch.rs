use std::error::Error;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::config::retry::RetryConfig;
use aws_sdk_cloudwatch::config::timeout::TimeoutConfig;
use aws_sdk_cloudwatch::config::{BehaviorVersion, Builder};
use aws_sdk_cloudwatch::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_cloudwatch::operation::put_metric_data::PutMetricDataError;
use aws_types::SdkConfig;
use kcl_core::{Measurement, MetricsPublisher, MetricsSink, error_chain};

use crate::datum;
use crate::dropped::Dropped;
use crate::in_flight::{InFlight, lock};
use crate::options::CloudWatchOptions;
use crate::table::{Metric, MetricTable};

/// The most datums of one request (API page `PutMetricData`).
const REQUEST_METRICS_MAX: usize = 1_000;
/// The most bytes of one request (API page `PutMetricData`: 1 MB), less what surrounds the datums. Bodies are counted
/// before compression, which a configuration may turn off.
const REQUEST_BYTES_MAX: usize = 999_000;
/// As long as the Java library waits for a request (`CloudWatchMetricsPublisher.java`).
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// Adds measurements up and sends the sums to Amazon CloudWatch.
///
/// Measurements with the same operation, name, shard, worker and unit become one statistic set (sum, minimum, maximum,
/// number of values) with the dimensions `Operation`, `ShardId` and `WorkerIdentifier`, as far as they are given and
/// enabled. [`record`](MetricsSink::record) takes a lock for the time of one map operation and sends nothing.
///
/// [`publish`](MetricsPublisher::publish) sends what waits, the oldest metrics first, in requests of up to 1,000 metrics
/// and 1 MB, one after the other. It ends at the first request that fails; that request's metrics and the rest wait for
/// the next call and go on adding up, so that an outage costs no sums until
/// [`metrics_max`](CloudWatchOptions::metrics_max) distinct metrics wait. If an answer is lost, values may be counted
/// twice. Requests that CloudWatch refuses for their content are not sent again. A call logs at most two warnings.
/// Dropping its future is safe: what was on its way is put back.
///
/// Metrics carry no timestamp, so values that had to wait appear under the minute in which they arrived.
#[derive(Debug)]
pub struct CloudWatchSink {
    client: Client,
    namespace: String,
    period: Duration,
    table: Mutex<MetricTable>,
}

impl CloudWatchSink {
    /// A sink that sends by `client`, with the client's own timeouts and retries, into `namespace` (by custom the
    /// application's name; characters that CloudWatch refuses become `_`).
    pub fn new(client: Client, namespace: impl AsRef<str>, options: CloudWatchOptions) -> Self {
        let period = options.period;
        let table = Mutex::new(MetricTable::new(options));
        Self { client, namespace: datum::namespace(namespace.as_ref()), period, table }
    }

    /// A sink with default options and a client of its own: a request ends after 5 seconds and is not retried, because
    /// the next [`publish`](MetricsPublisher::publish) does that.
    pub fn from_config(config: &SdkConfig, namespace: impl AsRef<str>) -> Self {
        let timeouts = TimeoutConfig::builder().operation_timeout(REQUEST_TIMEOUT).build();
        let mut builder = Builder::from(config).retry_config(RetryConfig::disabled()).timeout_config(timeouts);
        if config.behavior_version().is_none() {
            // The SDK would panic without one.
            builder = builder.behavior_version(BehaviorVersion::latest());
        }
        Self::new(Client::from_conf(builder.build()), namespace, CloudWatchOptions::default())
    }

    /// How many measurements were lost since the sink was made.
    pub fn dropped(&self) -> Dropped {
        lock(&self.table).dropped()
    }

    /// How many distinct metrics wait to be sent; at most [`metrics_max`](CloudWatchOptions::metrics_max).
    pub fn waiting(&self) -> usize {
        lock(&self.table).len()
    }

    async fn send(&self, metrics: &[Metric]) -> Result<(), SendError> {
        let data = metrics.iter().map(datum::datum).collect();
        let request = self.client.put_metric_data().namespace(&self.namespace).set_metric_data(Some(data));
        // The SDK's future is several kilobytes.
        Box::pin(request.send()).await.map(|_| ()).map_err(SendError::of)
    }
}

impl MetricsSink for CloudWatchSink {
    fn record(&self, measurement: &Measurement) {
        lock(&self.table).record(measurement);
    }
}

#[async_trait]
impl MetricsPublisher for CloudWatchSink {
    async fn publish(&self) {
        // What arrives during this call is for the next one, so that a call ends.
        let mut left = self.waiting();
        let mut failure = None;
        while left > 0 {
            let batch = InFlight::take(&self.table, left.min(REQUEST_METRICS_MAX), REQUEST_BYTES_MAX);
            if batch.metrics().is_empty() {
                break;
            }
            left = left.saturating_sub(batch.metrics().len());
            match self.send(batch.metrics()).await {
                Ok(()) => batch.delivered(),
                Err(error) if error.is_final => {
                    batch.rejected();
                    failure = Some(error);
                }
                Err(error) => {
                    drop(batch);
                    failure = Some(error);
                    break;
                }
            }
        }
        let (waiting, dropped) = {
            let mut table = lock(&self.table);
            (table.len(), table.newly_dropped())
        };
        if let Some(error) = failure {
            let error = error_chain(error.source.as_ref());
            tracing::warn!(namespace = %self.namespace, waiting, error, "metrics were not delivered to CloudWatch");
        }
        if let Some(dropped) = dropped {
            tracing::warn!(namespace = %self.namespace, %dropped, "measurements were lost since the start");
        }
    }

    fn period(&self) -> Duration {
        self.period
    }
}

/// Why a request failed.
struct SendError {
    /// The same request would fail again.
    is_final: bool,
    source: Box<dyn Error + Send + Sync>,
}

impl SendError {
    fn of(error: SdkError<PutMetricDataError>) -> Self {
        let too_large = error.raw_response().is_some_and(|response| response.status().as_u16() == 413);
        let refused = error.as_service_error().is_some_and(|refusal| {
            refusal.is_invalid_parameter_combination_exception()
                || refusal.is_invalid_parameter_value_exception()
                || refusal.is_missing_required_parameter_exception()
                || matches!(refusal.code(), Some("ValidationError" | "ValidationException" | "SerializationException"))
        });
        Self { is_final: too_large || refused, source: Box::new(error) }
    }
}
