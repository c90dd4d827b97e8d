//! Failures that show that a request never left.
//!
//! Everything else that happens while sending may happen after the request arrived, and the SDK does not tell at which
//! moment a connection failed. So only causes that cannot come later count here; what is not recognised is treated as
//! a lost answer, which costs a read and is never wrong.

use std::error::Error as StdError;
use std::io;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::dns::ResolveDnsError;
use kcl_core::ErrorKind;

/// What the failure means if nothing was sent, `None` if something may have been.
pub(crate) fn kind(error: &(dyn StdError + 'static)) -> Option<ErrorKind> {
    let mut next = Some(error);
    while let Some(cause) = next {
        if let Some(kind) = kind_of_cause(cause) {
            return Some(kind);
        }
        next = cause.source();
    }
    None
}

fn kind_of_cause(cause: &(dyn StdError + 'static)) -> Option<ErrorKind> {
    if let Some(credentials) = cause.downcast_ref::<CredentialsError>() {
        return Some(kind_of_credentials(credentials));
    }
    if let Some(io) = cause.downcast_ref::<io::Error>() {
        return (io.kind() == io::ErrorKind::ConnectionRefused).then_some(ErrorKind::Unavailable);
    }
    if cause.is::<ResolveDnsError>() {
        return Some(ErrorKind::Unavailable);
    }
    kind_of_text(&cause.to_string())
}

/// For the errors whose types the SDK does not export: no address, no source of credentials, no endpoint.
fn kind_of_text(text: &str) -> Option<ErrorKind> {
    if text == "dns error" {
        Some(ErrorKind::Unavailable)
    } else if text.contains("there was no identity resolver") {
        Some(ErrorKind::Denied)
    } else if text.starts_with("Invalid Configuration: ") {
        Some(ErrorKind::Invalid)
    } else {
        None
    }
}

const fn kind_of_credentials(error: &CredentialsError) -> ErrorKind {
    match error {
        CredentialsError::CredentialsNotLoaded(_) | CredentialsError::InvalidConfiguration(_) => ErrorKind::Denied,
        // The source of the credentials had an error or was too slow: it may answer later.
        _ => ErrorKind::Unavailable,
    }
}
