use std::fmt;

/// Why something could not be done, in one sentence for the person at the terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure(String);

impl Failure {
    /// A failure explained by `why`.
    pub fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }

    /// A failure of `what`, with the error and all of its sources.
    pub fn of(what: impl fmt::Display, error: &(dyn std::error::Error + 'static)) -> Self {
        Self(format!("{what}: {}", kcl::error_chain(error)))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}
