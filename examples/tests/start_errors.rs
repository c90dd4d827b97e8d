//! What goes wrong at the start of a consumer, on the path through the AWS SDK: each a typed error that says what to do.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_dynamodb::types::{AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType};
use kcl::{Checkpointer, Consumer, ConsumerBuilder, ErrorKind, KinesisClientRecord, LeaseConfig, ManagementConfig};
use kcl::{ShardRecordProcessor, ShardRecordProcessorFactory, StartError, error_chain};
use kcl_examples::local::LocalAws;
use kcl_testing::MemoryStream;

struct Nothing;

#[async_trait]
impl ShardRecordProcessorFactory for Nothing {
    async fn initialize(&self, _: Checkpointer) -> Box<dyn ShardRecordProcessor> {
        Box::new(Self)
    }
}

#[async_trait]
impl ShardRecordProcessor for Nothing {
    async fn process_records(&self, _: Vec<KinesisClientRecord>, _: i64) {}
    async fn lease_lost(&self) {}
    async fn shard_ended(&self) {}
    async fn shutdown_requested(&self) {}
}

async fn refused(builder: ConsumerBuilder) -> (StartError, String) {
    let error = builder.start(Nothing).await.expect_err("it must not start");
    let chain = error_chain(&error);
    (error, chain)
}

fn store_kind(error: &StartError) -> Option<ErrorKind> {
    if let StartError::Store(error) = error { Some(error.kind()) } else { None }
}

fn stream_kind(error: &StartError) -> Option<ErrorKind> {
    if let StartError::Stream(error) = error { Some(error.kind()) } else { None }
}

#[tokio::test]
async fn a_stream_that_does_not_exist() {
    let local = LocalAws::start(0, 0).unwrap();
    let (error, chain) = refused(Consumer::builder("leases", "no-such-stream").aws_config(&local.sdk_config())).await;
    assert_eq!(stream_kind(&error), Some(ErrorKind::NotFound), "{chain}");
    assert!(chain.contains("no-such-stream") && chain.contains("region"), "{chain}");
    let tables = aws_sdk_dynamodb::Client::new(&local.sdk_config()).list_tables().send().await.unwrap();
    assert!(tables.table_names().is_empty(), "no lease table is left behind");
}

#[tokio::test]
async fn an_endpoint_where_nobody_listens() {
    let local = LocalAws::start(0, 0).unwrap();
    let config = local.sdk_config();
    drop(local);
    let stream = MemoryStream::new("stream", 1);
    let builder = Consumer::builder("leases", "stream").aws_config(&config).start_timeout(Duration::from_secs(1));
    let (error, chain) = refused(builder).await;
    assert_eq!(stream_kind(&error), Some(ErrorKind::Unavailable), "{chain}");
    assert!(chain.contains("endpoint") && chain.to_lowercase().contains("refused"), "{chain}");
    let builder = Consumer::builder("leases", "stream").aws_config(&config).start_timeout(Duration::from_secs(1));
    let (error, chain) = refused(builder.stream_reader(stream)).await;
    assert_eq!(store_kind(&error), Some(ErrorKind::Unavailable), "{chain}");
    assert!(chain.contains("endpoint") && chain.to_lowercase().contains("refused"), "{chain}");
}

#[tokio::test]
async fn a_table_that_is_not_a_lease_table() {
    let local = LocalAws::start(0, 0).unwrap();
    local.create_stream("stream", 1).await.unwrap();
    let client = aws_sdk_dynamodb::Client::new(&local.sdk_config());
    client
        .create_table()
        .table_name("orders")
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(
            AttributeDefinition::builder().attribute_name("order").attribute_type(ScalarAttributeType::S).build().unwrap(),
        )
        .key_schema(KeySchemaElement::builder().attribute_name("order").key_type(KeyType::Hash).build().unwrap())
        .send()
        .await
        .unwrap();
    let (error, chain) = refused(Consumer::builder("orders", "stream").aws_config(&local.sdk_config())).await;
    assert_eq!(store_kind(&error), Some(ErrorKind::Invalid), "{chain}");
    assert!(chain.contains("orders") && chain.contains("leaseKey"), "{chain}");
}

#[tokio::test]
async fn settings_outside_their_bounds() {
    let local = LocalAws::start(0, 0).unwrap();
    let aws = local.sdk_config();
    let builder = || Consumer::builder("leases", "stream").aws_config(&aws);
    let management = |leases_to_acquire, max_leases| ManagementConfig { leases_to_acquire, max_leases, ..Default::default() };
    let cases = [
        ("limit", builder().lease(LeaseConfig::PollingConfig { limit: 0 })),
        ("limit", builder().lease(LeaseConfig::PollingConfig { limit: 10_001 })),
        ("leases_to_acquire", builder().management(management(0, 1))),
        ("max_leases", builder().management(management(1, 0))),
        ("application", Consumer::builder("", "stream").aws_config(&aws)),
        ("stream", Consumer::builder("leases", " ").aws_config(&aws)),
        ("worker_id", builder().worker_id("")),
    ];
    for (setting, builder) in cases {
        let (error, chain) = refused(builder).await;
        assert!(matches!(&error, StartError::Config(error) if error.setting == setting), "{setting}: {chain}");
    }
}

#[tokio::test]
async fn nothing_to_keep_leases_in() {
    let (error, chain) = refused(Consumer::builder("leases", "stream")).await;
    assert!(matches!(error, StartError::MissingBackend { .. }), "{chain}");
    assert!(chain.contains("aws_config"), "{chain}");
}
