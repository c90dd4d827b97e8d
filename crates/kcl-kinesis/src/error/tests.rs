use std::io;

use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use aws_smithy_runtime_api::client::result::ConnectorError;
use kcl_core::{ReadPosition, ShardFilter, ShardId, ShardReader, StreamReader, error_chain};
use serde_json::json;

use super::*;
use crate::KinesisStreamReader;
use crate::canned::{Answer, Canned};

/// The error of each of the three requests when all are answered alike.
async fn errors_of(answer: impl Fn() -> Answer) -> [ReadError; 3] {
    let canned = Canned::new([answer(), answer(), Answer::ok(&json!({ "ShardIterator": "i0" })), answer()]);
    let reader = canned.reader();
    let shard = ShardId::from("shard-0");
    let listing = reader.list_shards(ShardFilter::All).await.unwrap_err();
    let opening = reader.open(&shard, &ReadPosition::Latest).await.err().expect("no iterator");
    let mut opened: Box<dyn ShardReader> = reader.open(&shard, &ReadPosition::Latest).await.unwrap();
    let reading = opened.next().await.unwrap_err();
    assert_eq!(canned.requests().len(), 4, "no request is repeated");
    [listing, opening, reading]
}

#[tokio::test]
async fn every_code_has_its_kind() {
    use ErrorKind::{Denied, Expired, Invalid, NotFound, NotReady, Throttled, Unavailable};
    let cases = [
        (400, "ProvisionedThroughputExceededException", Throttled, "read limits"),
        (400, "LimitExceededException", Throttled, "too many requests"),
        (400, "KMSThrottlingException", Throttled, "key service"),
        (400, "ThrottlingException", Throttled, "fewer requests"),
        (400, "ExpiredIteratorException", Expired, "open the shard again"),
        (400, "ExpiredNextTokenException", Unavailable, "list again"),
        (400, "InvalidArgumentException", Invalid, ""),
        (400, "ValidationException", Invalid, ""),
        (400, "SerializationException", Invalid, ""),
        (400, "UnknownOperationException", Invalid, "check that it is Kinesis"),
        (400, "ResourceNotFoundException", NotFound, "region and"),
        (400, "ResourceInUseException", NotReady, "not active"),
        (400, "AccessDeniedException", Denied, "allow kinesis:"),
        (400, "KMSAccessDeniedException", Denied, "allow kms:Decrypt"),
        (400, "KMSDisabledException", Denied, "enable the key"),
        (400, "KMSInvalidStateException", Denied, "check its state"),
        (400, "KMSNotFoundException", Denied, "does not exist"),
        (400, "KMSOptInRequired", Denied, "subscribe"),
        (400, "UnrecognizedClientException", Denied, "check the credentials"),
        (400, "ExpiredTokenException", Denied, "renew them"),
        (403, "InvalidSignatureException", Denied, "clock"),
        (400, "MissingAuthenticationTokenException", Denied, "configure credentials"),
        (500, "InternalFailureException", Unavailable, "the service failed"),
        (500, "InternalFailure", Unavailable, "the service failed"),
        (503, "ServiceUnavailable", Unavailable, "the service failed"),
        (500, "SomethingNew", Unavailable, "code=SomethingNew"),
        (400, "SomethingNew", Invalid, "code=SomethingNew"),
        (403, "SomethingNew", Denied, "allow kinesis:"),
        (404, "SomethingNew", Unavailable, "check its address"),
        (429, "SomethingNew", Throttled, "status=429"),
        // As the SDK's other protocols write it.
        (400, "com.amazonaws.kinesis.v20131202#ResourceNotFoundException", NotFound, ""),
    ];
    for (status, code, kind, hint) in cases {
        for error in errors_of(|| Answer::error(status, code)).await {
            assert_eq!(error.kind(), kind, "{code} {error}");
            assert!(error.to_string().contains(hint), "{code}: {error}");
            assert!(error_chain(&error).contains("said by the service"), "{code}: {}", error_chain(&error));
        }
    }
}

#[tokio::test]
async fn an_error_names_request_and_subject() {
    let errors = errors_of(|| Answer::error(400, "AccessDeniedException")).await;
    let named = [("ListShards", "orders"), ("GetShardIterator", "orders/shard-0"), ("GetRecords", "orders/shard-0")];
    for (error, (operation, subject)) in errors.iter().zip(named) {
        assert_eq!((error.operation(), error.subject()), (operation, subject));
        assert!(error.to_string().contains(&format!("allow kinesis:{operation} on the stream")), "{error}");
    }
}

