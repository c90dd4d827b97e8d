//! An HTTP client for tests: it gives prepared answers, one after the other, and keeps the requests.
//!
//! Unlike a server it can also fail the way a network does.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use aws_types::SdkConfig;
use aws_types::region::Region;
use serde_json::Value;

use crate::KinesisStreamReader;

/// What happens to one request.
pub(crate) enum Answer {
    Http(u16, String),
    Fails(ConnectorError),
    Never,
}

impl Answer {
    pub(crate) fn ok(body: &Value) -> Self {
        Self::Http(200, body.to_string())
    }

    /// An error as Kinesis words it.
    pub(crate) fn error(status: u16, code: &str) -> Self {
        Self::Http(status, serde_json::json!({ "__type": code, "message": "said by the service" }).to_string())
    }
}

#[derive(Default)]
struct Tape {
    answers: VecDeque<Answer>,
    requests: Vec<(String, Value)>,
}

#[derive(Clone, Default)]
pub(crate) struct Canned(Arc<Mutex<Tape>>);

impl Canned {
    pub(crate) fn new(answers: impl IntoIterator<Item = Answer>) -> Self {
        Self(Arc::new(Mutex::new(Tape { answers: answers.into_iter().collect(), requests: Vec::new() })))
    }

    /// The requests so far: the operation and its JSON.
    pub(crate) fn requests(&self) -> Vec<(String, Value)> {
        self.0.lock().unwrap().requests.clone()
    }

    /// A configuration whose client talks to the tape, with valid credentials.
    pub(crate) fn config(&self) -> SdkConfig {
        let credentials = Credentials::new("key", "secret", None, None, "test");
        self.config_without_credentials().into_builder().credentials_provider(SharedCredentialsProvider::new(credentials)).build()
    }

    pub(crate) fn config_without_credentials(&self) -> SdkConfig {
        SdkConfig::builder().region(Region::new("eu-west-1")).http_client(self.clone()).build()
    }

    /// A reader of the stream "orders", 100 records at a time.
    pub(crate) fn reader(&self) -> KinesisStreamReader {
        KinesisStreamReader::from_config(&self.config(), "orders", 100).unwrap()
    }
}

impl std::fmt::Debug for Canned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Canned")
    }
}

impl HttpConnector for Canned {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let operation = target.strip_prefix("Kinesis_20131202.").unwrap_or(target).to_owned();
        let body = serde_json::from_slice(request.body().bytes().unwrap_or_default()).unwrap_or(Value::Null);
        let mut tape = self.0.lock().unwrap();
        tape.requests.push((operation, body));
        match tape.answers.pop_front().expect("more requests than answers") {
            Answer::Http(status, body) => {
                let status = StatusCode::try_from(status).unwrap();
                HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from(body))))
            }
            Answer::Fails(error) => HttpConnectorFuture::ready(Err(error)),
            Answer::Never => HttpConnectorFuture::new(std::future::pending()),
        }
    }
}

impl HttpClient for Canned {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}
