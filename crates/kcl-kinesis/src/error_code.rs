use kcl_core::ErrorKind;

use crate::error::{Explanation, Operation};

/// What the service's own error code means, or `None` for a code that is not known here.
///
/// Codes of the three operations: API reference, ListShards, GetShardIterator and GetRecords, and "Common Errors".
pub(crate) fn explain_code(operation: Operation, code: &str) -> Option<Explanation> {
    kms_code(code).or_else(|| access_code(operation, code)).or_else(|| {
        let (kind, hint) = match code {
            "ProvisionedThroughputExceededException" => {
                (ErrorKind::Throttled, "the shard's read limits are used up, perhaps by another consumer of the stream")
            }
            "LimitExceededException" => (ErrorKind::Throttled, "too many requests of this kind for the account"),
            "ThrottlingException"
            | "Throttling"
            | "ThrottledException"
            | "RequestThrottled"
            | "RequestThrottledException"
            | "RequestLimitExceeded"
            | "TooManyRequestsException"
            | "BandwidthLimitExceeded"
            | "SlowDown" => (ErrorKind::Throttled, "the service asks for fewer requests"),
            "ExpiredIteratorException" => {
                (ErrorKind::Expired, "the shard iterator is older than five minutes: open the shard again")
            }
            // Not `Expired`: there is no shard to open again, the listing starts over.
            "ExpiredNextTokenException" => {
                (ErrorKind::Unavailable, "the listing took longer than its page token lives: list again from the start")
            }
            "ResourceNotFoundException" => (ErrorKind::NotFound, not_found_hint(operation)),
            "ResourceInUseException" => (ErrorKind::NotReady, "the stream is not active: wait until it is made or changed"),
            "InvalidArgumentException" => (ErrorKind::Invalid, invalid_hint(operation)),
            "ValidationException"
            | "ValidationError"
            | "SerializationException"
            | "InvalidParameterValue"
            | "InvalidParameterCombination"
            | "MissingParameter"
            | "DryRunOperationException" => (ErrorKind::Invalid, "the service refuses the request as it is"),
            "UnknownOperationException" | "InvalidAction" | "MissingAction" => {
                (ErrorKind::Invalid, "the endpoint does not know the request: check that it is Kinesis")
            }
            "InternalFailureException"
            | "InternalFailure"
            | "InternalServerError"
            | "InternalServiceError"
            | "InternalServiceException"
            | "ServiceUnavailable"
            | "ServiceUnavailableException" => (ErrorKind::Unavailable, "the service failed"),
            "RequestTimeout" | "RequestTimeoutException" => {
                (ErrorKind::Unavailable, "the service waited too long for the request")
            }
            _ => return None,
        };
        Some(Explanation::new(kind, hint))
    })
}

/// What an answer with an unknown code means, judged by its HTTP status.
pub(crate) fn explain_status(operation: Operation, status: u16, code: Option<&str>) -> Explanation {
    let code = code.unwrap_or("none");
    let (kind, hint) = match status {
        429 => (ErrorKind::Throttled, "the endpoint asks for fewer requests".to_owned()),
        401 | 403 => (ErrorKind::Denied, allow_hint(operation)),
        408 | 500.. => (ErrorKind::Unavailable, "the endpoint failed".to_owned()),
        // Kinesis never uses these: this is somebody else.
        404 | 405 | 407 => {
            (ErrorKind::Unavailable, "the endpoint does not answer as Kinesis does: check its address and proxies".to_owned())
        }
        _ => (ErrorKind::Invalid, "the endpoint refuses the request".to_owned()),
    };
    Explanation::new(kind, format!("{hint}: status={status} code={code}"))
}

fn kms_code(code: &str) -> Option<Explanation> {
    let (kind, hint) = match code {
        "KMSThrottlingException" => (ErrorKind::Throttled, "the key service asks for fewer requests for the stream's key"),
        "KMSAccessDeniedException" => (ErrorKind::Denied, "allow kms:Decrypt on the key that encrypts the stream"),
        "KMSDisabledException" => (ErrorKind::Denied, "enable the key that encrypts the stream"),
        "KMSInvalidStateException" => {
            (ErrorKind::Denied, "the key that encrypts the stream cannot be used: check its state, it may be pending deletion")
        }
        "KMSNotFoundException" => (
            ErrorKind::Denied,
            "the key that encrypts the stream does not exist or is not visible: restore it or allow kms:Decrypt",
        ),
        "KMSOptInRequired" => (ErrorKind::Denied, "subscribe the account to the key service"),
        _ => return None,
    };
    Some(Explanation::new(kind, hint))
}

fn access_code(operation: Operation, code: &str) -> Option<Explanation> {
    let hint = match code {
        "AccessDeniedException" | "AccessDenied" | "NotAuthorized" | "UnauthorizedOperation" => allow_hint(operation),
        "UnrecognizedClientException" | "InvalidClientTokenId" | "InvalidAccessKeyId" | "InvalidAccessKeyIdException" => {
            "the access key is unknown: check the credentials, and that they belong to this partition and region".to_owned()
        }
        "ExpiredTokenException" | "ExpiredToken" => "the temporary credentials have expired: renew them".to_owned(),
        "InvalidSignatureException" | "SignatureDoesNotMatch" | "IncompleteSignature" | "IncompleteSignatureException" => {
            "the signature is wrong: check the secret key and this machine's clock".to_owned()
        }
        "RequestExpired" | "RequestExpiredException" | "RequestTimeTooSkewed" => {
            "the signature is too old: set this machine's clock".to_owned()
        }
        "MissingAuthenticationToken" | "MissingAuthenticationTokenException" => {
            "the request was not signed: configure credentials".to_owned()
        }
        "OptInRequired" => "subscribe the account to Kinesis in this region".to_owned(),
        _ => return None,
    };
    Some(Explanation::new(ErrorKind::Denied, hint))
}

/// The action that a policy must allow for the request.
fn allow_hint(operation: Operation) -> String {
    format!(
        "allow kinesis:{} on the stream in the identity's policy, and in the stream's policy for another account",
        operation.name()
    )
}

const fn not_found_hint(operation: Operation) -> &'static str {
    match operation {
        Operation::ListShards => "the stream does not exist: check its name, the region and the account",
        Operation::GetShardIterator | Operation::GetRecords => {
            "the shard is gone with its last records, or the stream does not exist: check name, region and account"
        }
    }
}

const fn invalid_hint(operation: Operation) -> &'static str {
    match operation {
        Operation::ListShards => "the service refuses an argument of the listing",
        Operation::GetShardIterator => {
            "the position is not one of this shard: was the stream deleted and made again, or the checkpoint from another stream"
        }
        Operation::GetRecords => "the service refuses the shard iterator or the limit",
    }
}
