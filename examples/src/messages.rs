//! The messages that the producer sends, and where a consumer routes what it receives.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One JSON message: `{"event_type": "user_action", "user": "...", "action": "..."}` and so on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// What happened; its kind is the field `event_type`.
    #[serde(flatten)]
    pub event: Event,
    /// How many times a handler is to pretend that the service behind it fails. Absent is 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failures: u32,
}

/// What happened, by kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event_type", rename_all = "snake_case")]
pub enum Event {
    /// A user did something.
    UserAction {
        /// Who.
        user: String,
        /// What.
        action: String,
    },
    /// A component of a system changed.
    SystemEvent {
        /// Which.
        component: String,
        /// To what.
        status: String,
    },
    /// Something failed.
    ErrorEvent {
        /// Where.
        component: String,
        /// How.
        code: u32,
    },
}

/// How often a handler fails on a message that it can never handle; more than anyone tries.
const ALWAYS: u32 = 1000;

impl Message {
    /// A message to try things out with: the three kinds in turn, one in 25 that fails once, one in 100 that always fails.
    pub fn sample(number: u64) -> Self {
        let event = match number % 3 {
            0 => Event::UserAction { user: format!("user-{}", number % 10), action: format!("action {number}") },
            1 => Event::SystemEvent { component: format!("service-{}", number % 5), status: format!("state {number}") },
            _ => Event::ErrorEvent { component: format!("service-{}", number % 5), code: 500 },
        };
        let failures = match number % 100 {
            99 => ALWAYS,
            24 | 49 | 74 => 1,
            _ => 0,
        };
        Self { event, failures }
    }

    /// Whom or what it is about: the partition key, so that what concerns one user or component stays in order.
    pub fn subject(&self) -> &str {
        match &self.event {
            Event::UserAction { user, .. } => user,
            Event::SystemEvent { component, .. } | Event::ErrorEvent { component, .. } => component,
        }
    }
}

/// The same as plain text, for consumers that expect no JSON.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UserAction { user, action } => write!(f, "user_action: {user}: {action}"),
            Self::SystemEvent { component, status } => write!(f, "system_event: {component}: {status}"),
            Self::ErrorEvent { component, code } => write!(f, "error_event: {component}: {code}"),
        }
    }
}

/// Where a payload goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// To the handler of its event.
    Event(Message),
    /// To the fallback: it is not a message of a kind that is known here.
    Fallback(Reason),
}

/// Why a payload goes to the fallback. Never says what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It is not JSON.
    NotJson,
    /// It has no text field `event_type`.
    NoType,
    /// Its `event_type` is not one of ours: a newer producer, or somebody else's message.
    UnknownType,
    /// It is one of ours and a field is missing or of another type.
    Malformed,
}

/// Decides where a payload goes. Total: every byte string has a route, so that no message can stop a shard.
pub fn route(payload: &[u8]) -> Route {
    let Ok(value) = serde_json::from_slice::<Value>(payload) else { return Route::Fallback(Reason::NotJson) };
    match value.get("event_type").and_then(Value::as_str) {
        Some("user_action" | "system_event" | "error_event") => {
            serde_json::from_value(value).map_or(Route::Fallback(Reason::Malformed), Route::Event)
        }
        Some(_) => Route::Fallback(Reason::UnknownType),
        None => Route::Fallback(Reason::NoType),
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for this signature")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(payload: &str) -> Message {
        match route(payload.as_bytes()) {
            Route::Event(message) => message,
            Route::Fallback(reason) => panic!("{payload} went to the fallback: {reason:?}"),
        }
    }

    #[test]
    fn each_known_type_reaches_its_handler() {
        let action = event(r#"{"event_type":"user_action","user":"u1","action":"login"}"#);
        assert_eq!(action.event, Event::UserAction { user: "u1".to_owned(), action: "login".to_owned() });
        assert_eq!(action.failures, 0);
        let system = event(r#"{"event_type":"system_event","component":"db","status":"up","added_later":[1]}"#);
        assert_eq!(system.event, Event::SystemEvent { component: "db".to_owned(), status: "up".to_owned() });
        let error = event(r#"{"failures":3,"event_type":"error_event","component":"db","code":500}"#);
        assert_eq!(error, Message { event: Event::ErrorEvent { component: "db".to_owned(), code: 500 }, failures: 3 });
    }

    #[test]
    fn everything_else_reaches_the_fallback_with_its_reason() {
        let cases: [(&[u8], Reason); 9] = [
            (b"", Reason::NotJson),
            (b"hello", Reason::NotJson),
            (b"\xff\xfe", Reason::NotJson),
            (b"{\"event_type\":\"user_action\"", Reason::NotJson),
            (b"21.5", Reason::NoType),
            (b"{\"type\":\"user_action\"}", Reason::NoType),
            (b"{\"event_type\":7}", Reason::NoType),
            (b"{\"event_type\":\"payment\"}", Reason::UnknownType),
            (b"{\"event_type\":\"user_action\",\"user\":7,\"action\":\"login\"}", Reason::Malformed),
        ];
        for (payload, reason) in cases {
            assert_eq!(route(payload), Route::Fallback(reason), "{:?}", String::from_utf8_lossy(payload));
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for message in (0..100).map(Message::sample) {
            let json = serde_json::to_vec(&message).unwrap();
            assert_eq!(route(&json), Route::Event(message.clone()));
            assert_eq!(route(message.event.to_string().as_bytes()), Route::Fallback(Reason::NotJson));
        }
    }

    #[test]
    fn of_a_hundred_samples_three_fail_once_and_one_always() {
        let failures: Vec<u32> = (100..200).map(|number| Message::sample(number).failures).filter(|times| *times > 0).collect();
        assert_eq!(failures, [1, 1, 1, ALWAYS]);
    }
}
