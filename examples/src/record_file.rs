//! A file that says which records were processed.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Appends a line for each record: its name, a tab, its shard. For counting what several processes saw.
#[derive(Debug)]
pub struct RecordFile {
    file: Mutex<File>,
    path: PathBuf,
}

/// What the system refused to do with a record file. The system's reason is the source.
#[derive(Debug)]
pub struct RecordFileError {
    action: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl fmt::Display for RecordFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} the record file: path={}", self.action, self.path.display())
    }
}

impl std::error::Error for RecordFileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

impl RecordFile {
    /// Opens a file for appending; makes it if it is missing.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn open(path: &Path) -> Result<Self, RecordFileError> {
        let failed = |source| RecordFileError { action: "open", path: path.to_owned(), source };
        let file = OpenOptions::new().create(true).append(true).open(path).map_err(failed)?;
        Ok(Self { file: Mutex::new(file), path: path.to_owned() })
    }

    /// Writes the records of one call of a processor. When it returns they survive the end of this process, though not
    /// that of the machine.
    ///
    /// # Errors
    /// If the system refuses; some of the lines may be written then.
    pub fn append<'a>(&self, shard: &str, names: impl IntoIterator<Item = &'a String>) -> Result<(), RecordFileError> {
        let failed = |source| RecordFileError { action: "write to", path: self.path.clone(), source };
        let lines: String = names.into_iter().map(|name| format!("{name}\t{shard}\n")).collect();
        self.file.lock().unwrap_or_else(PoisonError::into_inner).write_all(lines.as_bytes()).map_err(failed)
    }
}
