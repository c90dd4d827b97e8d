use std::sync::Arc;
use std::time::Duration;

#[cfg(any(feature = "dynamo", feature = "kinesis", feature = "cloudwatch"))]
use aws_types::SdkConfig;
use kcl_core::{
    LeaseConfig, LeaseStore, ManagementConfig, MetricsPublisher, MetricsSink, NoMetrics, OnPanic, ShardRecordProcessorFactory,
    StreamReader, WorkerConfig, WorkerId,
};
use kcl_runtime::{Backends, Env, StartError, TokioEnv, Worker};

use crate::Consumer;

/// Puts a consumer together. Every option has KCL's default; see [`WorkerConfig`] for bounds.
#[must_use = "a builder does nothing until start is called"]
pub struct ConsumerBuilder {
    config: WorkerConfig,
    #[cfg(any(feature = "dynamo", feature = "kinesis", feature = "cloudwatch"))]
    aws: Option<SdkConfig>,
    store: Option<Arc<dyn LeaseStore>>,
    stream: Option<Arc<dyn StreamReader>>,
    metrics: Arc<dyn MetricsSink>,
    publisher: Option<Arc<dyn MetricsPublisher>>,
    #[cfg(feature = "cloudwatch")]
    cloudwatch: bool,
    env: Option<Arc<dyn Env>>,
}

impl ConsumerBuilder {
    pub(crate) fn new(application: impl Into<String>, stream: impl Into<String>) -> Self {
        Self {
            config: WorkerConfig::new(application, stream),
            #[cfg(any(feature = "dynamo", feature = "kinesis", feature = "cloudwatch"))]
            aws: None,
            store: None,
            stream: None,
            metrics: Arc::new(NoMetrics),
            publisher: None,
            #[cfg(feature = "cloudwatch")]
            cloudwatch: false,
            env: None,
        }
    }

    /// The AWS configuration from which the clients of DynamoDB, Kinesis and CloudWatch are made. Each gets a client of
    /// its own, so that reading cannot delay a renewal. Leave the HTTP client of the configuration unset, unless you must
    /// set one: a client that is set is shared by all of them, and by everything else that uses the configuration.
    #[cfg(any(feature = "dynamo", feature = "kinesis", feature = "cloudwatch"))]
    pub fn aws_config(mut self, aws: &SdkConfig) -> Self {
        self.aws = Some(aws.clone());
        self
    }

    /// Keeps leases here instead of in DynamoDB.
    pub fn lease_store(mut self, store: impl LeaseStore) -> Self {
        self.store = Some(Arc::new(store));
        self
    }

    /// Reads this instead of a Kinesis stream.
    pub fn stream_reader(mut self, stream: impl StreamReader) -> Self {
        self.stream = Some(Arc::new(stream));
        self
    }

    /// Sends measurements here, besides CloudWatch if that is asked for. Default: nowhere.
    pub fn metrics(mut self, sink: impl MetricsSink) -> Self {
        self.metrics = Arc::new(sink);
        self
    }

    /// Sends measurements to CloudWatch, in a namespace named like the application, with the Java library's names. Off
    /// by default: CloudWatch charges for each metric of each shard, and the credentials need `cloudwatch:PutMetricData`.
    #[cfg(feature = "cloudwatch")]
    pub const fn cloudwatch(mut self) -> Self {
        self.cloudwatch = true;
        self
    }

    /// How many leases, and where to begin.
    pub const fn management(mut self, management: ManagementConfig) -> Self {
        self.config.management = management;
        self
    }

    /// How records are read.
    pub fn lease(mut self, lease: LeaseConfig) -> Self {
        self.config.lease = lease;
        self
    }

    /// The name under which this process owns leases, unique among live processes. Default: made up.
    pub fn worker_id(mut self, worker_id: impl Into<WorkerId>) -> Self {
        self.config.worker_id = Some(worker_id.into());
        self
    }

    /// After how long without a renewal others take a lease (KCL: `failoverTimeMillis`). Default 10 s.
    pub const fn failover_time(mut self, time: Duration) -> Self {
        self.config.failover_time = time;
        self
    }

    /// How long a shard without new records is left alone (KCL: `idleTimeBetweenReadsInMillis`). Default 1.5 s.
    pub const fn poll_interval(mut self, interval: Duration) -> Self {
        self.config.poll_interval = interval;
        self
    }

    /// How often the leader compares leases and shards. Default 2 min.
    pub const fn shard_sync_interval(mut self, interval: Duration) -> Self {
        self.config.shard_sync_interval = interval;
        self
    }

    /// How long the lease of a finished shard is kept at least. Default 5 min.
    pub const fn lease_cleanup_interval(mut self, interval: Duration) -> Self {
        self.config.lease_cleanup_interval = interval;
        self
    }

