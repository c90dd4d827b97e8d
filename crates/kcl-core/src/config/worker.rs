use std::time::Duration;

use crate::{LeaseConfig, ManagementConfig, WorkerId};

/// What happens to a shard whose processor panics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnPanic {
    /// The lease is given up without a checkpoint; this worker leaves it alone for a while (1 s, doubling to 5 min)
    /// and then tries again. Any other worker may take it at once.
    #[default]
    Retry,
    /// The consumer stops with an error.
    StopConsumer,
}

/// Everything that can be set on a worker. The defaults are KCL's where KCL has the option.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerConfig {
    /// The application: the name of the lease table (KCL: `applicationName`). Not empty.
    pub application: String,
    /// The stream. Not empty.
    pub stream: String,
    /// The name under which this process owns leases (KCL: `workerIdentifier`). Unique among live processes; one is
    /// made up if none is set.
    pub worker_id: Option<WorkerId>,
    /// How many leases, and where to begin.
    pub management: ManagementConfig,
    /// How to read.
    pub lease: LeaseConfig,
    /// After how long without a renewal others take a lease (KCL: `failoverTimeMillis`). Default 10 s, at least 500 ms.
    /// The same in the whole fleet. Small values fail over fast and cost lease writes; a value below the pauses that
    /// processes and the network make moves leases for nothing.
    pub failover_time: Duration,
    /// How long each worker waits at least before it reads the whole lease table again, except while leases move (KCL:
    /// `takerIntervalMillis`, twice the failover time). Default `None`: up to half of the failover time. At least 500 ms. Small
    /// values see a worker that is gone or new sooner and cost reads; `docs/benchmarks.md` has the curve. Different values in a
    /// fleet do no harm.
    pub scan_interval: Option<Duration>,
    /// How long a shard without new records is left alone (KCL: `idleTimeBetweenReadsInMillis`). Default 1.5 s, at
    /// least 200 ms. Small values find records sooner and cost calls.
    pub poll_interval: Duration,
    /// How often the leader compares leases and shards (KCL: `leasesRecoveryAuditorExecutionFrequencyMillis`).
    /// Default 2 min, at least 1 s.
    pub shard_sync_interval: Duration,
    /// How long a finished lease is kept at least (KCL: `completedLeaseCleanupIntervalMillis`). Default 5 min, at least 1 s.
    /// It must be longer than any request to the lease store can be under way: one that creates the row and arrives after
    /// its deletion would bring the shard back.
    pub lease_cleanup_interval: Duration,
    /// The most user records in one call of `process_records` (no KCL option). Default 10,000, at least 1.
    pub max_records_per_call: usize,
    /// What happens to a shard whose processor panics (no KCL option). Default [`OnPanic::Retry`].
    pub on_panic: OnPanic,
    /// How long a shutdown waits for processors before it goes on without them (no KCL option). Default 30 s.
    pub shutdown_timeout: Duration,
    /// How long a processor may take to finish when its lease moves to another worker of this library (KCL:
    /// `gracefulLeaseHandoffTimeoutMillis`). Default 30 s; zero turns hand-offs off: leases then move as between Java workers
    /// of KCL 2.x, without a last checkpoint. Different values in a fleet do no harm.
    pub hand_off_timeout: Duration,
    /// How long `start` tries to reach the services before it gives up (no KCL option). Default 10 s.
    pub start_timeout: Duration,
}

/// A setting outside its bounds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting} must be {accepted}: value={value}")]
pub struct ConfigError {
    /// The setting's name.
    pub setting: &'static str,
    /// What it may be.
    pub accepted: &'static str,
    /// What it was.
    pub value: String,
}

impl WorkerConfig {
    /// The defaults, for this application and stream.
    pub fn new(application: impl Into<String>, stream: impl Into<String>) -> Self {
        Self {
            application: application.into(),
            stream: stream.into(),
            worker_id: None,
            management: ManagementConfig::default(),
            lease: LeaseConfig::default(),
            failover_time: Duration::from_secs(10),
            scan_interval: None,
            poll_interval: Duration::from_millis(1500),
            shard_sync_interval: Duration::from_secs(120),
            lease_cleanup_interval: Duration::from_secs(300),
            max_records_per_call: 10_000,
            on_panic: OnPanic::Retry,
            shutdown_timeout: Duration::from_secs(30),
            hand_off_timeout: Duration::from_secs(30),
            start_timeout: Duration::from_secs(10),
        }
    }

