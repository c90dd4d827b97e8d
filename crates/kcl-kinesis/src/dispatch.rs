use std::error::Error as StdError;
use std::io;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::result::ConnectorError;
use kcl_core::ErrorKind;

use crate::error::Explanation;

/// Why a request was never answered: no credentials, no connection, or a broken one.
///
/// The SDK reports everything between building a request and its answer in this one way, so the chain of causes is
/// searched. Where the cause is not a public type its text is looked at; an unknown text is `Unavailable`.
pub(crate) fn explain_dispatch(error: &ConnectorError) -> Explanation {
    if let Some(cause) = find_cause::<CredentialsError>(error) {
        return explain_credentials(cause);
    }
    let text = chain_text(error);
    if text.contains("auth scheme") || text.contains("identity resolver") {
        return Explanation::new(ErrorKind::Denied, NO_CREDENTIALS);
    }
    if error.is_user() {
        return Explanation::new(ErrorKind::Invalid, "the request could not be sent as it is: check the endpoint's address");
    }
    // A name that does not resolve and a refused connection are I/O errors with a timeout's or another wrapper around.
    if text.contains("dns error") || text.contains("failed to lookup address") {
        return unavailable("the endpoint's host name cannot be resolved: check the region and the endpoint's address");
    }
    if let Some(cause) = find_cause::<io::Error>(error)
        && let Some(hint) = io_hint(cause.kind())
    {
        return unavailable(hint);
    }
    if text.contains("certificate") {
        return unavailable("the endpoint's certificate is refused: check proxies and the trusted roots");
    }
    if error.is_timeout() {
        return unavailable(
            "no connection in time: check the network path to the endpoint, and its security group if it is a VPC's",
        );
    }
    unavailable("the connection to the endpoint failed: check its address and the network path")
}

const NO_CREDENTIALS: &str = "no credentials: configure them, for example by a role, a profile or the environment";

fn explain_credentials(error: &CredentialsError) -> Explanation {
    match error {
        CredentialsError::CredentialsNotLoaded(_) => Explanation::new(ErrorKind::Denied, NO_CREDENTIALS),
        CredentialsError::InvalidConfiguration(_) => {
            Explanation::new(ErrorKind::Denied, "the credentials' configuration is wrong: check profile and role")
        }
        // A metadata or token service that is down comes back.
        _ => unavailable("the credentials could not be fetched: check the metadata or token service"),
    }
}

const fn io_hint(kind: io::ErrorKind) -> Option<&'static str> {
    match kind {
        io::ErrorKind::ConnectionRefused => Some("connection refused: nothing listens at the endpoint's address"),
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::UnexpectedEof => Some("the connection was cut while the request was under way"),
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable | io::ErrorKind::NetworkDown => {
            Some("no route to the endpoint: check the network")
        }
        _ => None,
    }
}

fn unavailable(hint: &str) -> Explanation {
    Explanation::new(ErrorKind::Unavailable, hint)
}

fn find_cause<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(cause) = next {
        if let Some(found) = cause.downcast_ref::<T>() {
            return Some(found);
        }
        next = cause.source();
    }
    None
}

fn chain_text(error: &(dyn StdError + 'static)) -> String {
    kcl_core::error_chain(error).to_lowercase()
}