    /// How long each worker waits at least before it reads the whole lease table again, except while leases move. Default: up to
    /// half of the failover time. KCL: twice the failover time.
    pub const fn scan_interval(mut self, interval: Duration) -> Self {
        self.config.scan_interval = Some(interval);
        self
    }

    /// The most user records in one call of `process_records`. Default 10,000.
    pub const fn max_records_per_call(mut self, most: usize) -> Self {
        self.config.max_records_per_call = most;
        self
    }

    /// What happens to a shard whose processor panics. Default: it backs off and is tried again.
    pub const fn on_panic(mut self, on_panic: OnPanic) -> Self {
        self.config.on_panic = on_panic;
        self
    }

    /// How long a shutdown waits for processors. Default 30 s.
    pub const fn shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.config.shutdown_timeout = timeout;
        self
    }

    /// How long a processor may take to finish when its lease moves to another worker. Default 30 s; zero: leases move at once,
    /// without a last checkpoint, as between Java workers of KCL 2.x.
    pub const fn hand_off_timeout(mut self, timeout: Duration) -> Self {
        self.config.hand_off_timeout = timeout;
        self
    }

    /// How long `start` tries to reach the services. Default 10 s.
    pub const fn start_timeout(mut self, timeout: Duration) -> Self {
        self.config.start_timeout = timeout;
        self
    }

    /// Takes time, sleep, tasks and randomness from here instead of from tokio and the operating system. For tests.
    pub fn env(mut self, env: impl Env) -> Self {
        self.env = Some(Arc::new(env));
        self
    }

    /// The settings as they are now. [`WorkerConfig::validate`] checks them without starting anything.
    pub const fn config(&self) -> &WorkerConfig {
        &self.config
    }

    /// Checks the configuration, the lease table (made if it is missing) and the stream, and starts to work.
    ///
    /// Must be called inside a tokio runtime. Answers within the start timeout when an endpoint is dead; while a new
    /// lease table is being made it waits for it.
    ///
    /// # Errors
    /// [`StartError`] says what is wrong and what to do; nothing keeps running then.
    pub async fn start(mut self, factory: impl ShardRecordProcessorFactory + 'static) -> Result<Consumer, StartError> {
        self.config.validate()?;
        self.connect()?;
        let missing = |missing, call| StartError::MissingBackend { missing, call };
        let env = match self.env {
            Some(env) => env,
            None => Arc::new(TokioEnv::new()?),
        };
        let backends = Backends {
            store: self.store.ok_or_else(|| missing("lease store", "aws_config or lease_store"))?,
            stream: self.stream.ok_or_else(|| missing("stream", "aws_config or stream_reader"))?,
            metrics: self.metrics,
            publisher: self.publisher,
            env,
        };
        Ok(Consumer::new(Worker::start(self.config, backends, Arc::new(factory)).await?))
    }

    /// Makes the AWS backends that are called for and were not given.
    #[cfg(any(feature = "dynamo", feature = "kinesis", feature = "cloudwatch"))]
    fn connect(&mut self) -> Result<(), StartError> {
        let Some(aws) = self.aws.take() else {
            #[cfg(feature = "cloudwatch")]
            if self.cloudwatch {
                return Err(StartError::MissingBackend { missing: "AWS configuration for CloudWatch", call: "aws_config" });
            }
            return Ok(());
        };
        if aws.http_client().is_none() && cfg!(not(feature = "default-https-client")) {
            return Err(StartError::NoHttpClient);
        }
        #[cfg(feature = "dynamo")]
        if self.store.is_none() {
            self.store = Some(Arc::new(kcl_dynamo::DynamoLeaseStore::from_config(&aws, self.config.application.clone())));
        }
        #[cfg(feature = "kinesis")]
        if self.stream.is_none() {
            let LeaseConfig::PollingConfig { limit } = self.config.lease else { return Ok(()) };
            self.stream = Some(Arc::new(kcl_kinesis::KinesisStreamReader::from_config(&aws, &self.config.stream, limit)?));
        }
        #[cfg(feature = "cloudwatch")]
        if self.cloudwatch {
            let sink = Arc::new(kcl_metrics::CloudWatchSink::from_config(&aws, &self.config.application));
            self.metrics = Arc::new(Both(Arc::clone(&self.metrics), sink.clone()));
            self.publisher = Some(sink);
        }
        Ok(())
    }

    #[cfg(not(any(feature = "dynamo", feature = "kinesis", feature = "cloudwatch")))]
    const fn connect(&mut self) -> Result<(), StartError> {
        Ok(())
    }
}

/// Two sinks that both get everything.
#[cfg(feature = "cloudwatch")]
struct Both(Arc<dyn MetricsSink>, Arc<dyn MetricsSink>);

#[cfg(feature = "cloudwatch")]
impl MetricsSink for Both {
    fn record(&self, measurement: &kcl_core::Measurement) {
        self.0.record(measurement);
        self.1.record(measurement);
    }
}
