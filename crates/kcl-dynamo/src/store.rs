use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::{delete_item::DeleteItemError, put_item::PutItemError, update_item::UpdateItemError};
use aws_sdk_dynamodb::types::{ReturnValue, ReturnValuesOnConditionCheckFailure};
use aws_smithy_runtime_api::http::Response;
use kcl_core::{
    Change, ErrorKind, FleetRows, Lease, LeaseKey, LeaseScan, LeaseStore, LeaseWrite, StoreError, UnreadableRow, WriteOutcome,
};

use crate::attributes::{LEASE_KEY, Row};
use crate::decode;
use crate::encode::{self, Unstorable};
use crate::error::{Call, Effect};
use crate::expression::{self, Expressions};
use crate::{client, fleet, table};

/// The lease table of one application in DynamoDB.
///
/// Cloning is cheap; clones share the client.
///
/// A worker id must not be empty: a write that names an empty one is refused as [`ErrorKind::Invalid`]. So is a hash
/// range of a single hash, which Java workers cannot read. Parents and children are stored as sets: they come back in
/// ascending order and without repetitions.
///
/// ```no_run
/// # async fn example(sdk: &aws_types::SdkConfig) -> Result<(), kcl_core::StoreError> {
/// use kcl_core::LeaseStore;
///
/// let store = kcl_dynamo::DynamoLeaseStore::from_config(sdk, "my-app-leases");
/// store.prepare().await?; // `NotReady` until the table can be used: ask again later
/// let leases = store.scan().await?.leases;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct DynamoLeaseStore {
    client: Client,
    table: String,
    coordinator_table: Option<String>,
}

impl DynamoLeaseStore {
    /// A store over `table`, named or by its ARN, with a copy of `client` that never retries.
    ///
    /// Retries are switched off because after one the answer does not tell what the first attempt did; the caller of a
    /// [`LeaseStore`] decides when to try again. Everything else is as `client` has it: the caller should have set
    /// timeouts, because nothing else ends a call.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self::over(client::sending_once(&client), table.into())
    }

    /// A store over `table`, named or by its ARN, with a client made for it alone.
    ///
    /// Region, credentials, endpoint and HTTP client are those of `sdk`. Retries, timeouts (3 s to connect, 10 s for a
    /// call) and the cache of credentials are its own, and so are its connections if `sdk` carries no HTTP client: the
    /// SDK then makes one. So records that are being read never delay a heartbeat.
    pub fn from_config(sdk: &aws_types::SdkConfig, table: impl Into<String>) -> Self {
        Self::over(client::of_its_own(sdk), table.into())
    }

    fn over(client: Client, table: String) -> Self {
        let coordinator_table = fleet::coordinator_table(&table);
        Self { client, table, coordinator_table }
    }

    /// Where KCL 3.0 to 3.4 workers of this table keep the state of their fleet, if their configuration names a table
    /// (`coordinatorStateTableConfig`). Default: `TABLE-CoordinatorState`, as theirs.
    #[must_use]
    pub fn with_coordinator_table(mut self, table: impl Into<String>) -> Self {
        self.coordinator_table = Some(table.into());
        self
    }

    /// The table's name or ARN, as it was given.
    pub fn table(&self) -> &str {
        &self.table
    }

    fn call<'a>(&'a self, operation: &'static str, action: &'static str, subject: &'a str, effect: Effect) -> Call<'a> {
        Call { operation, action, subject, table: &self.table, effect }
    }

    async fn put(&self, lease: &Lease, expressions: Expressions, call: Call<'_>) -> Result<WriteOutcome, StoreError> {
        let row = encode::new_row(lease).map_err(|error| unstorable(call, error))?;
        let mut request = self.client.put_item().table_name(&self.table).condition_expression(expressions.condition);
        for (placeholder, attribute) in expressions.names {
            request = request.expression_attribute_names(placeholder, attribute);
        }
        for (attribute, value) in &row {
            request = request.item(attribute, value.clone());
        }
        // PutItem returns no new row; what was sent is what is stored.
        let request = request.return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match request.send().await {
            Ok(_) => applied(Some(row), call),
            Err(error) => rejected(error, call),
        }
    }

    async fn update(&self, key: &LeaseKey, expressions: Expressions, call: Call<'_>) -> Result<WriteOutcome, StoreError> {
        let mut request = self
            .client
            .update_item()
            .table_name(&self.table)
            .key(LEASE_KEY, encode::text(key))
            .condition_expression(expressions.condition)
            .set_update_expression(expressions.update)
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        for (placeholder, attribute) in expressions.names {
            request = request.expression_attribute_names(placeholder, attribute);
        }
        for (placeholder, value) in expressions.values {
            request = request.expression_attribute_values(placeholder, value);
        }
        match request.send().await {
            Ok(answer) => applied(answer.attributes.map(|row| row.into_iter().collect()), call),
            Err(error) => rejected(error, call),
        }
    }

    async fn delete(&self, key: &LeaseKey, expressions: Expressions, call: Call<'_>) -> Result<WriteOutcome, StoreError> {
        let mut request = self
            .client
            .delete_item()
            .table_name(&self.table)
            .key(LEASE_KEY, encode::text(key))
            .condition_expression(expressions.condition)
            .return_values(ReturnValue::AllOld)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        for (placeholder, attribute) in expressions.names {
            request = request.expression_attribute_names(placeholder, attribute);
        }
        for (placeholder, value) in expressions.values {
            request = request.expression_attribute_values(placeholder, value);
        }
        match request.send().await {
            Ok(answer) => applied(answer.attributes.map(|row| row.into_iter().collect()), call),
            Err(error) => rejected(error, call),
        }
    }
}

