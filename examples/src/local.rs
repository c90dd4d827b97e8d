//! A Kinesis and a DynamoDB inside this process, for trying things out without AWS.
//!
//! Both speak the real protocols over HTTP on 127.0.0.1, so that a consumer takes the same path through the AWS SDK as in
//! production. They keep everything in memory and forget it when they stop.

use std::future::pending;
use std::io;
use std::net::{Ipv4Addr, TcpListener as StdListener};
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_kinesis::types::StreamStatus;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};
use ferrokinesis::store::StoreOptions;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Handle, Runtime};

/// The region that the servers claim to be in.
pub const REGION: &str = "us-east-1";
/// The access key and the secret that the servers accept; they accept any.
pub const CREDENTIAL: &str = "local";

/// Shards that all streams may have together: more than anyone tries on one machine.
const SHARDS_MOST: u32 = 10_000;
/// How long creating or resharding a stream takes: little, but the stream is not ready at once, as in reality.
const STREAM_CHANGE_MILLIS: u64 = 20;

/// Why the embedded servers, or a stream on them, could not be had.
#[derive(Debug)]
pub enum LocalError {
    /// Nothing can listen on the port; something else probably does.
    Listen {
        /// Whose port it is.
        service: &'static str,
        /// The port.
        port: u16,
        /// What the system says.
        source: io::Error,
    },
    /// The threads of the servers cannot be started.
    Runtime(io::Error),
    /// The DynamoDB server cannot be set up.
    Database(String),
    /// A stream could not be created.
    Stream(Box<dyn std::error::Error + Send + Sync>),
}

impl std::fmt::Display for LocalError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Listen { service, port, .. } => {
                write!(f, "cannot listen for {service}, choose another port or 0 for any: address=127.0.0.1:{port}")
            }
            Self::Runtime(_) => f.write_str("cannot start the threads of the embedded servers"),
            Self::Database(reason) => write!(f, "cannot set up the embedded database: {reason}"),
            Self::Stream(_) => f.write_str("cannot create the stream"),
        }
    }
}

impl std::error::Error for LocalError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Listen { source, .. } | Self::Runtime(source) => Some(source),
            Self::Database(_) => None,
            Self::Stream(source) => Some(&**source),
        }
    }
}

/// Running servers. They have threads of their own, so that a busy consumer and they do not hold each other up. Dropping
/// this stops them.
#[derive(Debug)]
pub struct LocalAws {
    /// Where Kinesis is, for `AWS_ENDPOINT_URL_KINESIS`.
    pub kinesis_url: String,
    /// Where DynamoDB is, for `AWS_ENDPOINT_URL_DYNAMODB`.
    pub dynamodb_url: String,
    runtime: Option<Runtime>,
}

impl LocalAws {
    /// Starts both servers on these ports of 127.0.0.1; 0 lets the system pick one. They answer when this returns.
    ///
    /// # Errors
    /// If a port is taken or the servers cannot be set up.
    pub fn start(kinesis_port: u16, dynamodb_port: u16) -> Result<Self, LocalError> {
        let (kinesis, kinesis_url) = listen("Kinesis", kinesis_port)?;
        let (dynamodb, dynamodb_url) = listen("DynamoDB", dynamodb_port)?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("embedded-aws")
            .enable_all()
            .build()
            .map_err(LocalError::Runtime)?;
        serve_kinesis(runtime.handle(), kinesis)?;
        serve_dynamodb(runtime.handle(), dynamodb)?;
        Ok(Self { kinesis_url, dynamodb_url, runtime: Some(runtime) })
    }

    /// An AWS configuration for clients of both services. It sets no HTTP client, so that each client gets its own and none
    /// loses a connection when another one's runtime ends.
    pub fn sdk_config(&self) -> SdkConfig {
        let endpoints = Endpoints { kinesis: self.kinesis_url.clone(), dynamodb: self.dynamodb_url.clone() };
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static(REGION))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new(CREDENTIAL, CREDENTIAL, None, None, "local")))
            .service_config(endpoints)
            .build()
    }

    /// Creates a stream and waits until it can be used.
    ///
    /// # Errors
    /// If there is one of this name or the server refuses.
    pub async fn create_stream(&self, name: &str, shards: u32) -> Result<(), LocalError> {
        let client = aws_sdk_kinesis::Client::new(&self.sdk_config());
        create_stream(&client, name, shards).await.map_err(LocalError::Stream)
    }
}

impl Drop for LocalAws {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Waiting for it would block, which is not allowed where other tasks run.
            runtime.shutdown_background();
        }
    }
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

async fn create_stream(client: &aws_sdk_kinesis::Client, name: &str, shards: u32) -> Result<(), BoxError> {
    client.create_stream().stream_name(name).shard_count(i32::try_from(shards)?).send().await?;
    wait_until_active(client, name).await
}

/// Waits until a stream is not being created or resharded any more.
///
/// # Errors
/// If the service refuses to say.
pub async fn wait_until_active(client: &aws_sdk_kinesis::Client, stream: &str) -> Result<(), BoxError> {
    loop {
        let answer = client.describe_stream_summary().stream_name(stream).send().await?;
        if answer.stream_description_summary().is_some_and(|summary| *summary.stream_status() == StreamStatus::Active) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(STREAM_CHANGE_MILLIS)).await;
    }
}

/// What `AWS_ENDPOINT_URL_KINESIS` and `AWS_ENDPOINT_URL_DYNAMODB` would be: one configuration, an endpoint for each service.
#[derive(Debug)]
struct Endpoints {
    kinesis: String,
    dynamodb: String,
}

impl LoadServiceConfig for Endpoints {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        match (key.env(), key.service_id()) {
            ("AWS_ENDPOINT_URL", "Kinesis") => Some(self.kinesis.clone()),
            ("AWS_ENDPOINT_URL", "DynamoDB") => Some(self.dynamodb.clone()),
            _ => None,
        }
    }
}

fn listen(service: &'static str, port: u16) -> Result<(StdListener, String), LocalError> {
    let failed = |source| LocalError::Listen { service, port, source };
    let listener = StdListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let url = format!("http://{}", listener.local_addr().map_err(failed)?);
    Ok((listener, url))
}

fn serve_kinesis(runtime: &Handle, listener: StdListener) -> Result<(), LocalError> {
    let options = StoreOptions {
        create_stream_ms: STREAM_CHANGE_MILLIS,
        update_stream_ms: STREAM_CHANGE_MILLIS,
        delete_stream_ms: STREAM_CHANGE_MILLIS,
        shard_limit: SHARDS_MOST,
        aws_region: REGION.to_owned(),
        ..StoreOptions::default()
    };
    // It starts tasks of its own, in the runtime that is entered.
    let _entered = runtime.enter();
    let (app, _store) = ferrokinesis::create_app(options);
    let listener = TcpListener::from_std(listener).map_err(LocalError::Runtime)?;
    runtime.spawn(async move { axum::serve(listener, app).await });
    Ok(())
}

fn serve_dynamodb(runtime: &Handle, listener: StdListener) -> Result<(), LocalError> {
    let database = dynoxide::Database::memory().map_err(|error| LocalError::Database(error.to_string()))?;
    let _entered = runtime.enter();
    let listener = TcpListener::from_std(listener).map_err(LocalError::Runtime)?;
    runtime.spawn(async move { dynoxide::server::serve_with_shutdown(listener, database, pending()).await });
    Ok(())
}
