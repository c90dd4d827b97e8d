use std::collections::BTreeMap;

use kcl_core::{Lease, LeaseKey, LeaseStore, LeaseWrite, PendingCheckpoint};

use super::{at, bare, full};
use crate::conformance::check::{ATTEMPTS, applied, canonical, get, must};

/// `scan` gives each of 50 rows once, with all that is stored. Some are large: together they do not fit into one page of
/// a DynamoDB scan, which is 1 MiB.
pub async fn scan_gives_every_row(store: &dyn LeaseStore) {
    let mut expected = BTreeMap::new();
    for number in 0..50 {
        let key = format!("shardId-{number:012}");
        let large = PendingCheckpoint { checkpoint: at(9), state: Some(vec![7; 45_000].into()) };
        let row = if number % 2 == 0 { Lease { pending: Some(large), ..full(&key) } } else { bare(&key) };
        expected.insert(LeaseKey::from(key), applied(store, &LeaseWrite::create(row)).await);
    }
    let mut seen = BTreeMap::new();
    for _ in 0..ATTEMPTS {
        let scan = must(store.scan().await, "scan");
        assert_eq!(scan.unreadable, []);
        let count = scan.leases.len();
        seen = scan.leases.into_iter().map(|lease| (lease.key.clone(), canonical(lease))).collect();
        assert_eq!(seen.len(), count, "a row came twice");
        if seen == expected {
            return;
        }
    }
    let missing: Vec<_> = expected.iter().filter(|(key, row)| seen.get(*key) != Some(row)).map(|(key, _)| key).collect();
    panic!("missing or different after {ATTEMPTS} scans: {missing:?}");
}

/// `get` sees each write that was answered.
pub async fn get_sees_the_last_write(store: &dyn LeaseStore) {
    let mut row = applied(store, &LeaseWrite::create(bare("a"))).await;
    for _ in 0..20 {
        let expected = Lease { counter: row.counter.next(), ..row.clone() };
        must(store.write(&LeaseWrite::renew(&row)).await.map(drop), "renew");
        assert_eq!(get(store, &row.key).await.as_ref(), Some(&expected));
        row = expected;
    }
}
