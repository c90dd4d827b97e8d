//! What an SDK error means for the caller: which kind, and what to do.

use std::error::Error as StdError;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::http::Response;
use kcl_core::{ErrorKind, StoreError};

use crate::unsent;

/// Whether a lost answer leaves open what happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Sending the call again is harmless.
    None,
    /// The call may have changed a lease.
    Write,
}

/// One request, as its error names it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call<'a> {
    /// What the caller asked for.
    pub(crate) operation: &'static str,
    /// The request, by its name in an IAM policy.
    pub(crate) action: &'static str,
    /// The table or the lease key.
    pub(crate) subject: &'a str,
    pub(crate) table: &'a str,
    pub(crate) effect: Effect,
}

impl Call<'_> {
    /// An error of this call without a source.
    pub(crate) fn error(&self, kind: ErrorKind) -> StoreError {
        StoreError::new(kind, self.operation, self.subject)
    }

    /// The error of this call that `error` stands for.
    pub(crate) fn failed<E>(&self, error: SdkError<E, Response>) -> StoreError
    where
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    {
        let kind = self.kind(&error);
        let named = self.error(kind);
        match self.hint(kind, &error) {
            Some(hint) => named.with_hint(hint).with_source(error),
            None => named.with_source(error),
        }
    }

    fn kind<E>(&self, error: &SdkError<E, Response>) -> ErrorKind
    where
        E: ProvideErrorMetadata + StdError + 'static,
    {
        match error {
            SdkError::ServiceError(answer) => self.kind_of_answer(answer.err().code(), answer.raw().status().as_u16()),
            SdkError::ConstructionFailure(_) => unsent::kind(error).unwrap_or(ErrorKind::Invalid),
            SdkError::DispatchFailure(_) => unsent::kind(error).unwrap_or_else(|| self.answer_lost()),
            _ => self.answer_lost(),
        }
    }

    /// Error codes: the DynamoDB developer guide, "Error handling", and the API reference, "Common errors".
    fn kind_of_answer(&self, code: Option<&str>, status: u16) -> ErrorKind {
        match code.unwrap_or_default() {
            "ProvisionedThroughputExceededException"
            | "ThrottlingException"
            | "Throttling"
            | "RequestLimitExceeded"
            | "LimitExceededException"
            | "TransactionConflictException"
            | "TransactionInProgressException"
            | "ReplicatedWriteConflictException" => ErrorKind::Throttled,
            "AccessDeniedException"
            | "AccessDenied"
            | "UnrecognizedClientException"
            | "InvalidClientTokenId"
            | "ExpiredToken"
            | "ExpiredTokenException"
            | "RequestExpired"
            | "RequestTimeTooSkewed"
            | "IncompleteSignature"
            | "IncompleteSignatureException"
            | "InvalidSignatureException"
            | "SignatureDoesNotMatch"
            | "MissingAuthenticationToken"
            | "MissingAuthenticationTokenException"
            | "NotAuthorized"
            | "OptInRequired" => ErrorKind::Denied,
            "ResourceNotFoundException" => ErrorKind::NotFound,
            "ResourceInUseException" | "TableInUseException" => ErrorKind::NotReady,
            "RequestTimeout" | "RequestTimeoutException" => self.answer_lost(),
            _ => match status {
                401 | 403 => ErrorKind::Denied,
                408 => self.answer_lost(),
                429 => ErrorKind::Throttled,
                400..=499 => ErrorKind::Invalid,
                _ => self.answer_lost(),
            },
        }
    }

    const fn answer_lost(&self) -> ErrorKind {
        match self.effect {
            Effect::Write => ErrorKind::Indeterminate,
            Effect::None => ErrorKind::Unavailable,
        }
    }

    fn hint<E>(&self, kind: ErrorKind, error: &SdkError<E, Response>) -> Option<String>
    where
        E: ProvideErrorMetadata + StdError + 'static,
    {
        let Self { action, table, .. } = self;
        match (kind, error) {
            (ErrorKind::Denied, SdkError::ServiceError(_)) => {
                Some(format!("the credentials must be valid and allow dynamodb:{action} on the table: table={table}"))
            }
            (ErrorKind::Denied, _) => Some(format!("there are no credentials to call dynamodb:{action} with: table={table}")),
            (ErrorKind::NotFound, _) => {
                Some(format!("no such table in this account and region; check the region or prepare the store: table={table}"))
            }
            (ErrorKind::Invalid, SdkError::ServiceError(_)) => {
                Some(format!("dynamodb:{action} refused the request; check the table's name and the endpoint: table={table}"))
            }
            (ErrorKind::Invalid, _) => {
                Some(format!("the request could not be built; check the region and the endpoint: table={table}"))
            }
            (ErrorKind::Unavailable, SdkError::DispatchFailure(_)) => {
                Some(format!("dynamodb:{action} could not be sent; check the endpoint and the network: table={table}"))
            }
            _ => None,
        }
    }
}
