//! Which kind of error each failure is, for reads and for writes.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod canned;

use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, ProvideCredentials, Region, SharedCredentialsProvider};
use aws_sdk_dynamodb::error::ConnectorError;
use aws_smithy_runtime_api::client::dns::ResolveDnsError;
use aws_types::SdkConfig;
use canned::{Answer, Canned};
use kcl_core::{Checkpoint, ErrorKind, Lease, LeaseKey, LeaseStore, LeaseWrite, StoreError, error_chain};
use kcl_dynamo::DynamoLeaseStore;
use serde_json::json;

fn key() -> LeaseKey {
    LeaseKey::from("shard-1")
}

fn renewal() -> LeaseWrite {
    LeaseWrite::renew(&Lease::new(key(), Checkpoint::Latest))
}

/// The errors of a read and of a write that get this answer, each from one request.
async fn errors(answer: impl Fn() -> Answer) -> (StoreError, StoreError) {
    let canned = Canned::new([answer(), answer()]);
    let store = canned.store();
    let read = store.get(&key()).await.unwrap_err();
    let write = store.write(&renewal()).await.unwrap_err();
    assert_eq!(canned.sent().len(), 2, "nothing is retried");
    (read, write)
}

#[tokio::test]
async fn refusals_are_kinds_of_their_own() {
    let cases = [
        ("ProvisionedThroughputExceededException", ErrorKind::Throttled),
        ("ThrottlingException", ErrorKind::Throttled),
        ("RequestLimitExceeded", ErrorKind::Throttled),
        ("LimitExceededException", ErrorKind::Throttled),
        ("TransactionConflictException", ErrorKind::Throttled),
        ("AccessDeniedException", ErrorKind::Denied),
        ("UnrecognizedClientException", ErrorKind::Denied),
        ("ExpiredTokenException", ErrorKind::Denied),
        ("InvalidSignatureException", ErrorKind::Denied),
        ("MissingAuthenticationToken", ErrorKind::Denied),
        ("ResourceNotFoundException", ErrorKind::NotFound),
        ("ResourceInUseException", ErrorKind::NotReady),
        ("ValidationException", ErrorKind::Invalid),
        ("NeverHeardOfException", ErrorKind::Invalid),
    ];
    for (code, kind) in cases {
        let (read, write) = errors(|| Answer::error(400, code)).await;
        assert_eq!((read.kind(), write.kind()), (kind, kind), "{code}");
        assert!(write.had_no_effect(), "{code}");
        assert!(error_chain(&write).contains("as told"), "the service's own words are kept: {}", error_chain(&write));
    }
}

#[tokio::test]
async fn a_lost_answer_leaves_a_write_open() {
    let lost: [fn() -> Answer; 9] = [
        || Answer::error(500, "InternalServerError"),
        || Answer::error(503, "ServiceUnavailable"),
        || Answer::Body(502, "<html>".to_owned()),
        || Answer::Body(200, "{ not json".to_owned()),
        || Answer::error(400, "RequestTimeout"),
        || Answer::Lost(ConnectorError::timeout("too slow".into())),
        || Answer::Lost(ConnectorError::io(std::io::Error::from(std::io::ErrorKind::ConnectionReset).into())),
        || Answer::Lost(ConnectorError::io(std::io::Error::from(std::io::ErrorKind::HostUnreachable).into())),
        || Answer::Lost(ConnectorError::other("who knows".into(), None)),
    ];
    for answer in lost {
        let (read, write) = errors(answer).await;
        assert_eq!((read.kind(), write.kind()), (ErrorKind::Unavailable, ErrorKind::Indeterminate), "{:?}", answer());
        assert!(!write.had_no_effect() && write.is_retryable() && read.is_retryable());
    }
}

#[tokio::test]
async fn a_request_that_never_left_has_no_effect() {
    let unsent: [fn() -> Answer; 2] = [
        || Answer::Lost(ConnectorError::io(std::io::Error::from(std::io::ErrorKind::ConnectionRefused).into())),
        || Answer::Lost(ConnectorError::io(ResolveDnsError::new("no such name").into())),
    ];
    for answer in unsent {
        let (read, write) = errors(answer).await;
        assert_eq!((read.kind(), write.kind()), (ErrorKind::Unavailable, ErrorKind::Unavailable), "{:?}", answer());
    }
}

#[tokio::test]
async fn statuses_without_a_code_are_understood() {
    let cases = [
        (403, ErrorKind::Denied, ErrorKind::Denied),
        (404, ErrorKind::Invalid, ErrorKind::Invalid),
        (408, ErrorKind::Unavailable, ErrorKind::Indeterminate),
        (429, ErrorKind::Throttled, ErrorKind::Throttled),
        (504, ErrorKind::Unavailable, ErrorKind::Indeterminate),
    ];
    for (status, read_kind, write_kind) in cases {
        let (read, write) = errors(|| Answer::Body(status, "{}".to_owned())).await;
        assert_eq!((read.kind(), write.kind()), (read_kind, write_kind), "{status}");
    }
}

#[tokio::test]
async fn an_error_names_what_to_do() {
    let (_, denied) = errors(|| Answer::error(400, "AccessDeniedException")).await;
    let text = "renew failed: the credentials must be valid and allow dynamodb:UpdateItem on the table: table=leases: \
                kind=denied subject=shard-1";
    assert_eq!(denied.to_string(), text);

    let (missing, _) = errors(|| Answer::error(400, "ResourceNotFoundException")).await;
    let text = "get failed: no such table in this account and region; check the region or prepare the store: table=leases: \
                kind=not_found subject=shard-1";
    assert_eq!(missing.to_string(), text);
}

#[derive(Debug)]
struct NoCredentials(fn() -> aws_credential_types::provider::error::CredentialsError);

