use std::fmt;

/// Something untidy, and where.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    path: String,
    line: usize,
    error: bool,
    what: String,
}

impl Finding {
    /// Something that must be mended.
    pub(crate) fn error(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, error: true, what: what.into() }
    }

    /// Something to think about.
    pub(crate) fn warning(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self { error: false, ..Self::error(path, line, what) }
    }

    /// Whether it must be mended.
    pub(crate) const fn is_error(&self) -> bool {
        self.error
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let weight = if self.error { "error" } else { "warning" };
        write!(f, "{}:{}: {weight}: {}", self.path, self.line, self.what)
    }
}
