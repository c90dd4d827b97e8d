//! The client that a store makes for itself: what it takes from the configuration and what it does not.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod canned;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_credential_types::provider::future;
use aws_sdk_dynamodb::config::{
    BehaviorVersion, Credentials, IdentityCache, ProvideCredentials, Region, SharedCredentialsProvider,
};
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use canned::{Answer, Canned};
use kcl_core::{Checkpoint, ErrorKind, Lease, LeaseKey, LeaseStore, LeaseWrite};
use kcl_dynamo::DynamoLeaseStore;
use serde_json::json;

/// Hands out credentials and counts how often.
#[derive(Clone, Debug, Default)]
struct Counted(Arc<AtomicUsize>);

impl ProvideCredentials for Counted {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        self.0.fetch_add(1, Ordering::Relaxed);
        future::ProvideCredentials::ready(Ok(Credentials::new("id", "secret", None, None, "test")))
    }
}

/// A configuration whose own settings would be wrong for coordination.
fn config(canned: &Canned, credentials: &Counted) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials.clone()))
        .identity_cache(IdentityCache::no_cache())
        .retry_config(RetryConfig::standard().with_max_attempts(5))
        .timeout_config(TimeoutConfig::builder().operation_timeout(Duration::from_secs(3600)).build())
        .sleep_impl(aws_sdk_dynamodb::config::SharedAsyncSleep::new(TokioSleep::new()))
        .http_client(canned.http_client())
        .build()
}

fn renewal() -> LeaseWrite {
    LeaseWrite::renew(&Lease::new(LeaseKey::from("shard-1"), Checkpoint::Latest))
}

#[tokio::test]
async fn it_sends_once_and_caches_credentials_for_itself() {
    let (canned, credentials) =
        (Canned::new([Answer::error(500, "InternalServerError"), Answer::ok(json!({}))]), Counted::default());
    let store = DynamoLeaseStore::from_config(&config(&canned, &credentials), "leases");
    assert_eq!(store.table(), "leases");
    assert_eq!(store.write(&renewal()).await.unwrap_err().kind(), ErrorKind::Indeterminate);
    assert_eq!(canned.sent().len(), 1);
    assert_eq!(store.get(&"shard-1".into()).await.unwrap(), None);
    assert_eq!(credentials.0.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
#[allow(clippy::disallowed_methods, reason = "the clock is paused: it moves by what is waited for")]
async fn it_gives_up_on_a_silent_service() {
    let (canned, credentials) = (Canned::new([Answer::Silence, Answer::Silence]), Counted::default());
    let store = DynamoLeaseStore::from_config(&config(&canned, &credentials), "leases");
    let start = tokio::time::Instant::now();
    assert_eq!(store.write(&renewal()).await.unwrap_err().kind(), ErrorKind::Indeterminate);
    let waited = tokio::time::Instant::now() - start;
    assert!(waited >= Duration::from_secs(10) && waited < Duration::from_secs(11), "{waited:?}");
    assert_eq!(store.scan().await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(canned.sent().len(), 2);
}

#[tokio::test]
async fn it_needs_no_behaviour_version() {
    let canned = Canned::new([Answer::ok(json!({}))]);
    let credentials = SharedCredentialsProvider::new(Counted::default());
    let sdk = SdkConfig::builder().region(Region::new("us-east-1")).credentials_provider(credentials);
    let store = DynamoLeaseStore::from_config(&sdk.http_client(canned.http_client()).build(), "leases");
    assert_eq!(store.get(&"shard-1".into()).await.unwrap(), None);
}
