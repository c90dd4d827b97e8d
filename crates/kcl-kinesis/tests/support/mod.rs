//! A Kinesis-compatible server inside the test process, on a port of its own.

mod fixture;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_kinesis::Client;
use aws_types::SdkConfig;
use aws_types::region::Region;
use ferrokinesis::create_app;
use ferrokinesis::store::{Store, StoreOptions};
use kcl_kinesis::KinesisStreamReader;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

pub(crate) use fixture::Fixture;

/// The name of the stream that a server starts with.
pub(crate) const STREAM: &str = "orders";

/// Stops when it is dropped.
pub(crate) struct Server {
    pub(crate) aws: SdkConfig,
    /// For putting records and resharding.
    pub(crate) client: Client,
    /// What the server keeps, for what its requests cannot change.
    pub(crate) store: Store,
    _stop: oneshot::Sender<()>,
}

impl Server {
    /// A server with one stream of `shards` shards.
    pub(crate) async fn start(shards: i32) -> Self {
        Self::start_with(shards, |_| ()).await
    }

    pub(crate) async fn start_with(shards: i32, change: impl FnOnce(&mut StoreOptions)) -> Self {
        let mut options = StoreOptions {
            create_stream_ms: 0,
            update_stream_ms: 0,
            delete_stream_ms: 0,
            shard_limit: 1_000,
            ..StoreOptions::default()
        };
        change(&mut options);
        let (app, store) = create_app(options);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        #[allow(clippy::disallowed_methods, reason = "the server of a test is no task of the library")]
        tokio::spawn(async move {
            let until_dropped = async {
                // Dropping the sender is the signal, so this is always an error.
                let _ = stopped.await;
            };
            axum::serve(listener, app).with_graceful_shutdown(until_dropped).await.unwrap();
        });
        let aws = config(&endpoint);
        let client = Client::new(&aws);
        client.create_stream().stream_name(STREAM).shard_count(shards).send().await.unwrap();
        let server = Self { aws, client, store, _stop: stop };
        server.until_active().await;
        server
    }

    /// The stream becomes active in a background task of the server; each question is a chance for it to run.
    pub(crate) async fn until_active(&self) {
        for _ in 0..10_000 {
            let answer = self.client.describe_stream_summary().stream_name(STREAM).send().await.unwrap();
            let status = answer.stream_description_summary().map(|summary| summary.stream_status().as_str().to_owned());
            if status.as_deref() == Some("ACTIVE") {
                return;
            }
        }
        panic!("the stream never became active");
    }

    /// A reader of the stream with a client of its own.
    pub(crate) fn reader(&self, limit: u32) -> KinesisStreamReader {
        KinesisStreamReader::from_config(&self.aws, STREAM, limit).unwrap()
    }
}

/// Credentials that a local server takes, and its address.
pub(crate) fn config(endpoint: &str) -> SdkConfig {
    let credentials = Credentials::new("local", "local", None, None, "test");
    SdkConfig::builder()
        .behavior_version(aws_sdk_kinesis::config::BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .endpoint_url(endpoint)
        .build()
}

/// An address where nothing listens any more.
pub(crate) async fn endpoint_of_nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}