#[tokio::test]
async fn answers_that_are_not_from_kinesis() {
    // Cut off, then a proxy's page or nothing, with every status that proxies like.
    let cut_off = (200, r#"{"Records":[{"SequenceNumber""#);
    let pages = [200, 301, 400, 403, 404, 407, 413, 429, 500, 502, 504].map(|status| (status, "<html>proxy</html>"));
    let nothing = [400, 403, 404, 413, 429, 500, 503].map(|status| (status, ""));
    for (status, body) in [cut_off].into_iter().chain(pages).chain(nothing) {
        let kind = if status == 429 { ErrorKind::Throttled } else { ErrorKind::Unavailable };
        for error in errors_of(|| Answer::Http(status, body.to_owned())).await {
            assert_eq!(error.kind(), kind, "status {status}: {}", error_chain(&error));
            assert!(error.to_string().contains(&format!("no proxy is between: status={status}")), "{error}");
        }
    }
}

#[tokio::test]
async fn requests_that_were_never_answered() {
    let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
    type Fails = fn() -> ConnectorError;
    let cases: [(Fails, &str); 6] = [
        (|| ConnectorError::io(Box::new(io::Error::from(io::ErrorKind::ConnectionReset))), "connection was cut"),
        (|| ConnectorError::io("dns error: failed to lookup address information".into()), "cannot be resolved"),
        (|| ConnectorError::io("invalid peer certificate: UnknownIssuer".into()), "certificate is refused"),
        (|| ConnectorError::timeout("connect timed out".into()), "no connection in time"),
        (|| ConnectorError::other("something else".into(), None), "network path"),
        (|| ConnectorError::io(Box::new(io::Error::from(io::ErrorKind::NetworkUnreachable))), "no route"),
    ];
    for (fails, hint) in cases {
        for error in errors_of(|| Answer::Fails(fails())).await {
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{hint}");
            assert!(error.to_string().contains(hint), "{hint}: {error}");
        }
    }
    let [listing, ..] = errors_of(|| Answer::Fails(ConnectorError::io(Box::new(refused())))).await;
    assert!(listing.to_string().contains("connection refused"), "{listing}");
    let [listing, ..] = errors_of(|| Answer::Fails(ConnectorError::user("bad address".into()))).await;
    assert_eq!(listing.kind(), ErrorKind::Invalid);
}

#[test]
fn failures_without_an_answer_or_a_connection() {
    type Failure = SdkError<aws_sdk_kinesis::operation::get_records::GetRecordsError, HttpResponse>;
    let cases = [
        (Failure::timeout_error("30 s"), ErrorKind::Unavailable, "no answer in time"),
        (Failure::construction_failure("no limit"), ErrorKind::Invalid, "could not be built"),
    ];
    for (failure, kind, hint) in cases {
        let error = read_error(Operation::GetRecords, "orders/shard-0".to_owned(), failure);
        assert_eq!((error.kind(), error.subject()), (kind, "orders/shard-0"));
        assert!(error.to_string().contains(hint), "{error}");
    }
}

#[derive(Debug)]
struct FailingCredentials(fn() -> CredentialsError);

impl ProvideCredentials for FailingCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::ready(Err(self.0()))
    }
}

#[tokio::test]
async fn missing_credentials_are_told_from_a_provider_that_is_down() {
    type Fails = fn() -> CredentialsError;
    let cases: [(Fails, ErrorKind, &str); 4] = [
        (|| CredentialsError::not_loaded("nothing set"), ErrorKind::Denied, "no credentials"),
        (|| CredentialsError::invalid_configuration("bad profile"), ErrorKind::Denied, "profile and role"),
        (|| CredentialsError::provider_error("token service: 503"), ErrorKind::Unavailable, "could not be fetched"),
        (
            || CredentialsError::provider_timed_out(std::time::Duration::from_secs(1)),
            ErrorKind::Unavailable,
            "could not be fetched",
        ),
    ];
    for (fails, kind, hint) in cases {
        let canned = Canned::default();
        let provider = SharedCredentialsProvider::new(FailingCredentials(fails));
        let aws = canned.config_without_credentials().into_builder().credentials_provider(provider).build();
        let reader = KinesisStreamReader::from_config(&aws, "orders", 100).unwrap();
        let error = reader.list_shards(ShardFilter::All).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{}", error_chain(&error));
        assert!(error.to_string().contains(hint), "{error}");
    }
}

#[tokio::test]
async fn a_configuration_without_credentials_is_denied() {
    let canned = Canned::default();
    let reader = KinesisStreamReader::from_config(&canned.config_without_credentials(), "orders", 100).unwrap();
    let error = reader.list_shards(ShardFilter::All).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{}", error_chain(&error));
    assert_eq!(canned.requests(), []);
}