#[async_trait]
impl LeaseStore for DynamoLeaseStore {
    /// One DescribeTable, and a CreateTable (on-demand capacity) if there is no table.
    async fn prepare(&self) -> Result<(), StoreError> {
        table::prepare(&self.client, &self.table).await
    }

    /// One Scan for each page, eventually consistent, one after another.
    async fn scan(&self) -> Result<LeaseScan, StoreError> {
        let call = self.call("scan", "Scan", &self.table, Effect::None);
        let mut scan = LeaseScan::default();
        let mut start = None;
        loop {
            let request = self.client.scan().table_name(&self.table).consistent_read(false).set_exclusive_start_key(start);
            let page = request.send().await.map_err(|error| call.failed(error))?;
            for item in page.items.into_iter().flatten() {
                sort_in(&item.into_iter().collect(), &mut scan);
            }
            start = page.last_evaluated_key.filter(|key| !key.is_empty());
            if start.is_none() {
                return Ok(scan);
            }
        }
    }

    /// One GetItem, strongly consistent. A row that says it is something else than a lease is none.
    async fn get(&self, key: &LeaseKey) -> Result<Option<Lease>, StoreError> {
        let call = self.call("get", "GetItem", key, Effect::None);
        let request = self.client.get_item().table_name(&self.table).key(LEASE_KEY, encode::text(key)).consistent_read(true);
        let answer = request.send().await.map_err(|error| call.failed(error))?;
        let Some(item) = answer.item else { return Ok(None) };
        decode::lease(&item.into_iter().collect()).map_err(|error| {
            let hint = format!("the row is not readable as a lease; repair or remove it: table={}", self.table);
            call.error(ErrorKind::Corrupt).with_hint(hint).with_source(error)
        })
    }

    /// Exactly one request, whatever the verb and the outcome: the answer carries the row.
    async fn write(&self, write: &LeaseWrite) -> Result<WriteOutcome, StoreError> {
        let action = match write.change() {
            Change::Put(_) => "PutItem",
            Change::Update(_) => "UpdateItem",
            Change::Delete => "DeleteItem",
        };
        let key = write.key();
        let call = self.call(write.verb().name(), action, key, Effect::Write);
        let expressions = expression::of(write).map_err(|error| unstorable(call, error))?;
        match write.change() {
            Change::Put(lease) => self.put(lease, expressions, call).await,
            Change::Update(_) => self.update(key, expressions, call).await,
            Change::Delete => self.delete(key, expressions, call).await,
        }
    }

    /// One GetItem for each of three rows, strongly consistent: two in the coordinator table, if there is one, and one here.
    /// A DescribeTable where none says what the fleet does.
    async fn fleet(&self) -> Result<FleetRows, StoreError> {
        fleet::read(&self.client, &self.table, self.coordinator_table.as_deref()).await
    }
}

fn sort_in(row: &Row, scan: &mut LeaseScan) {
    match decode::lease(row) {
        Ok(Some(lease)) => scan.leases.push(lease),
        Ok(None) => {}
        Err(error) => {
            let unreadable = UnreadableRow { key: decode::key_for_report(row), reason: error.to_string() };
            scan.unreadable.push(unreadable);
        }
    }
}

/// The outcome of a write that the table accepted. If the answer is no lease, only reading it again can help.
fn applied(row: Option<Row>, call: Call<'_>) -> Result<WriteOutcome, StoreError> {
    let unclear = call.error(ErrorKind::Indeterminate).with_hint("the write was applied but its answer is not a lease");
    match row.as_ref().map(decode::lease) {
        Some(Ok(Some(lease))) => Ok(WriteOutcome::Applied(lease)),
        Some(Err(error)) => Err(unclear.with_source(error)),
        Some(Ok(None)) | None => Err(unclear),
    }
}

/// The outcome of a write that failed: a lost race, if the condition was what failed.
fn rejected<E>(error: SdkError<E, Response>, call: Call<'_>) -> Result<WriteOutcome, StoreError>
where
    E: Conditional + ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    match error.as_service_error().and_then(Conditional::current_row) {
        Some(current) => {
            let current = current.and_then(|row| decode::lease(&row).ok().flatten());
            Ok(WriteOutcome::Rejected { current })
        }
        None => Err(call.failed(error)),
    }
}

fn unstorable(call: Call<'_>, error: Unstorable) -> StoreError {
    call.error(ErrorKind::Invalid).with_hint("the lease cannot be stored").with_source(error)
}

/// An error of a conditional request.
trait Conditional {
    /// If the condition failed: the row as it is, `None` if there is none.
    fn current_row(&self) -> Option<Option<Row>>;
}

macro_rules! conditional {
    ($($error:ident),*) => {$(
        impl Conditional for $error {
            fn current_row(&self) -> Option<Option<Row>> {
                let Self::ConditionalCheckFailedException(failure) = self else { return None };
                let row = failure.item().filter(|row| !row.is_empty());
                Some(row.map(|row| row.iter().map(|(attribute, value)| (attribute.clone(), value.clone())).collect()))
            }
        }
    )*};
}

conditional!(PutItemError, UpdateItemError, DeleteItemError);
