//! The services that all workers of a run share: a Kinesis process, a DynamoDB and a CloudWatch inside this process. All on
//! 127.0.0.1, on ports that the system picks.

use std::future::pending;
use std::net::{Ipv4Addr, TcpListener as StdListener};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use axum::Router;
use axum::http::header::CONTENT_TYPE;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Handle, Runtime};

use crate::cost::Meter;
use crate::failure::Failure;
use crate::process::Process;
use crate::tools::{DynamoServer, KinesisServer};

const REGION: &str = "us-east-1";
const CREDENTIAL: &str = "local";
/// The ports that a server is told; `loopback.cjs` and `loopback.py` give it free ones and say which.
const PLAIN: &str = "1";
const TLS: &str = "2";

/// Running services; dropping this stops them.
#[derive(Debug)]
pub(crate) struct Servers {
    kinesis: Process,
    kinesis_url: String,
    dynamodb_url: String,
    /// What workers are led to: the same, or a meter in front of it.
    workers_dynamodb_url: String,
    cloudwatch_url: String,
    runtime: Option<Runtime>,
}

impl Servers {
    /// Starts all; they answer when this returns. Logs go below `folder`.
    ///
    /// # Errors
    /// If one of them does not come up.
    pub(crate) fn start(kinesis: &KinesisServer, folder: &Path) -> Result<Self, Failure> {
        // Threads of their own, so that a busy driver and they do not hold each other up.
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("services")
            .enable_all()
            .build()
            .map_err(|error| Failure::of("cannot start the threads of the services", &error))?;
        let dynamodb_url = serve_dynamodb(runtime.handle())?;
        let cloudwatch_url = serve_cloudwatch(runtime.handle())?;
        let (kinesis, kinesis_url) = start_kinesis(kinesis, folder)?;
        let workers_dynamodb_url = dynamodb_url.clone();
        Ok(Self { kinesis, kinesis_url, dynamodb_url, workers_dynamodb_url, cloudwatch_url, runtime: Some(runtime) })
    }

    /// Counts from now on what workers ask of DynamoDB. What the driver asks is not counted.
    ///
    /// # Errors
    /// If the meter cannot listen.
    pub(crate) fn meter(&mut self) -> Result<Meter, Failure> {
        let stopped = || Failure::new("the services have been stopped");
        let address = self.dynamodb_url.strip_prefix("http://").and_then(|address| address.parse().ok()).ok_or_else(stopped)?;
        let runtime = self.runtime.as_ref().ok_or_else(stopped)?;
        let (meter, url) = Meter::start(runtime.handle(), address)?;
        self.workers_dynamodb_url = url;
        Ok(meter)
    }

    /// Leads a program to the services, and takes out what would lead it elsewhere.
    pub(crate) fn lead(&self, program: &mut Command) {
        const FOREIGN: [&str; 8] = [
            "AWS_PROFILE",
            "AWS_SESSION_TOKEN",
            "HTTP_PROXY",
            "HTTPS_PROXY",
            "http_proxy",
            "https_proxy",
            "ALL_PROXY",
            "all_proxy",
        ];
        for variable in FOREIGN {
            program.env_remove(variable);
        }
        program.env("AWS_ENDPOINT_URL_KINESIS", &self.kinesis_url);
        program.env("AWS_ENDPOINT_URL_DYNAMODB", &self.workers_dynamodb_url);
        program.env("AWS_ENDPOINT_URL_CLOUDWATCH", &self.cloudwatch_url);
        program.env("AWS_ACCESS_KEY_ID", CREDENTIAL).env("AWS_SECRET_ACCESS_KEY", CREDENTIAL).env("AWS_REGION", REGION);
    }

    /// A client of Kinesis.
    pub(crate) fn kinesis_client(&self) -> aws_sdk_kinesis::Client {
        aws_sdk_kinesis::Client::new(&config(&self.kinesis_url))
    }

    /// A configuration for clients of DynamoDB only.
    pub(crate) fn dynamodb_config(&self) -> SdkConfig {
        config(&self.dynamodb_url)
    }

    /// What the Kinesis server has said.
    pub(crate) fn kinesis_log(&self) -> String {
        self.kinesis.log()
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Waiting for it would block, which is not allowed where other tasks run.
            runtime.shutdown_background();
        }
    }
}

