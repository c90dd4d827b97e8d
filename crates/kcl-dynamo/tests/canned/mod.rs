//! A DynamoDB client whose answers are written down beforehand and whose requests are kept.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "each test target uses its own part")]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_dynamodb::error::ConnectorError;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::http::{Request, Response, StatusCode};
use aws_smithy_types::body::SdkBody;
use kcl_dynamo::DynamoLeaseStore;
use serde_json::{Value, json};

/// What a request gets.
#[derive(Debug)]
pub(crate) enum Answer {
    /// A response with this status and body.
    Body(u16, String),
    /// No response.
    Lost(ConnectorError),
    /// Neither a response nor an error, ever.
    Silence,
}

impl Answer {
    /// A good answer.
    pub(crate) fn ok(body: Value) -> Self {
        Self::Body(200, body.to_string())
    }

    /// An error answer as DynamoDB sends it.
    pub(crate) fn error(status: u16, code: &str) -> Self {
        let body = json!({ "__type": format!("com.amazonaws.dynamodb.v20120810#{code}"), "message": "as told" });
        Self::Body(status, body.to_string())
    }

    /// A failed condition, with the row where there is one.
    pub(crate) fn refused(row: Option<Value>) -> Self {
        let code = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException";
        let mut body = json!({ "__type": code, "message": "The conditional request failed" });
        if let Some(row) = row {
            body["Item"] = row;
        }
        Self::Body(400, body.to_string())
    }
}

/// A request that was sent: the operation and the body.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sent {
    pub(crate) action: String,
    pub(crate) body: Value,
}

/// The other end of the wire.
#[derive(Clone, Debug, Default)]
pub(crate) struct Canned {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    sent: Arc<Mutex<Vec<Sent>>>,
}

impl Canned {
    /// Answers these, in order; a request too many fails the test.
    pub(crate) fn new(answers: impl IntoIterator<Item = Answer>) -> Self {
        let answers = Arc::new(Mutex::new(answers.into_iter().collect()));
        Self { answers, sent: Arc::default() }
    }

    /// Every request so far.
    pub(crate) fn sent(&self) -> Vec<Sent> {
        self.sent.lock().unwrap().clone()
    }

    /// The body of the only request.
    pub(crate) fn only_body(&self) -> Value {
        let sent = self.sent();
        assert_eq!(sent.len(), 1, "{sent:?}");
        sent[0].body.clone()
    }

    /// A client with the SDK's default retries.
    pub(crate) fn client(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::from_conf(self.config().build())
    }

    /// Its configuration.
    pub(crate) fn config(&self) -> aws_sdk_dynamodb::config::Builder {
        aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("id", "secret", None, None, "test"))
            .http_client(self.http_client())
    }

    /// The HTTP client alone.
    pub(crate) fn http_client(&self) -> SharedHttpClient {
        let connector = self.clone();
        http_client_fn(move |_, _| SharedHttpConnector::new(connector.clone()))
    }

    /// A store over the table `leases`.
    pub(crate) fn store(&self) -> DynamoLeaseStore {
        DynamoLeaseStore::new(self.client(), "leases")
    }
}

impl HttpConnector for Canned {
    fn call(&self, request: Request) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let action = target.rsplit('.').next().unwrap_or_default().to_owned();
        let body = serde_json::from_slice(request.body().bytes().unwrap_or_default()).unwrap();
        self.sent.lock().unwrap().push(Sent { action, body });
        let answer = self.answers.lock().unwrap().pop_front().expect("a request without an answer");
        HttpConnectorFuture::ready(match answer {
            Answer::Body(status, body) => Ok(Response::new(StatusCode::try_from(status).unwrap(), SdkBody::from(body))),
            Answer::Lost(error) => Err(error),
            Answer::Silence => return HttpConnectorFuture::new(std::future::pending()),
        })
    }
}
