//! A file that says which records were processed.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// Appends a line for each record: its name, a tab, its shard. For counting what several processes saw.
#[derive(Debug)]
pub struct RecordFile {
    file: Mutex<File>,
}

impl RecordFile {
    /// Opens a file for appending; makes it if it is missing.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self { file: Mutex::new(file) })
    }

    /// Writes the records of one call of a processor. When it returns they survive the end of this process, though not
    /// that of the machine.
    ///
    /// # Errors
    /// If the system refuses; some of the lines may be written then.
    pub fn append<'a>(&self, shard: &str, names: impl IntoIterator<Item = &'a String>) -> io::Result<()> {
        let lines: String = names.into_iter().map(|name| format!("{name}\t{shard}\n")).collect();
        self.file.lock().unwrap_or_else(PoisonError::into_inner).write_all(lines.as_bytes())
    }
}
