use std::error::Error as StdError;

use aws_sdk_kinesis::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use kcl_core::{ErrorKind, ReadError};

use crate::dispatch::explain_dispatch;
use crate::error_code::{explain_code, explain_status};

/// The requests that a polling reader makes. Their names are those of the Kinesis API, as policies spell them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    ListShards,
    GetShardIterator,
    GetRecords,
}

impl Operation {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::ListShards => "ListShards",
            Self::GetShardIterator => "GetShardIterator",
            Self::GetRecords => "GetRecords",
        }
    }
}

/// What to do about a failure, and how to say so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Explanation {
    pub(crate) kind: ErrorKind,
    pub(crate) hint: String,
}

impl Explanation {
    pub(crate) fn new(kind: ErrorKind, hint: impl Into<String>) -> Self {
        Self { kind, hint: hint.into() }
    }
}

/// The seam's error for a request that failed. The SDK's error stays its source, with the service's own message.
pub(crate) fn read_error<E>(operation: Operation, subject: String, error: SdkError<E, HttpResponse>) -> ReadError
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    let Explanation { kind, hint } = explain(operation, &error);
    ReadError::new(kind, operation.name(), subject).with_hint(hint).with_source(error)
}

fn explain<E>(operation: Operation, error: &SdkError<E, HttpResponse>) -> Explanation
where
    E: ProvideErrorMetadata + StdError + 'static,
{
    match error {
        SdkError::ServiceError(failure) => {
            let status = failure.raw().status().as_u16();
            let by_code = failure.err().code().and_then(|code| explain_code(operation, code));
            by_code.unwrap_or_else(|| explain_status(operation, status, failure.err().code()))
        }
        SdkError::TimeoutError(_) => {
            Explanation::new(ErrorKind::Unavailable, "no answer in time: check the network path to the endpoint and its load")
        }
        SdkError::DispatchFailure(failure) => match failure.as_connector_error() {
            Some(cause) => explain_dispatch(cause),
            None => Explanation::new(ErrorKind::Unavailable, "the request could not be sent"),
        },
        // Most often a proxy's page, whatever its status says, or an answer that was cut off: both may pass.
        SdkError::ResponseError(failure) => {
            let status = failure.raw().status().as_u16();
            let kind = if status == 429 { ErrorKind::Throttled } else { ErrorKind::Unavailable };
            Explanation::new(
                kind,
                format!(
                    "the answer could not be read: check that the endpoint is Kinesis and no proxy is between: status={status}"
                ),
            )
        }
        SdkError::ConstructionFailure(_) => {
            Explanation::new(ErrorKind::Invalid, "the request could not be built: check the AWS configuration")
        }
        _ => Explanation::new(ErrorKind::Unavailable, "the request failed in an unknown way"),
    }
}

#[cfg(test)]
mod tests;
