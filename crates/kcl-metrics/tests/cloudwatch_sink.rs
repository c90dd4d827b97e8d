//! What the CloudWatch sink puts on the wire, and what becomes of it when CloudWatch does not take it.

#![allow(clippy::disallowed_methods, reason = "the tests' own server and tasks run on the tests' own runtime")]
#![allow(clippy::unwrap_used, reason = "the tests' own server may fail the test")]

mod cloudwatch_server;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_cloudwatch::config::Region;
use aws_types::SdkConfig;
use kcl_core::{Measurement, MetricsLevel, MetricsPublisher, MetricsSink, ShardId, Unit, WorkerId};
use kcl_metrics::{CloudWatchOptions, CloudWatchSink, Dimension, Dropped};

use cloudwatch_server::{CloudWatchServer, Datum, Order, Request, credentials};

fn sink(server: &CloudWatchServer, options: CloudWatchOptions) -> CloudWatchSink {
    CloudWatchSink::new(server.client(), "my-app", options)
}

fn of_shard(index: usize, value: f64) -> Measurement {
    Measurement::count("ProcessTask", "RecordsProcessed", value).of_shard(&ShardId::new(format!("shardId-{index:012}")))
}

fn record_shards(sink: &CloudWatchSink, count: usize) {
    for index in 0..count {
        sink.record(&of_shard(index, 1.0));
    }
}

fn sum(requests: &[Request]) -> f64 {
    requests.iter().flat_map(|request| &request.datums).map(|datum| datum.sum).sum()
}

#[tokio::test]
async fn many_measurements_of_one_kind_are_one_datum_in_one_request() {
    let server = CloudWatchServer::start([]).await;
    let sink = sink(&server, CloudWatchOptions::default());
    let shard = ShardId::from("shardId-000000000007");
    let worker = WorkerId::from("host:1");
    for millis in 1..=1000_u32 {
        let time = Measurement::time("ProcessTask", "Time", Duration::from_millis(millis.into()));
        sink.record(&time.of_shard(&shard).of_worker(&worker));
    }
    sink.record(&Measurement::count("TakeLeases", "TakenLeases", 3.0));
    sink.record(&Measurement::count("ProcessTask", "DataBytesProcessed", 17.0).in_unit(Unit::Bytes));
    sink.publish().await;

    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].namespace, "my-app");
    let plain = |name: &str, unit: &str, operation: &str, value: f64| Datum {
        name: name.to_owned(),
        unit: unit.to_owned(),
        dimensions: BTreeMap::from([("Operation".to_owned(), operation.to_owned())]),
        sum: value,
        min: value,
        max: value,
        count: 1.0,
    };
    let mut time = plain("Time", "Milliseconds", "ProcessTask", 500_500.0);
    time.dimensions.insert("ShardId".to_owned(), "shardId-000000000007".to_owned());
    time.dimensions.insert("WorkerIdentifier".to_owned(), "host:1".to_owned());
    let time = Datum { min: 1.0, max: 1000.0, count: 1000.0, ..time };
    let taken = plain("TakenLeases", "Count", "TakeLeases", 3.0);
    let bytes = plain("DataBytesProcessed", "Bytes", "ProcessTask", 17.0);
    assert_eq!(requests[0].datums, [time, taken, bytes]);
    assert_eq!((sink.waiting(), sink.dropped()), (0, Dropped::default()));
}

#[tokio::test]
async fn nothing_measured_is_nothing_sent() {
    let server = CloudWatchServer::start([]).await;
    let sink = sink(&server, CloudWatchOptions::default());
    sink.publish().await;
    sink.record(&Measurement::count("TakeLeases", "TakenLeases", f64::NAN));
    sink.publish().await;
    assert_eq!(server.requests().len(), 0);
    assert_eq!(sink.dropped().unusable, 1);
}

#[tokio::test]
async fn level_and_dimensions_decide_what_is_sent() {
    let server = CloudWatchServer::start([]).await;
    let options = CloudWatchOptions::default().with_level(Some(MetricsLevel::Summary)).with_dimensions([Dimension::Operation]);
    let sink = sink(&server, options);
    record_shards(&sink, 10);
    sink.record(&of_shard(0, 100.0).detailed());
    sink.publish().await;
    let requests = server.requests();
    assert_eq!(requests[0].datums.len(), 1);
    assert_eq!(requests[0].datums[0].sum, 10.0);
    assert_eq!(requests[0].datums[0].dimensions, BTreeMap::from([("Operation".to_owned(), "ProcessTask".to_owned())]));
}

#[tokio::test]
async fn a_request_carries_at_most_a_thousand_metrics() {
    let server = CloudWatchServer::start([]).await;
    let sink = sink(&server, CloudWatchOptions::default());
    record_shards(&sink, 2_500);
    sink.publish().await;
    let requests = server.requests();
    assert_eq!(requests.iter().map(|request| request.datums.len()).collect::<Vec<_>>(), [1000, 1000, 500]);
    let shards: BTreeSet<&str> =
        requests.iter().flat_map(|request| &request.datums).map(|datum| datum.dimensions["ShardId"].as_str()).collect();
    assert_eq!(shards.len(), 2_500);
    assert_eq!(sink.waiting(), 0);
}