    /// Checks every bound.
    ///
    /// # Errors
    /// The first setting that is outside of its bounds.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let error = |setting, accepted, value: String| Err(ConfigError { setting, accepted, value });
        let blank = |text: &str| text.trim().is_empty();
        if blank(&self.application) {
            return error("application", "a name that is not empty: it names the lease table", format!("{:?}", self.application));
        }
        if blank(&self.stream) {
            return error("stream", "a name that is not empty", format!("{:?}", self.stream));
        }
        if self.worker_id.as_ref().is_some_and(|id| blank(id)) {
            return error("worker_id", "a name that is not empty and unique among live processes", "\"\"".to_owned());
        }
        if self.management.leases_to_acquire == 0 {
            return error("leases_to_acquire", "at least 1", "0".to_owned());
        }
        if self.management.max_leases == 0 {
            return error("max_leases", "at least 1", "0".to_owned());
        }
        if let Some(moment) = self.management.start_strategy.timestamp().filter(|moment| moment.unix_millis() < 0) {
            return error("start_strategy", "a timestamp in Unix milliseconds from 0", moment.to_string());
        }
        match self.lease {
            LeaseConfig::PollingConfig { limit } if !(1..=10_000).contains(&limit) => {
                return error("limit", "1 to 10000", limit.to_string());
            }
            LeaseConfig::PollingConfig { .. } => {}
        }
        if self.max_records_per_call == 0 {
            return error("max_records_per_call", "at least 1", "0".to_owned());
        }
        self.validate_times()
    }

    fn validate_times(&self) -> Result<(), ConfigError> {
        const DAY: Duration = Duration::from_secs(86_400);
        let times = [
            ("failover_time", self.failover_time, Duration::from_millis(500), "500 ms to 1 day"),
            ("scan_interval", self.scan_interval.unwrap_or(DAY), Duration::from_millis(500), "500 ms to 1 day"),
            ("poll_interval", self.poll_interval, Duration::from_millis(200), "200 ms to 1 day"),
            ("shard_sync_interval", self.shard_sync_interval, Duration::from_secs(1), "1 s to 1 day"),
            ("lease_cleanup_interval", self.lease_cleanup_interval, Duration::from_secs(1), "1 s to 1 day"),
            ("shutdown_timeout", self.shutdown_timeout, Duration::ZERO, "at most 1 day"),
            ("hand_off_timeout", self.hand_off_timeout, Duration::ZERO, "at most 1 day"),
            ("start_timeout", self.start_timeout, Duration::from_millis(100), "100 ms to 1 day"),
        ];
        for (setting, value, least, accepted) in times {
            if !(least..=DAY).contains(&value) {
                return Err(ConfigError { setting, accepted, value: format!("{value:?}") });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StartStrategy;

    #[test]
    fn the_defaults_are_valid_and_every_bound_is_named() {
        let valid = || WorkerConfig::new("application", "stream");
        assert_eq!(valid().validate(), Ok(()));
        type Change = fn(&mut WorkerConfig);
        let cases: [(&str, Change); 12] = [
            ("application", |config| config.application = " ".to_owned()),
            ("stream", |config| config.stream.clear()),
            ("worker_id", |config| config.worker_id = Some("".into())),
            ("leases_to_acquire", |config| config.management.leases_to_acquire = 0),
            ("max_leases", |config| config.management.max_leases = 0),
            ("start_strategy", |config| config.management.start_strategy = StartStrategy::Timestamp(-1)),
            ("limit", |config| config.lease = LeaseConfig::PollingConfig { limit: 10_001 }),
            ("limit", |config| config.lease = LeaseConfig::PollingConfig { limit: 0 }),
            ("failover_time", |config| config.failover_time = Duration::ZERO),
            ("scan_interval", |config| config.scan_interval = Some(Duration::ZERO)),
            ("poll_interval", |config| config.poll_interval = Duration::from_millis(199)),
            ("max_records_per_call", |config| config.max_records_per_call = 0),
        ];
        for (setting, change) in cases {
            let mut config = valid();
            change(&mut config);
            assert_eq!(config.validate().unwrap_err().setting, setting);
        }
    }
}
