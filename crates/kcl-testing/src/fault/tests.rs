use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use kcl_core::{
    Checkpoint, Lease, LeaseStore, LeaseWrite, ReadPosition, ShardFilter, ShardId, ShardReader, StreamReader, Verb, WriteOutcome,
};

use super::*;
use crate::{MemoryLeaseStore, MemoryStream};

fn create(key: &str) -> LeaseWrite {
    LeaseWrite::create(Lease::new(key.into(), Checkpoint::TrimHorizon))
}

fn store() -> (MemoryLeaseStore, FaultyStore) {
    let memory = MemoryLeaseStore::new();
    (memory.clone(), FaultyStore::over(std::sync::Arc::new(memory)))
}

/// Polls once.
async fn is_pending(future: &mut (impl Future + Unpin)) -> bool {
    poll_fn(|context| Poll::Ready(std::pin::Pin::new(&mut *future).poll(context).is_pending())).await
}

#[tokio::test]
async fn faults_before_the_call_change_nothing() {
    let (memory, store) = store();
    for (fault, kind) in [
        (Fault::Throttle, ErrorKind::Throttled),
        (Fault::FailBefore(ErrorKind::Denied), ErrorKind::Denied),
        (Fault::ApplyLate, ErrorKind::Indeterminate),
    ] {
        let handle = store.faults().next(StoreCall::Write(Verb::Create), fault);
        assert_eq!(handle.hits(), 0);
        assert_eq!(store.write(&create("a")).await.unwrap_err().kind(), kind);
        assert_eq!((handle.hits(), memory.leases().len()), (1, 0), "{fault:?}");
    }
    assert_eq!(store.faults().outstanding(), 0);
    assert!(matches!(store.apply_late().await[..], [Ok(WriteOutcome::Applied(_))]));
    assert_eq!((memory.leases().len(), store.apply_late().await.len()), (1, 0));
}

#[tokio::test]
async fn a_lost_reply_is_applied_and_says_that_it_may_be() {
    let (memory, store) = store();
    store.faults().every(StoreCall::AnyWrite, Fault::LoseReply);
    store.faults().next(StoreCall::Scan, Fault::LoseReply);
    let error = store.write(&create("a")).await.unwrap_err();
    assert_eq!((error.kind(), error.operation(), error.subject()), (ErrorKind::Indeterminate, "create", "a"));
    assert_eq!(memory.leases().len(), 1);
    assert_eq!(store.scan().await.unwrap_err().kind(), ErrorKind::Unavailable, "a scan has no effect");
    store.faults().clear();
    assert!(store.write(&create("b")).await.is_ok());
}

#[tokio::test]
async fn faults_are_for_the_nth_call_on_their_subject() {
    let (_, store) = store();
    store.faults().nth(StoreCall::Get.of("a"), 2, Fault::Throttle);
    store.faults().next(StoreCall::Get, Fault::FailBefore(ErrorKind::Unavailable));
    let mut kinds = Vec::new();
    for key in ["b", "a", "b", "a", "a"] {
        kinds.push(store.get(&key.into()).await.err().map(|error| error.kind()));
    }
    assert_eq!(kinds, [Some(ErrorKind::Unavailable), None, None, Some(ErrorKind::Throttled), None]);
}

#[tokio::test]
async fn a_delayed_write_begins_when_it_is_released() {
    let (memory, store) = store();
    let create = create("a");
    let delay = store.faults().next(StoreCall::AnyWrite, Fault::Delay);
    let mut write = store.write(&create);
    assert!(is_pending(&mut write).await);
    delay.reached().await;
    assert!(memory.leases().is_empty());
    delay.release();
    assert!(matches!(write.await, Ok(WriteOutcome::Applied(_))));

    let delay = store.faults().next(StoreCall::AnyWrite, Fault::Delay);
    let remove = memory.remove("a");
    let mut write = store.write(&create);
    assert!(is_pending(&mut write).await);
    drop(write);
    delay.release();
    assert!(remove.is_some() && memory.leases().is_empty(), "a write that was dropped before it began never happened");
}

