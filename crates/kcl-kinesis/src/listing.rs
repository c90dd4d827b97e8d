use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::operation::list_shards::ListShardsOutput;
use aws_sdk_kinesis::types::{ShardFilter as SdkFilter, ShardFilterType};
use aws_smithy_types::DateTime;
use kcl_core::{ErrorKind, ReadError, Shard, ShardFilter, ShardId, Wall};

use crate::error::{Operation, read_error};
use crate::shard::shard_from_sdk;
use crate::stream::StreamRef;

/// Where a listing is given up: a page holds up to 1,000 shards, so this is far above any stream.
const PAGES_MAX: usize = 1_000;

/// The shards that the filter selects, ordered by id.
///
/// A shard that was resharded between two pages may be on both; the later page knows more.
pub(crate) async fn list_all(client: &Client, stream: &StreamRef, filter: ShardFilter) -> Result<Vec<Shard>, ReadError> {
    let mut shards: BTreeMap<ShardId, Shard> = BTreeMap::new();
    let mut tokens_seen: BTreeSet<String> = BTreeSet::new();
    let mut page = first_page(client, stream, filter).await?;
    loop {
        for listed in page.shards.take().unwrap_or_default() {
            let shard = shard_from_sdk(listed, stream)?;
            shards.insert(shard.id.clone(), shard);
        }
        let Some(token) = page.next_token.take().filter(|token| !token.is_empty()) else {
            return Ok(shards.into_values().collect());
        };
        if tokens_seen.len() + 1 >= PAGES_MAX || !tokens_seen.insert(token.clone()) {
            let error = ReadError::new(ErrorKind::Unavailable, Operation::ListShards.name(), stream.as_str());
            return Err(error.with_hint("the service's list of pages does not end"));
        }
        page = next_page(client, stream, token).await?;
    }
}

async fn first_page(client: &Client, stream: &StreamRef, filter: ShardFilter) -> Result<ListShardsOutput, ReadError> {
    let subject = || stream.to_string();
    let filter = filter_to_sdk(filter)
        .transpose()
        .map_err(|error| ReadError::new(ErrorKind::Bug, Operation::ListShards.name(), subject()).with_source(error))?;
    let request = client.list_shards().set_stream_name(stream.name()).set_stream_arn(stream.arn()).set_shard_filter(filter);
    request.send().await.map_err(|error| read_error(Operation::ListShards, subject(), error))
}

/// A token stands for stream and filter; Kinesis refuses a request that names the stream again.
async fn next_page(client: &Client, stream: &StreamRef, token: String) -> Result<ListShardsOutput, ReadError> {
    let request = client.list_shards().next_token(token);
    request.send().await.map_err(|error| read_error(Operation::ListShards, stream.to_string(), error))
}

fn filter_to_sdk(filter: ShardFilter) -> Option<Result<SdkFilter, aws_sdk_kinesis::error::BuildError>> {
    let builder = match filter {
        // Without a filter Kinesis lists every shard that it still keeps.
        ShardFilter::All => return None,
        ShardFilter::AtLatest => SdkFilter::builder().r#type(ShardFilterType::AtLatest),
        ShardFilter::AtTrimHorizon => SdkFilter::builder().r#type(ShardFilterType::AtTrimHorizon),
        ShardFilter::AtTimestamp(moment) => {
            SdkFilter::builder().r#type(ShardFilterType::AtTimestamp).timestamp(timestamp_to_sdk(moment))
        }
    };
    Some(builder.build())
}

/// A moment as requests carry it, exact to the millisecond. Nothing is older than the epoch, and negative numbers
/// are not among what the service accepts, so they are read as the epoch.
pub(crate) fn timestamp_to_sdk(moment: Wall) -> DateTime {
    DateTime::from_millis(moment.unix_millis().max(0))
}

#[cfg(test)]
mod tests;
