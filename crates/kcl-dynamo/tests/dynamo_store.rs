//! The store against a DynamoDB-compatible server in the same process.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "the server needs a task")]

use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider};
use aws_sdk_dynamodb::types::{AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType};
use aws_types::SdkConfig;
use kcl_core::{
    Checkpoint, ErrorKind, HashKeyRange, Lease, LeaseCounter, LeaseKey, LeaseStore, LeaseWrite, PendingCheckpoint, StoreError,
    TenureToken, WorkerId, WriteOutcome,
};
use kcl_dynamo::DynamoLeaseStore;
use tokio::sync::oneshot;

const TABLE: &str = "my-app-leases";

/// A server with an empty database; it stops with the test.
struct Server {
    sdk: SdkConfig,
    _stop: oneshot::Sender<()>,
}

impl Server {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        let database = dynoxide::Database::memory().unwrap();
        tokio::spawn(dynoxide::server::serve_with_shutdown(listener, database, async {
            let _closed = stopped.await;
        }));
        let credentials = Credentials::new("id", "secret", None, None, "test");
        let sdk = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .endpoint_url(endpoint)
            .build();
        Self { sdk, _stop: stop }
    }

    fn store(&self) -> DynamoLeaseStore {
        DynamoLeaseStore::from_config(&self.sdk, TABLE)
    }

    fn client(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(&self.sdk)
    }

    async fn prepared(&self) -> DynamoLeaseStore {
        let store = self.store();
        prepare(&store).await.unwrap();
        store
    }

    async fn row(&self, key: &str) -> std::collections::BTreeMap<String, AttributeValue> {
        let answer = self.client().get_item().table_name(TABLE).key("leaseKey", text(key)).send().await.unwrap();
        answer.item.into_iter().flatten().collect()
    }
}

/// Prepares until the table is active; every refusal on the way must be `NotReady`.
async fn prepare(store: &DynamoLeaseStore) -> Result<(), StoreError> {
    for _ in 0..10_000 {
        match store.prepare().await {
            Err(error) if error.kind() == ErrorKind::NotReady => {}
            answer => return answer,
        }
    }
    panic!("the table is never ready")
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn lease(key: &str) -> Lease {
    Lease::new(LeaseKey::from(key), Checkpoint::TrimHorizon)
}

async fn applied(store: &DynamoLeaseStore, write: LeaseWrite) -> Lease {
    match store.write(&write).await.unwrap() {
        WriteOutcome::Applied(lease) => lease,
        WriteOutcome::Rejected { current } => panic!("{} was rejected: {current:?}", write.verb().name()),
    }
}

#[tokio::test]
async fn preparing_creates_the_table_once() {
    let server = Server::start().await;
    let store = server.store();
    assert_eq!(store.scan().await.unwrap_err().kind(), ErrorKind::NotFound);
    prepare(&store).await.unwrap();
    let _applied = applied(&store, LeaseWrite::create(lease("a"))).await;
    store.prepare().await.unwrap();
    assert_eq!(store.scan().await.unwrap().leases, [lease("a")], "preparing again leaves the rows alone");

    let described = server.client().describe_table().table_name(TABLE).send().await.unwrap();
    let table = described.table().unwrap();
    assert_eq!(table.billing_mode_summary().unwrap().billing_mode(), Some(&BillingMode::PayPerRequest));
    assert_eq!(table.key_schema().len(), 1);
}

#[tokio::test]
async fn a_table_of_another_shape_is_refused() {
    let server = Server::start().await;
    let attribute =
        |name: &str| AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S).build().unwrap();
    let key = |name: &str, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap();
    let create = server.client().create_table().table_name(TABLE).billing_mode(BillingMode::PayPerRequest);
    let create = create.attribute_definitions(attribute("leaseKey")).attribute_definitions(attribute("version"));
    let create = create.key_schema(key("leaseKey", KeyType::Hash)).key_schema(key("version", KeyType::Range));
    create.send().await.unwrap();

    let error = prepare(&server.store()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("found=\"leaseKey HASH S, version RANGE S\""), "{error}");
    assert!(error.to_string().contains("choose another application name or remove the table"), "{error}");
}