/// A configuration for clients of the service at this address.
pub(crate) fn config(endpoint: &str) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static(REGION))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(CREDENTIAL, CREDENTIAL, None, None, "local")))
        .endpoint_url(endpoint)
        .build()
}

/// A free port of 127.0.0.1, and its URL.
///
/// # Errors
/// If the system refuses.
pub(crate) fn listen() -> Result<(StdListener, String), Failure> {
    let failed = |error: std::io::Error| Failure::of("cannot listen on 127.0.0.1", &error);
    let listener = StdListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let url = format!("http://{}", listener.local_addr().map_err(failed)?);
    Ok((listener, url))
}

fn serve_dynamodb(runtime: &Handle) -> Result<String, Failure> {
    let (listener, url) = listen()?;
    let database = dynoxide::Database::memory().map_err(|error| Failure::new(format!("cannot set up the database: {error}")))?;
    let _entered = runtime.enter();
    let listener = TcpListener::from_std(listener).map_err(|error| Failure::of("cannot listen", &error))?;
    runtime.spawn(async move { dynoxide::server::serve_with_shutdown(listener, database, pending()).await });
    Ok(url)
}

/// A CloudWatch that takes everything and keeps nothing.
fn serve_cloudwatch(runtime: &Handle) -> Result<String, Failure> {
    const TAKEN: &str = "<PutMetricDataResponse xmlns=\"http://monitoring.amazonaws.com/doc/2010-08-01/\">\
                         <ResponseMetadata><RequestId>taken</RequestId></ResponseMetadata></PutMetricDataResponse>";
    let (listener, url) = listen()?;
    let app = Router::new().fallback(|| async { ([(CONTENT_TYPE, "text/xml")], TAKEN) });
    let _entered = runtime.enter();
    let listener = TcpListener::from_std(listener).map_err(|error| Failure::of("cannot listen", &error))?;
    runtime.spawn(async move { axum::serve(listener, app).await });
    Ok(url)
}

/// Starts the Kinesis server and waits until it listens; its log goes below `folder`.
///
/// # Errors
/// If it does not come up.
pub(crate) fn start_kinesis(server: &KinesisServer, folder: &Path) -> Result<(Process, String), Failure> {
    let mut command = Command::new("node");
    command.arg("--require").arg(&server.loopback).arg(server.package.join("main.js")).current_dir(&server.package);
    command.env("KINESIS_MOCK_CERT_PATH", server.package.join("server.json"));
    command.env("KINESIS_MOCK_PLAIN_PORT", PLAIN).env("KINESIS_MOCK_TLS_PORT", TLS);
    command.env("SHARD_LIMIT", "5000").env("LOG_LEVEL", "ERROR");
    until_it_listens(Process::start(&mut command, &folder.join("kinesis.log"))?, "Kinesis")
}

/// Starts the second DynamoDB server and waits until it listens; its log goes below `folder`.
///
/// # Errors
/// If it does not come up.
pub(crate) fn start_second_dynamodb(server: &DynamoServer, folder: &Path) -> Result<(Process, String), Failure> {
    let mut command = Command::new(&server.python);
    command.arg(&server.loopback).arg("ministack").current_dir(folder);
    command.env("PYTHONPATH", &server.packages).env("TMPDIR", folder);
    command.env("BIND_HOST", "127.0.0.1").env("GATEWAY_PORT", PLAIN);
    until_it_listens(Process::start(&mut command, &folder.join("dynamodb.log"))?, "second DynamoDB")
}

fn until_it_listens(mut process: Process, which: &str) -> Result<(Process, String), Failure> {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(url) = listens_at(&process.log()) {
            return Ok((process, url));
        }
        if process.ended().is_some() || Instant::now() > deadline {
            return Err(Failure::new(format!("the {which} server does not come up: {}", process.log())));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Where the plain port is, once the log says so.
fn listens_at(log: &str) -> Option<String> {
    let port = |line: &str| line.strip_prefix("listening ")?.strip_prefix(PLAIN)?.strip_prefix(' ').map(str::to_owned);
    log.lines().find_map(port).map(|port| format!("http://127.0.0.1:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_of_a_server_is_the_plain_one() {
        assert_eq!(listens_at("listening 2 4242\nnoise\nlistening 1 4343\n").as_deref(), Some("http://127.0.0.1:4343"));
        assert_eq!(listens_at("listening 2 4242\n"), None);
    }
}
