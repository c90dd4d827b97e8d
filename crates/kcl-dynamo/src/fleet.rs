//! What KCL 3.x workers stored about their fleet (`CoordinatorStateDAO.java`, `MigrationState.java`).

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::get_item::GetItemError;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_runtime_api::http::Response;
use kcl_core::{CoordinatorTable, ErrorKind, FleetRows, StoreError, StoredState};

use crate::attributes::LEASE_KEY;
use crate::encode;
use crate::error::{Call, Effect};

/// The name of the coordinator table is that of the application and this (`CoordinatorConfig.java`).
const SUFFIX: &str = "-CoordinatorState";
/// The hash key of the coordinator table.
const KEY: &str = "key";
/// The row that says the protocol, and its attribute.
const CLIENT_VERSION: (&str, &str) = ("Migration3.0", "cv");
/// The row that says whether the tables have become one, and its attribute.
const TABLE_MIGRATION: (&str, &str) = ("TableMigration3.5", "tm");
/// The lock of an elected leader.
const LEADER: &str = "Leader";
/// The index over owners (`DynamoDBLeaseRefresher.java`).
const OWNER_INDEX: &str = "LeaseOwnerToLeaseKeyIndex";

/// Whether a row with this key is one of a coordinator, also without the attribute that says so.
pub(crate) fn is_coordinator_row(key: &str) -> bool {
    [CLIENT_VERSION.0, TABLE_MIGRATION.0, LEADER].contains(&key)
}

/// The coordinator table of the application whose lease table this is; `None` if no table can have that name.
pub(crate) fn coordinator_table(lease_table: &str) -> Option<String> {
    let name = format!("{lease_table}{SUFFIX}");
    (name.len() <= 255 || name.starts_with("arn:")).then_some(name)
}

/// A request for each row, all strongly consistent, and one for the indexes where no row says the protocol.
pub(crate) async fn read(client: &Client, table: &str, coordinator: Option<&str>) -> Result<FleetRows, StoreError> {
    let coordinator_table = match coordinator {
        Some(coordinator) => read_coordinator(client, coordinator).await?,
        None => CoordinatorTable::Absent,
    };
    // In this order: rows move from the coordinator table to the lease table.
    let row = Place { client, table, key: LEASE_KEY };
    let client_version = row.state(CLIENT_VERSION).await.map_err(|error| row.call().failed(error))?;
    let mut rows = FleetRows { coordinator_table, client_version, owner_index: false };
    if !rows.names_version() {
        rows.owner_index = has_owner_index(client, table).await?;
    }
    Ok(rows)
}

async fn read_coordinator(client: &Client, table: &str) -> Result<CoordinatorTable, StoreError> {
    let place = Place { client, table, key: KEY };
    let states = async { Ok((place.state(TABLE_MIGRATION).await?, place.state(CLIENT_VERSION).await?)) };
    let failure: SdkError<GetItemError, Response> = match states.await {
        Ok((table_migration, client_version)) => return Ok(CoordinatorTable::Present { table_migration, client_version }),
        Err(failure) => failure,
    };
    let error = place.call().failed(failure);
    match error.kind() {
        ErrorKind::NotFound => Ok(CoordinatorTable::Absent),
        ErrorKind::Denied => {
            Ok(CoordinatorTable::Denied(format!("the credentials do not allow dynamodb:GetItem on the table: table={table}")))
        }
        _ => Err(error),
    }
}

/// A table that has coordinator rows.
struct Place<'a> {
    client: &'a Client,
    table: &'a str,
    /// Its hash key.
    key: &'static str,
}

impl Place<'_> {
    fn call(&self) -> Call<'_> {
        Call { operation: "fleet", action: "GetItem", subject: self.table, table: self.table, effect: Effect::None }
    }

    async fn state(&self, (key, attribute): (&str, &str)) -> Result<StoredState, SdkError<GetItemError, Response>> {
        let request = self.client.get_item().table_name(self.table).key(self.key, encode::text(key)).consistent_read(true);
        Ok(match request.send().await?.item.filter(|item| !item.is_empty()) {
            None => StoredState::Absent,
            Some(item) => match item.get(attribute) {
                Some(AttributeValue::S(state)) => StoredState::Is(state.clone()),
                Some(_) => StoredState::Unreadable(format!("attribute {attribute} of {key} is no string")),
                None => StoredState::Unreadable(format!("{key} has no attribute {attribute}")),
            },
        })
    }
}

async fn has_owner_index(client: &Client, table: &str) -> Result<bool, StoreError> {
    let call = Call { operation: "fleet", action: "DescribeTable", subject: table, table, effect: Effect::None };
    let answer = client.describe_table().table_name(table).send().await.map_err(|error| call.failed(error))?;
    let indexes = answer.table.and_then(|table| table.global_secondary_indexes).unwrap_or_default();
    Ok(indexes.iter().any(|index| index.index_name() == Some(OWNER_INDEX)))
}