#[tokio::test]
async fn a_request_stays_below_a_megabyte() {
    let server = CloudWatchServer::start([]).await;
    let sink = sink(&server, CloudWatchOptions::default());
    let worker = WorkerId::new("w".repeat(3_000));
    for index in 0..1_000 {
        sink.record(&of_shard(index, 1.0).of_worker(&worker));
    }
    sink.publish().await;
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    assert!(requests.iter().all(|request| request.bytes <= 1_000_000), "{requests:?}");
    assert!(requests[0].bytes > 800_000, "the limit is used: {}", requests[0].bytes);
    assert_eq!(sum(&requests), 1_000.0);
    assert_eq!(requests[0].datums[0].dimensions["WorkerIdentifier"].len(), 1024);
}

#[tokio::test]
async fn an_outage_loses_no_sum() {
    let unavailable = Order::Refuse(503, "InternalServiceError");
    let throttled = Order::Refuse(400, "Throttling");
    let denied = Order::Refuse(403, "AccessDenied");
    let server = CloudWatchServer::start([unavailable, throttled, denied]).await;
    let sink = sink(&server, CloudWatchOptions::default());
    for round in 1..=3 {
        record_shards(&sink, 1_500);
        sink.publish().await;
        assert_eq!((sink.waiting(), server.requests().len()), (1_500, round), "a call ends at the first failure");
    }
    sink.publish().await;
    let delivered = &server.requests()[3..];
    assert_eq!(delivered.iter().map(|request| request.datums.len()).collect::<Vec<_>>(), [1000, 500]);
    assert_eq!(sum(delivered), 4_500.0);
    assert!(delivered.iter().flat_map(|request| &request.datums).all(|datum| datum.count == 3.0));
    assert_eq!(sink.dropped(), Dropped::default());
}

#[tokio::test]
async fn an_endpoint_that_is_gone_drops_the_oldest_beyond_the_bound() {
    let server = CloudWatchServer::start([Order::Refuse(500, "InternalServiceError")]).await;
    let sink = sink(&server, CloudWatchOptions::default().with_metrics_max(3));
    record_shards(&sink, 3);
    sink.publish().await;
    assert_eq!((sink.waiting(), sink.dropped().total()), (3, 0), "the bound is not passed yet");
    for index in 3..5 {
        sink.record(&of_shard(index, 1.0));
    }
    assert_eq!((sink.waiting(), sink.dropped().overflow), (3, 2));
    sink.publish().await;
    let sent: Vec<String> = server.requests()[1].datums.iter().map(|datum| datum.dimensions["ShardId"].clone()).collect();
    assert_eq!(sent, ["shardId-000000000002", "shardId-000000000003", "shardId-000000000004"]);
}

#[tokio::test]
async fn a_request_refused_for_its_content_does_not_hold_up_the_next() {
    let server = CloudWatchServer::start([Order::Refuse(400, "InvalidParameterValue"), Order::Refuse(413, "TooLarge")]).await;
    let sink = sink(&server, CloudWatchOptions::default());
    record_shards(&sink, 2_001);
    sink.publish().await;
    assert_eq!(server.requests().len(), 3);
    assert_eq!(sink.waiting(), 0);
    assert_eq!(sink.dropped().rejected, 2_000);
}

#[tokio::test]
async fn a_cancelled_publish_loses_nothing_and_recording_goes_on_meanwhile() {
    let server = CloudWatchServer::start([Order::Hang]).await;
    let sink = Arc::new(sink(&server, CloudWatchOptions::default()));
    record_shards(&sink, 2);
    let publishing = tokio::spawn({
        let sink = Arc::clone(&sink);
        async move { sink.publish().await }
    });
    server.arrival().await;
    record_shards(&sink, 3);
    publishing.abort();
    assert!(publishing.await.unwrap_err().is_cancelled());
    assert_eq!(sink.waiting(), 3);
    sink.publish().await;
    assert_eq!(sum(&server.requests()[1..]), 5.0);
}

#[tokio::test]
async fn a_configuration_without_a_behaviour_version_works() {
    let server = CloudWatchServer::start([Order::Refuse(500, "InternalServiceError"), Order::Accept]).await;
    let config = SdkConfig::builder()
        .region(Region::new("us-east-1"))
        .endpoint_url(&server.endpoint)
        .credentials_provider(SharedCredentialsProvider::new(credentials()))
        .build();
    let sink = CloudWatchSink::from_config(&config, "my-app");
    assert_eq!(sink.period(), Duration::from_secs(10));
    sink.record(&Measurement::count("TakeLeases", "TakenLeases", 1.0));
    sink.publish().await;
    assert_eq!((server.requests().len(), sink.waiting()), (1, 1), "a failure is left to the next call");
    sink.publish().await;
    assert_eq!((server.requests().len(), sink.waiting()), (2, 0));
}

#[tokio::test]
async fn a_dead_endpoint_is_survived() {
    let config = SdkConfig::builder()
        .region(Region::new("us-east-1"))
        .endpoint_url("http://127.0.0.1:1")
        .credentials_provider(SharedCredentialsProvider::new(credentials()))
        .build();
    let sink = CloudWatchSink::from_config(&config, "my-app");
    record_shards(&sink, 2);
    sink.publish().await;
    assert_eq!((sink.waiting(), sink.dropped().total()), (2, 0));
}