#[tokio::test]
async fn rows_that_are_no_leases_do_no_harm() {
    let server = Server::start().await;
    let store = server.prepared().await;
    let _applied = applied(&store, LeaseWrite::create(lease("good"))).await;
    let put = || server.client().put_item().table_name(TABLE);
    put().item("leaseKey", text("broken")).item("checkpoint", text("LATEST")).send().await.unwrap();
    put().item("leaseKey", text("stream")).item("entityType", text("STREAM")).send().await.unwrap();
    // As KCL 3.5 moves them here from its coordinator table.
    put().item("leaseKey", text("Leader")).item("ownerName", text("java")).send().await.unwrap();
    put().item("leaseKey", text("Migration3.0")).item("cv", text("CLIENT_VERSION_2X")).send().await.unwrap();

    let scan = store.scan().await.unwrap();
    assert_eq!(scan.leases, [lease("good")]);
    assert_eq!(scan.unreadable.len(), 1);
    assert_eq!(scan.unreadable[0].key, "broken");

    assert_eq!(store.get(&"broken".into()).await.unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(store.get(&"stream".into()).await.unwrap(), None);
    assert_eq!(store.get(&"absent".into()).await.unwrap(), None);

    for key in ["broken", "stream", "absent"] {
        let before = server.row(key).await;
        for write in every_update(&lease(key)) {
            let outcome = store.write(&write).await.unwrap();
            assert_eq!(outcome, WriteOutcome::Rejected { current: None }, "{} {key}", write.verb().name());
        }
        assert_eq!(server.row(key).await, before, "nothing was changed or created");
    }
    for key in ["broken", "stream"] {
        let outcome = store.write(&LeaseWrite::create(lease(key))).await.unwrap();
        assert_eq!(outcome, WriteOutcome::Rejected { current: None });
    }
}

fn every_update(seen: &Lease) -> Vec<LeaseWrite> {
    let pending = PendingCheckpoint { checkpoint: Checkpoint::ShardEnd, state: Some("state".into()) };
    vec![
        LeaseWrite::renew(seen),
        LeaseWrite::take(seen, &"me".into(), TenureToken::new(7)),
        LeaseWrite::prepare_checkpoint(seen, pending),
        LeaseWrite::checkpoint(seen, Checkpoint::ShardEnd),
        LeaseWrite::release(seen),
        LeaseWrite::describe_children(&seen.key, vec!["child".into()]),
        LeaseWrite::describe_hash_range(&seen.key, HashKeyRange::FULL),
        LeaseWrite::delete(&Lease { checkpoint: Checkpoint::ShardEnd, ..seen.clone() }),
    ]
}

#[tokio::test]
async fn unknown_attributes_survive_every_verb() {
    let server = Server::start().await;
    let store = server.prepared().await;
    let foreign = [
        ("throughputKBps", AttributeValue::N("0.5".to_owned())),
        ("entityType", text("LEASE")),
        ("streamName", text("123456789012:orders:1700000000")),
        ("ours-and-yours", AttributeValue::L(vec![AttributeValue::Null(true)])),
    ];
    let mut put = server.client().put_item().table_name(TABLE).item("leaseKey", text("a"));
    put = put.item("checkpoint", text("LATEST")).item("leaseCounter", AttributeValue::N("5".to_owned()));
    for (attribute, value) in foreign.clone() {
        put = put.item(attribute, value);
    }
    put.send().await.unwrap();

    let mut seen = store.get(&"a".into()).await.unwrap().unwrap();
    for step in 0..every_update(&seen).len() - 1 {
        let write = every_update(&seen).remove(step);
        let after = applied(&store, write.clone()).await;
        assert_eq!(Some(&after), write.apply(Some(&seen)).unwrap().as_ref(), "{}", write.verb().name());
        assert_eq!(store.get(&"a".into()).await.unwrap().as_ref(), Some(&after));
        let row = server.row("a").await;
        for (attribute, value) in &foreign {
            assert_eq!(row.get(*attribute), Some(value), "{attribute} after {}", write.verb().name());
        }
        seen = after;
    }
    assert_eq!(applied(&store, LeaseWrite::delete(&seen)).await, seen);
    assert_eq!(server.row("a").await.len(), 0);
}

#[tokio::test]
async fn a_missing_count_of_owner_switches_counts_as_zero() {
    let server = Server::start().await;
    let store = server.prepared().await;
    let put = server.client().put_item().table_name(TABLE).item("leaseKey", text("a")).item("checkpoint", text("LATEST"));
    put.item("leaseCounter", AttributeValue::N("0".to_owned())).item("leaseOwner", text("you")).send().await.unwrap();
    let seen = store.get(&"a".into()).await.unwrap().unwrap();
    let taken = applied(&store, LeaseWrite::take(&seen, &"me".into(), TenureToken::new(7))).await;
    assert_eq!((taken.owner_switches, taken.owner), (1, Some(WorkerId::from("me"))));
}

#[tokio::test]
async fn a_hash_range_that_is_half_there_can_be_completed() {
    let server = Server::start().await;
    let store = server.prepared().await;
    let put = server.client().put_item().table_name(TABLE).item("leaseKey", text("a")).item("checkpoint", text("LATEST"));
    let put = put.item("leaseCounter", AttributeValue::N("0".to_owned())).item("startingHashKey", text("7"));
    put.item("endingHashKey", text("")).send().await.unwrap();
    let write = LeaseWrite::describe_hash_range(&"a".into(), HashKeyRange::FULL);
    assert_eq!(applied(&store, write.clone()).await.hash_range, Some(HashKeyRange::FULL));
    let again = store.write(&write).await.unwrap();
    assert!(matches!(again, WriteOutcome::Rejected { current: Some(lease) } if lease.hash_range == Some(HashKeyRange::FULL)));
}

#[tokio::test]
async fn an_empty_state_and_an_empty_list_of_children_are_no_failure() {
    let server = Server::start().await;
    let store = server.prepared().await;
    let seen = applied(&store, LeaseWrite::create(lease("a"))).await;
    let pending = PendingCheckpoint { checkpoint: Checkpoint::ShardEnd, state: Some(bytes::Bytes::new()) };
    let after = applied(&store, LeaseWrite::prepare_checkpoint(&seen, pending.clone())).await;
    assert_eq!(after.pending, Some(pending));
    assert_eq!(applied(&store, LeaseWrite::describe_children(&seen.key, vec![])).await, after);
    assert!(!server.row("a").await.contains_key("childShardIds"));
}

#[tokio::test]
async fn leases_of_more_than_a_page_are_all_found() {
    let server = Server::start().await;
    let store = server.prepared().await;
    // 2.4 MB, and a page is at most 1 MB.
    let state = bytes::Bytes::from(vec![7; 40_000]);
    let mut expected = Vec::new();
    for shard in 0..60 {
        let pending = Some(PendingCheckpoint { checkpoint: Checkpoint::Latest, state: Some(state.clone()) });
        let created = applied(&store, LeaseWrite::create(Lease { pending, ..lease(&format!("shardId-{shard:012}")) })).await;
        expected.push(created);
    }
    let mut found = store.scan().await.unwrap().leases;
    found.sort_by(|a, b| a.key.cmp(&b.key));
    assert!(found == expected, "{} of {} leases, or not the same", found.len(), expected.len());
}

/// Rows that differ in everything that a condition asks for. Every fourth is one that a writer saw.
fn kinds_of_rows() -> Vec<Lease> {
    let pending = PendingCheckpoint { checkpoint: Checkpoint::from_text("12", 3).unwrap(), state: Some("state".into()) };
    let base = lease("a");
    let owned = Lease { owner: Some("me".into()), counter: LeaseCounter::new(7), owner_switches: 2, ..base.clone() };
    vec![
        owned.clone(),
        Lease { owner: Some("you".into()), ..owned.clone() },
        Lease { counter: LeaseCounter::new(8), ..owned.clone() },
        Lease { owner: None, ..owned.clone() },
        Lease { checkpoint: Checkpoint::ShardEnd, children: vec!["b".into(), "c".into()], ..owned.clone() },
        Lease { checkpoint: Checkpoint::ShardEnd, owner: None, ..owned.clone() },
        Lease { hash_range: Some(HashKeyRange::FULL), parents: vec!["z".into()], ..owned.clone() },
        Lease { pending: Some(pending), checkpoint_owner: Some("you".into()), ..owned },
        base,
    ]
}

#[tokio::test]
async fn every_verb_on_every_row_does_what_the_reference_semantics_say() {
    let server = Server::start().await;
    let (store, client) = (server.prepared().await, server.client());
    let mut currents: Vec<Option<Lease>> = kinds_of_rows().into_iter().map(Some).collect();
    currents.push(None);
    for seen in kinds_of_rows().into_iter().step_by(4) {
        let mut writes = every_update(&seen);
        writes.extend([LeaseWrite::create(seen.clone()), LeaseWrite::delete(&seen)]);
        for write in writes {
            for current in &currents {
                client.delete_item().table_name(TABLE).key("leaseKey", text("a")).send().await.unwrap();
                if let Some(row) = current {
                    assert_eq!(&applied(&store, LeaseWrite::create(row.clone())).await, row);
                }
                let expected = match write.apply(current.as_ref()) {
                    Ok(Some(after)) => (WriteOutcome::Applied(after.clone()), Some(after)),
                    Ok(None) => (WriteOutcome::Applied(current.clone().unwrap()), None),
                    Err(_) => (WriteOutcome::Rejected { current: current.clone() }, current.clone()),
                };
                let outcome = store.write(&write).await.unwrap();
                let found = (outcome, store.get(&seen.key).await.unwrap());
                assert_eq!(found, expected, "{write:?} on {current:?}");
            }
        }
    }
}

/// The rules of the seam, as every store must keep them.
mod conformance {
    use kcl_core::LeaseStore;
    use kcl_testing::conformance::lease_store::StoreFixture;

    struct Fixture {
        store: kcl_dynamo::DynamoLeaseStore,
        _server: super::Server,
    }

    impl StoreFixture for Fixture {
        fn store(&self) -> &dyn LeaseStore {
            &self.store
        }
    }

    kcl_testing::lease_store_conformance!(async {
        let server = super::Server::start().await;
        Fixture { store: server.prepared().await, _server: server }
    });
}
