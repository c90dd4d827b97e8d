//! The DynamoDB client that the store keeps.

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Builder, IdentityCache};
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long one request may take, connecting included. A backstop: the caller's own deadlines are shorter.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);

/// A client of its own: with the SDK's default HTTP client it shares no connection with any other client.
pub(crate) fn of_its_own(sdk: &SdkConfig) -> Client {
    let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).operation_attempt_timeout(ATTEMPT_TIMEOUT);
    // A client without a behaviour version panics.
    let version = sdk.behavior_version().unwrap_or_else(BehaviorVersion::latest);
    let builder = Builder::from(sdk)
        .behavior_version(version)
        .timeout_config(timeouts.build())
        .identity_cache(IdentityCache::lazy().build());
    without_retries(builder)
}

/// The same client, except that it never sends a request twice: after a retry a refused condition or connection would
/// say nothing about the first attempt.
pub(crate) fn sending_once(client: &Client) -> Client {
    without_retries(client.config().to_builder())
}

fn without_retries(builder: Builder) -> Client {
    Client::from_conf(builder.retry_config(RetryConfig::disabled()).build())
}