impl ProvideCredentials for NoCredentials {
    fn provide_credentials<'a>(&'a self) -> aws_credential_types::provider::future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        aws_credential_types::provider::future::ProvideCredentials::ready(Err((self.0)()))
    }
}

#[tokio::test]
async fn missing_credentials_are_denied_and_a_sick_source_of_them_is_not() {
    use aws_credential_types::provider::error::CredentialsError;
    let cases: [(fn() -> CredentialsError, ErrorKind); 3] = [
        (|| CredentialsError::not_loaded("none in the environment"), ErrorKind::Denied),
        (|| CredentialsError::provider_error("the token service is down"), ErrorKind::Unavailable),
        (|| CredentialsError::provider_timed_out(std::time::Duration::from_secs(5)), ErrorKind::Unavailable),
    ];
    for (error, kind) in cases {
        let canned = Canned::new([]);
        let client = aws_sdk_dynamodb::Client::from_conf(canned.config().credentials_provider(NoCredentials(error)).build());
        let write = DynamoLeaseStore::new(client, "leases").write(&renewal()).await.unwrap_err();
        assert_eq!(write.kind(), kind, "{}", error_chain(&write));
        assert_eq!(canned.sent(), []);
    }
}

#[tokio::test]
async fn a_client_without_credentials_or_region_is_told_so() {
    let bare = SdkConfig::builder().region(Region::new("us-east-1")).build();
    let error = DynamoLeaseStore::from_config(&bare, "leases").get(&key()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{}", error_chain(&error));

    let nowhere = SdkConfig::builder().credentials_provider(credentials()).build();
    let error = DynamoLeaseStore::from_config(&nowhere, "leases").write(&renewal()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{}", error_chain(&error));
}

fn credentials() -> SharedCredentialsProvider {
    SharedCredentialsProvider::new(Credentials::new("id", "secret", None, None, "test"))
}

fn config(endpoint: &str) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(credentials())
        .endpoint_url(endpoint)
        .build()
}

#[tokio::test]
async fn a_dead_port_and_an_unknown_host_are_unavailable() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for endpoint in [format!("http://{free}"), "http://nobody.invalid".to_owned()] {
        let error = DynamoLeaseStore::from_config(&config(&endpoint), "leases").write(&renewal()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{}", error_chain(&error));
    }
}

#[tokio::test]
#[allow(clippy::disallowed_methods, reason = "the other end needs a task")]
async fn a_connection_that_breaks_after_the_request_leaves_the_write_open() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let store = DynamoLeaseStore::from_config(&config(&format!("http://{}", listener.local_addr().unwrap())), "leases");
    let hang_up = tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        socket.readable().await.unwrap();
        drop(socket);
        listener
    });
    let error = store.write(&renewal()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Indeterminate, "{}", error_chain(&error));
    let _still_bound = hang_up.await.unwrap();
}

#[tokio::test]
async fn preparing_takes_one_step_at_a_time() {
    let table = |status: &str, key: &str, kind: &str| {
        json!({
            "TableName": "leases",
            "TableStatus": status,
            "KeySchema": [{ "AttributeName": key, "KeyType": "HASH" }],
            "AttributeDefinitions": [{ "AttributeName": key, "AttributeType": kind }],
        })
    };
    let described = |status: &str| Answer::ok(json!({ "Table": table(status, "leaseKey", "S") }));

    for status in ["ACTIVE", "UPDATING"] {
        Canned::new([described(status)]).store().prepare().await.unwrap();
    }
    for (status, kind) in [
        ("CREATING", ErrorKind::NotReady),
        ("DELETING", ErrorKind::NotReady),
        ("ARCHIVED", ErrorKind::Invalid),
        ("INACCESSIBLE_ENCRYPTION_CREDENTIALS", ErrorKind::Denied),
    ] {
        assert_eq!(Canned::new([described(status)]).store().prepare().await.unwrap_err().kind(), kind, "{status}");
    }

    let missing = || Answer::error(400, "ResourceNotFoundException");
    let creating = Answer::ok(json!({ "TableDescription": table("CREATING", "leaseKey", "S") }));
    let canned = Canned::new([missing(), creating]);
    assert_eq!(canned.store().prepare().await.unwrap_err().kind(), ErrorKind::NotReady);
    let expected = json!({
        "TableName": "leases",
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": [{ "AttributeName": "leaseKey", "KeyType": "HASH" }],
        "AttributeDefinitions": [{ "AttributeName": "leaseKey", "AttributeType": "S" }],
    });
    assert_eq!(canned.sent()[1].body, expected);

    for (code, kind) in [
        ("ResourceInUseException", ErrorKind::NotReady),
        ("LimitExceededException", ErrorKind::Throttled),
        ("AccessDeniedException", ErrorKind::Denied),
    ] {
        let error = Canned::new([missing(), Answer::error(400, code)]).store().prepare().await.unwrap_err();
        assert_eq!(error.kind(), kind, "{code}");
    }

    for (key, kind) in [("leaseKey", "N"), ("id", "S")] {
        let foreign = Answer::ok(json!({ "Table": table("ACTIVE", key, kind) }));
        let error = Canned::new([foreign]).store().prepare().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains(&format!("found=\"{key} HASH {kind}\"")), "{error}");
    }
}

#[tokio::test]
async fn an_impossible_table_name_is_refused_before_anything_is_sent() {
    for name in ["", "ab", "has space", "späße", &"x".repeat(256)] {
        let canned = Canned::new([]);
        let error = DynamoLeaseStore::new(canned.client(), name).prepare().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{name:?}");
        assert!(error.to_string().contains("3 to 255 letters"), "{error}");
        assert_eq!(canned.sent(), []);
    }
}
