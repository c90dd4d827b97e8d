use std::time::Duration;

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::config::retry::RetryConfig;
use aws_sdk_kinesis::config::timeout::TimeoutConfig;
use aws_sdk_kinesis::config::{BehaviorVersion, Builder};
use aws_types::SdkConfig;

/// How long a connection may take. A dead endpoint is reported after this; the runtime's own deadline is shorter.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// How long one request may take with its answer: a full answer of 10 MiB over a slow line, and what the Java
/// library waits (`PollingConfig.java`, `kinesisRequestTimeout`).
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);

/// A client whose every call is one request, with credentials, region and endpoint of `config`.
///
/// Retries are off because the runtime decides when to call again; the timeouts stand behind its deadlines.
pub(crate) fn single_attempt_client(config: &SdkConfig) -> Client {
    let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).operation_attempt_timeout(ATTEMPT_TIMEOUT).build();
    // Everything that a behaviour version decides and that matters here is set explicitly, and without one, or with
    // one whose default HTTP client is not compiled in, building the client or its first call would panic.
    let config = Builder::from(config)
        .behavior_version(BehaviorVersion::latest())
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts)
        .build();
    Client::from_conf(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_are_off_and_timeouts_stand_behind_the_runtime() {
        let patient = TimeoutConfig::builder().operation_timeout(Duration::from_secs(900)).build();
        let aws = SdkConfig::builder().retry_config(RetryConfig::standard().with_max_attempts(7)).timeout_config(patient).build();
        let client = single_attempt_client(&aws);
        let retry = client.config().retry_config().unwrap();
        assert_eq!(retry.max_attempts(), 1);
        let timeouts = client.config().timeout_config().unwrap();
        assert_eq!(timeouts.connect_timeout(), Some(Duration::from_secs(3)));
        assert_eq!(timeouts.operation_attempt_timeout(), Some(Duration::from_secs(30)));
    }
}
