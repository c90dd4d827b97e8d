//! Where an application does its work: here it calls no service, and fails as often as the message asks for.

use tracing::debug;

use crate::messages::{Event, Message};

/// The service that a handler calls did not answer. Trying again may help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServiceUnavailable;

impl std::fmt::Display for ServiceUnavailable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the service is not available")
    }
}

impl std::error::Error for ServiceUnavailable {}

/// Handles one message. `failures` is how many times that failed before.
///
/// # Errors
/// If the message asks for one more failure.
pub async fn call_service(message: &Message, failures: u32) -> Result<(), ServiceUnavailable> {
    if failures < message.failures {
        return Err(ServiceUnavailable);
    }
    // What is in a message is the application's data, and stays out of the logs.
    match &message.event {
        Event::UserAction { .. } => debug!("user action handled"),
        Event::SystemEvent { .. } => debug!("system event handled"),
        Event::ErrorEvent { .. } => debug!("error event handled"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_fails_as_often_as_the_message_asks_for() {
        let message = Message { failures: 2, ..Message::sample(0) };
        let mut outcomes = Vec::new();
        for failures in 0..4 {
            outcomes.push(call_service(&message, failures).await.is_ok());
        }
        assert_eq!(outcomes, [false, false, true, true]);
    }
}
