//! The code of the README: it compiles, its tests pass, and the README shows it as it stands here.
#![allow(clippy::disallowed_methods, clippy::print_stdout, dead_code, reason = "a user's code")]

use async_trait::async_trait;
use kcl::{Checkpointer, Consumer, KinesisClientRecord, ManagementConfig, StartStrategy};
use kcl::{ShardRecordProcessor, ShardRecordProcessorFactory};

struct Factory;
struct Processor(Checkpointer);

#[async_trait]
impl ShardRecordProcessorFactory for Factory {
    async fn initialize(&self, checkpointer: Checkpointer) -> Box<dyn ShardRecordProcessor> {
        Box::new(Processor(checkpointer))
    }
}

#[async_trait]
impl ShardRecordProcessor for Processor {
    async fn process_records(&self, records: Vec<KinesisClientRecord>, _millis_behind_latest: i64) {
        for record in &records {
            println!("{}: {:?}", record.record.partition_key, record.record.data.as_ref());
        }
        if let Some(last) = records.last() {
            let _ = self.0.checkpoint(last.extended_sequence_number()).await; // log the error: it says what to do
        }
    }
    async fn lease_lost(&self) {}
    async fn shard_ended(&self) {
        let _ = self.0.end().await;
    }
    async fn shutdown_requested(&self) {}
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let aws = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
    let oldest = ManagementConfig { start_strategy: StartStrategy::Oldest, ..ManagementConfig::default() };
    let builder = Consumer::builder("my-app-leases", "my-stream").aws_config(&aws);
    let consumer = builder.management(oldest).start(Factory).await?;
    consumer.wait().await?;
    Ok(())
}

#[tokio::test]
async fn checkpoints_each_batch_and_the_end_of_the_shard() {
    let mut shard = kcl_testing::TestShard::new();
    let processor = Factory.initialize(shard.checkpointer()).await;
    processor.process_records(shard.records(["first", "second"]), 0).await;
    assert!(shard.is_fully_checkpointed());
    shard.end();
    processor.shard_ended().await;
    assert!(shard.checkpoint().is_shard_end());
}

#[tokio::test]
async fn checkpoints_what_it_consumes() -> Result<(), Box<dyn std::error::Error>> {
    let (stream, leases) = (kcl_testing::MemoryStream::new("orders", 2), kcl_testing::MemoryLeaseStore::new());
    stream.put("customer", b"order");
    let oldest = ManagementConfig { start_strategy: StartStrategy::Oldest, ..ManagementConfig::default() };
    let builder = Consumer::builder("leases", "orders").stream_reader(stream.clone()).lease_store(leases.clone());
    let consumer = builder.management(oldest).start(Factory).await?;
    leases.wait_until(|leases| leases.iter().any(|lease| lease.checkpoint.position().is_some())).await;
    consumer.shutdown().await?;
    Ok(())
}

#[test]
fn survives_a_fleet() {
    kcl_testing::Fleet::new().seeds(0..10).run(|_world| Factory).assert_clean();
}

#[test]
fn the_readme_shows_this_code() {
    let (readme, here) = (include_str!("../../../README.md"), include_str!("readme.rs"));
    let blocks: Vec<&str> = readme.split("```rust\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert_eq!(blocks.len(), 4);
    for block in blocks {
        assert!(here.contains(block.trim_end()), "not as in tests/readme.rs:\n{block}");
    }
}
