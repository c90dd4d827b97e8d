use std::error::Error;

use kcl_core::{
    Lease, LeaseKey, LeaseStore, LeaseWrite, ReadPosition, Record, ShardEvent, ShardId, ShardReader, WriteOutcome, error_chain,
};

use super::stream_reader::StreamFixture;

/// How often a case asks again for what may take a backend some time to show.
pub(super) const ATTEMPTS: usize = 200;

#[track_caller]
pub(super) fn must<T, E: Error + 'static>(result: Result<T, E>, doing: impl std::fmt::Display) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{doing}: {}", error_chain(&error)),
    }
}

/// The row as it compares: parents and children are sets.
pub(super) fn canonical(mut lease: Lease) -> Lease {
    lease.parents.sort();
    lease.children.sort();
    lease
}

pub(super) async fn get(store: &dyn LeaseStore, key: &LeaseKey) -> Option<Lease> {
    must(store.get(key).await, format_args!("get {key}")).map(canonical)
}

pub(super) async fn write(store: &dyn LeaseStore, write: &LeaseWrite) -> WriteOutcome {
    match must(store.write(write).await, format_args!("{} {}", write.verb().name(), write.key())) {
        WriteOutcome::Applied(lease) => WriteOutcome::Applied(canonical(lease)),
        WriteOutcome::Rejected { current } => WriteOutcome::Rejected { current: current.map(canonical) },
    }
}

/// The row after a write that must be applied, which is also the row that is stored then.
pub(super) async fn applied(store: &dyn LeaseStore, sent: &LeaseWrite) -> Lease {
    match write(store, sent).await {
        WriteOutcome::Applied(lease) => {
            assert_eq!(get(store, sent.key()).await.as_ref(), Some(&lease), "the answer is not what is stored: {sent:?}");
            lease
        }
        WriteOutcome::Rejected { current } => panic!("rejected: {sent:?}, current row: {current:?}"),
    }
}

/// Sends a write that must be rejected with `current`, and change nothing.
pub(super) async fn rejected(store: &dyn LeaseStore, sent: &LeaseWrite, current: Option<&Lease>) {
    match write(store, sent).await {
        WriteOutcome::Applied(lease) => panic!("applied: {sent:?}, row: {lease:?}"),
        WriteOutcome::Rejected { current: said } => assert_eq!(said.as_ref(), current, "the row it was rejected with: {sent:?}"),
    }
    assert_eq!(get(store, sent.key()).await.as_ref(), current, "a rejected write changed the row: {sent:?}");
}

pub(super) async fn open(fixture: &dyn StreamFixture, shard: &ShardId, position: &ReadPosition) -> Box<dyn ShardReader> {
    must(fixture.reader().open(shard, position).await, format_args!("open {shard} at {position:?}"))
}

pub(super) async fn next(reader: &mut dyn ShardReader) -> ShardEvent {
    must(reader.next().await, "next")
}

/// Reads until there are `count` records; more in the same event come too.
pub(super) async fn read(reader: &mut dyn ShardReader, count: usize) -> Vec<Record> {
    let mut records = Vec::new();
    for _ in 0..ATTEMPTS {
        if records.len() >= count {
            return records;
        }
        let event = next(reader).await;
        records.extend(event.records);
        assert!(event.end.is_none() || records.len() >= count, "the shard ended after {} of {count} records", records.len());
    }
    panic!("{} of {count} records after {ATTEMPTS} reads", records.len());
}

pub(super) fn payloads(records: &[Record]) -> Vec<String> {
    records.iter().map(|record| String::from_utf8_lossy(&record.data).into_owned()).collect()
}