#[tokio::test]
async fn a_delayed_reply_comes_after_the_effect() {
    let (memory, store) = store();
    let delay = store.faults().next(StoreCall::AnyWrite, Fault::DelayReply);
    let create = create("a");
    let mut write = store.write(&create);
    assert!(is_pending(&mut write).await);
    assert_eq!(memory.leases().len(), 1);
    delay.release();
    assert!(write.await.is_ok());
}

#[tokio::test]
async fn reached_waits_for_the_call() {
    let (_, store) = store();
    let fault = store.faults().next(StoreCall::Prepare, Fault::Throttle);
    let mut reached = pin!(fault.reached());
    assert!(is_pending(&mut reached).await);
    assert!(store.prepare().await.is_err());
    reached.await;
}

fn stream(records: usize) -> FaultyStream {
    let memory = MemoryStream::new("s", 1);
    memory.set_records_per_read(1);
    for n in 0..records {
        memory.put("k", n.to_string());
    }
    FaultyStream::new(memory)
}

async fn open(stream: &FaultyStream) -> Box<dyn ShardReader> {
    let shard = ShardId::from("shardId-000000000000");
    stream.open(&shard, &ReadPosition::TrimHorizon).await.unwrap()
}

async fn next(reader: &mut Box<dyn ShardReader>) -> Vec<String> {
    let event = reader.next().await.unwrap();
    event.records.iter().map(|record| String::from_utf8_lossy(&record.data).into_owned()).collect()
}

#[tokio::test]
async fn no_fault_of_a_reader_skips_a_record() {
    let stream = stream(6);
    let mut reader = open(&stream).await;
    for fault in [Fault::Throttle, Fault::LoseReply, Fault::FailBefore(ErrorKind::Expired), Fault::ApplyLate] {
        stream.faults().next(StreamCall::Next.of("shardId-000000000000"), fault);
        assert!(reader.next().await.is_err(), "{fault:?}");
    }
    assert_eq!(next(&mut reader).await, ["0"]);
    for (fault, expected) in [(Fault::Delay, "1"), (Fault::DelayReply, "2")] {
        let delay = stream.faults().next(StreamCall::Next, fault);
        let mut read = reader.next();
        assert!(is_pending(&mut read).await, "{fault:?}");
        delay.release();
        assert_eq!(read.await.unwrap().records[0].data, expected, "{fault:?}");
    }
    let delay = stream.faults().next(StreamCall::Next, Fault::DelayReply);
    let mut dropped = reader.next();
    assert!(is_pending(&mut dropped).await);
    drop(dropped);
    assert!(is_pending(&mut reader.next()).await, "its answer is still held back");
    delay.release();
    assert_eq!(next(&mut reader).await, ["3"]);
    assert_eq!(next(&mut reader).await, ["4"]);
    assert!(stream.lost_records().is_empty());
}

#[tokio::test]
async fn listing_and_opening_fail_as_planned() {
    let stream = stream(0);
    stream.faults().next(StreamCall::ListShards, Fault::LoseReply);
    stream.faults().next(StreamCall::Open.of("other"), Fault::Throttle);
    let error = stream.list_shards(ShardFilter::All).await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Unavailable, "list_shards"));
    assert_eq!(stream.list_shards(ShardFilter::All).await.unwrap().len(), 1);
    open(&stream).await;
    assert_eq!(stream.faults().outstanding(), 1);
}

#[tokio::test]
async fn a_lost_record_stays_lost() {
    let stream = stream(4);
    stream.lose_record(2);
    stream.lose_records_where(|_, record| record.data == "3");
    for _ in 0..2 {
        let mut reader = open(&stream).await;
        let mut read = Vec::new();
        for _ in 0..4 {
            read.extend(next(&mut reader).await);
        }
        assert_eq!(read, ["0", "2"]);
    }
    assert_eq!(stream.lost_records().len(), 2);
}
