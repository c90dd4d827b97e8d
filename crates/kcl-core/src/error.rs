use std::error::Error as StdError;
use std::fmt;

/// What went wrong behind a seam, named by what the caller should do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The service asks for fewer calls. Try again later; nothing happened.
    Throttled,
    /// The service cannot be reached or failed. Try again later; a write was not sent.
    Unavailable,
    /// The answer was lost: a write may have been applied. Read the row again before acting.
    Indeterminate,
    /// Something is still being made: a table, a stream, a consumer. Ask again later.
    NotReady,
    /// The credentials do not allow the call. Somebody must change a policy.
    Denied,
    /// What is stored cannot be understood. Somebody must repair or remove it.
    Corrupt,
    /// The request or the configuration is wrong. Trying again will not help.
    Invalid,
    /// The named thing does not exist.
    NotFound,
    /// A shard iterator is too old. Open the shard again behind the last record.
    Expired,
    /// A defect of this library.
    Bug,
}

impl ErrorKind {
    /// Whether the same call may succeed later without anybody's help.
    pub const fn is_retryable(self) -> bool {
        matches!(self, Self::Throttled | Self::Unavailable | Self::Indeterminate | Self::NotReady | Self::Expired)
    }

    /// Whether it is certain that a write was not applied.
    pub const fn had_no_effect(self) -> bool {
        !matches!(self, Self::Indeterminate)
    }

    /// The name in metrics and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::Unavailable => "unavailable",
            Self::Indeterminate => "indeterminate",
            Self::NotReady => "not_ready",
            Self::Denied => "denied",
            Self::Corrupt => "corrupt",
            Self::Invalid => "invalid",
            Self::NotFound => "not_found",
            Self::Expired => "expired",
            Self::Bug => "bug",
        }
    }
}

type Source = Box<dyn StdError + Send + Sync + 'static>;

/// Defines the error of one seam: kind, operation, subject, an explanation and the source.
macro_rules! seam_error {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name {
            kind: ErrorKind,
            operation: &'static str,
            subject: String,
            hint: Option<String>,
            source: Option<Source>,
        }

        impl $name {
            /// An error of `operation` on `subject` (a table, a lease key, a stream or a shard).
            pub fn new(kind: ErrorKind, operation: &'static str, subject: impl Into<String>) -> Self {
                Self { kind, operation, subject: subject.into(), hint: None, source: None }
            }

            /// Adds what to do about it, in one lower-case clause.
            #[must_use]
            pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
                self.hint = Some(hint.into());
                self
            }

            /// Adds the error that caused it.
            #[must_use]
            pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync + 'static>>) -> Self {
                self.source = Some(source.into());
                self
            }

            /// What to do about it.
            pub const fn kind(&self) -> ErrorKind {
                self.kind
            }

            /// The operation that failed.
            pub const fn operation(&self) -> &'static str {
                self.operation
            }

            /// The table, lease key, stream or shard it was about.
            pub fn subject(&self) -> &str {
                &self.subject
            }

            /// Whether the same call may succeed later without anybody's help.
            pub const fn is_retryable(&self) -> bool {
                self.kind.is_retryable()
            }

            /// Whether it is certain that a write was not applied.
            pub const fn had_no_effect(&self) -> bool {
                self.kind.had_no_effect()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{} failed", self.operation)?;
                if let Some(hint) = &self.hint {
                    write!(f, ": {hint}")?;
                }
                write!(f, ": kind={} subject={}", self.kind.name(), self.subject)
            }
        }

        impl StdError for $name {
            fn source(&self) -> Option<&(dyn StdError + 'static)> {
                self.source.as_deref().map(|source| source as &(dyn StdError + 'static))
            }
        }
    };
}

seam_error! {
    /// Why a [`LeaseStore`](crate::LeaseStore) could not answer.
    StoreError
}
seam_error! {
    /// Why a [`StreamReader`](crate::StreamReader) could not answer.
    ReadError
}

/// An error and its sources, outermost first, in one line. For logs: `Display` of an error leaves its source out. A source
/// whose text the line already ends with (some errors do print their source) is not repeated.
pub fn error_chain(error: &(dyn StdError + 'static)) -> String {
    let mut line = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let text = source.to_string();
        if !line.ends_with(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        next = source.source();
    }
    line.replace('\n', " ")
}
