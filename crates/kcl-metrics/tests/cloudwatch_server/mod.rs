//! A CloudWatch that runs on loopback, answers as it is told and remembers what it was sent.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use aws_credential_types::Credentials;
use aws_sdk_cloudwatch::config::retry::RetryConfig;
use aws_sdk_cloudwatch::config::{BehaviorVersion, Region};
use aws_sdk_cloudwatch::{Client, Config};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use ciborium::Value;
use tokio::net::TcpListener;
use tokio::sync::Notify;

/// What the server does with one request. Without an order it accepts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Order {
    Accept,
    /// Answers with this status and, if not empty, this error code.
    Refuse(u16, &'static str),
    /// Never answers.
    Hang,
}

/// A request as it came over the wire.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) bytes: usize,
    pub(crate) namespace: String,
    pub(crate) datums: Vec<Datum>,
}

/// One metric of a request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Datum {
    pub(crate) name: String,
    pub(crate) unit: String,
    pub(crate) dimensions: BTreeMap<String, String>,
    pub(crate) sum: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) count: f64,
}

#[derive(Debug, Default)]
struct Shared {
    orders: Mutex<VecDeque<Order>>,
    requests: Mutex<Vec<Request>>,
    arrived: Notify,
}

pub(crate) struct CloudWatchServer {
    shared: Arc<Shared>,
    pub(crate) endpoint: String,
}

impl CloudWatchServer {
    /// Starts on a port that the kernel picks; it ends with the test's runtime.
    pub(crate) async fn start(orders: impl IntoIterator<Item = Order>) -> Self {
        let shared = Arc::new(Shared { orders: Mutex::new(orders.into_iter().collect()), ..Shared::default() });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let path = "/service/GraniteServiceVersion20100801/operation/PutMetricData";
        let router = Router::new().route(path, post(put_metric_data)).with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { shared, endpoint }
    }

    /// Everything that was sent so far, whatever the answer was.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().unwrap().clone()
    }

    /// Returns when a request has come since the last call.
    pub(crate) async fn arrival(&self) {
        self.shared.arrived.notified().await;
    }

    /// A client that does not retry and does not compress.
    pub(crate) fn client(&self) -> Client {
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url(&self.endpoint)
            .credentials_provider(credentials())
            .retry_config(RetryConfig::disabled())
            .disable_request_compression(true)
            .build();
        Client::from_conf(config)
    }
}

pub(crate) fn credentials() -> Credentials {
    Credentials::new("key", "secret", None, None, "test")
}

async fn put_metric_data(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    assert!(!headers.contains_key("content-encoding"), "the test client does not compress");
    shared.requests.lock().unwrap().push(request(&body));
    shared.arrived.notify_one();
    let order = shared.orders.lock().unwrap().pop_front().unwrap_or(Order::Accept);
    let protocol = [("smithy-protocol", "rpc-v2-cbor"), ("content-type", "application/cbor")];
    match order {
        Order::Accept => (protocol, vec![0xa0]).into_response(),
        Order::Refuse(status, code) => {
            let status = StatusCode::from_u16(status).unwrap();
            let error = [("x-amzn-query-error", format!("{code};Sender"))];
            (status, protocol, error, cbor_error(code)).into_response()
        }
        Order::Hang => std::future::pending().await,
    }
}

fn cbor_error(code: &str) -> Vec<u8> {
    let mut body = Vec::new();
    let error = Value::Map(vec![(Value::from("__type"), Value::from(code)), (Value::from("message"), Value::from("as told"))]);
    ciborium::into_writer(&error, &mut body).unwrap();
    body
}

fn request(body: &[u8]) -> Request {
    let input: Value = ciborium::from_reader(body).unwrap();
    let datums = field(&input, "MetricData").as_array().unwrap().iter().map(datum).collect();
    Request { bytes: body.len(), namespace: text(&input, "Namespace"), datums }
}

fn datum(value: &Value) -> Datum {
    let statistics = field(value, "StatisticValues");
    let dimensions = find(value, "Dimensions").map(|list| list.as_array().unwrap().as_slice()).unwrap_or_default();
    assert_eq!(find(value, "Value"), None, "a datum has a value or a statistic set");
    Datum {
        name: text(value, "MetricName"),
        unit: text(value, "Unit"),
        dimensions: dimensions.iter().map(|dimension| (text(dimension, "Name"), text(dimension, "Value"))).collect(),
        sum: number(statistics, "Sum"),
        min: number(statistics, "Minimum"),
        max: number(statistics, "Maximum"),
        count: number(statistics, "SampleCount"),
    }
}

fn find<'a>(map: &'a Value, name: &str) -> Option<&'a Value> {
    map.as_map().unwrap().iter().find(|(key, _)| key.as_text() == Some(name)).map(|(_, value)| value)
}

fn field<'a>(map: &'a Value, name: &str) -> &'a Value {
    find(map, name).unwrap_or_else(|| panic!("{name} is missing in {map:?}"))
}

fn text(map: &Value, name: &str) -> String {
    field(map, name).as_text().unwrap().to_owned()
}

fn number(map: &Value, name: &str) -> f64 {
    field(map, name).as_float().unwrap()
}
