//! The lease table's shape: one hash key, `leaseKey`, a string.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{BuildError, SdkError};
use aws_sdk_dynamodb::operation::create_table::{CreateTableError, CreateTableOutput};
use aws_sdk_dynamodb::operation::describe_table::DescribeTableError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType, TableDescription, TableStatus,
};
use aws_smithy_runtime_api::http::Response;
use kcl_core::{ErrorKind, StoreError};

use crate::attributes::LEASE_KEY;
use crate::error::{Call, Effect};

const DESCRIBE: &str = "DescribeTable";
const CREATE: &str = "CreateTable";

/// Ready, or one step nearer to it.
pub(crate) async fn prepare(client: &Client, table: &str) -> Result<(), StoreError> {
    let call = |action| Call { operation: "prepare", action, subject: table, table, effect: Effect::None };
    check_name(table).map_err(|hint| call(DESCRIBE).error(ErrorKind::Invalid).with_hint(hint))?;
    match client.describe_table().table_name(table).send().await {
        Ok(answer) => match answer.table() {
            Some(description) => ready(description, call(DESCRIBE)),
            None => Err(call(DESCRIBE).error(ErrorKind::Unavailable).with_hint("the answer describes no table")),
        },
        Err(error) if is_missing(&error) => created(create(client, table).await, call(CREATE)),
        Err(error) => Err(call(DESCRIBE).failed(error)),
    }
}

fn is_missing(error: &SdkError<DescribeTableError, Response>) -> bool {
    error.as_service_error().is_some_and(DescribeTableError::is_resource_not_found_exception)
}

async fn create(client: &Client, table: &str) -> Result<CreateTableOutput, SdkError<CreateTableError, Response>> {
    let (key, definition) = key_schema().map_err(SdkError::construction_failure)?;
    tracing::info!(table, "creating the lease table");
    client
        .create_table()
        .table_name(table)
        .billing_mode(BillingMode::PayPerRequest)
        .key_schema(key)
        .attribute_definitions(definition)
        .send()
        .await
}

fn key_schema() -> Result<(KeySchemaElement, AttributeDefinition), BuildError> {
    let key = KeySchemaElement::builder().attribute_name(LEASE_KEY).key_type(KeyType::Hash).build()?;
    let definition = AttributeDefinition::builder().attribute_name(LEASE_KEY).attribute_type(ScalarAttributeType::S).build()?;
    Ok((key, definition))
}

fn created(answer: Result<CreateTableOutput, SdkError<CreateTableError, Response>>, call: Call<'_>) -> Result<(), StoreError> {
    match answer {
        Ok(output) => output.table_description().map_or_else(|| Err(call.error(ErrorKind::NotReady)), |table| ready(table, call)),
        Err(error) => Err(call.failed(error)),
    }
}

/// Whether the table can be used now.
fn ready(table: &TableDescription, call: Call<'_>) -> Result<(), StoreError> {
    let found = shape(table);
    if found != [format!("{LEASE_KEY} HASH S")] {
        let hint = format!(
            "the table is not a lease table: choose another application name or remove the table; its key must be \
             {LEASE_KEY:?} HASH S: found={:?}",
            found.join(", ")
        );
        return Err(call.error(ErrorKind::Invalid).with_hint(hint));
    }
    match table.table_status() {
        // A table that is being updated is readable and writable.
        Some(TableStatus::Active | TableStatus::Updating) => Ok(()),
        Some(TableStatus::InaccessibleEncryptionCredentials) => {
            Err(call.error(ErrorKind::Denied).with_hint("the key that encrypts the table cannot be used"))
        }
        Some(status @ (TableStatus::Archiving | TableStatus::Archived)) => {
            Err(call.error(ErrorKind::Invalid).with_hint(format!("the table is archived: status={status}")))
        }
        status => {
            let status = status.map_or("none", TableStatus::as_str);
            Err(call.error(ErrorKind::NotReady).with_hint(format!("the table is not active yet: status={status}")))
        }
    }
}

/// The key attributes, each as `name HASH|RANGE S|N|B`.
fn shape(table: &TableDescription) -> Vec<String> {
    let type_of = |name: &str| {
        let definition = table.attribute_definitions().iter().find(|definition| definition.attribute_name() == name);
        definition.map_or("?", |definition| definition.attribute_type().as_str())
    };
    let key = table.key_schema().iter();
    key.map(|part| format!("{} {} {}", part.attribute_name(), part.key_type(), type_of(part.attribute_name()))).collect()
}

/// DynamoDB API reference, `TableName`: 3 to 255 of letters, digits, underscore, hyphen and dot, or the table's ARN.
fn check_name(table: &str) -> Result<(), String> {
    let is_name = (3..=255).contains(&table.len())
        && table.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
    if is_name || (table.starts_with("arn:") && table.len() <= 1024) {
        Ok(())
    } else {
        Err("an application name must be 3 to 255 letters, digits, underscores, hyphens and dots".to_owned())
    }
}
