//! What a worker did, a line for each thing, written by the worker itself: the same format from Rust and from Java.
//!
//! `milliseconds TAB event TAB shard TAB sequence TAB sub-sequence TAB id`; what an event does not have is `-`.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use kcl::{ExtendedSequenceNumber, SequenceNumber};

use crate::failure::Failure;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A processor was initialized; the position is that of the lease's checkpoint.
    Start,
    /// A user record was processed.
    Record,
    /// A checkpoint is durable.
    Checkpoint,
    /// The end of the shard was reached and is about to be checkpointed.
    Ending,
    /// The lease was lost.
    Lost,
    /// The worker shuts down.
    Shutdown,
}

impl Event {
    const ALL: [(Self, &'static str); 6] = [
        (Self::Start, "start"),
        (Self::Record, "record"),
        (Self::Checkpoint, "checkpoint"),
        (Self::Ending, "ending"),
        (Self::Lost, "lost"),
        (Self::Shutdown, "shutdown"),
    ];

    fn word(self) -> &'static str {
        Self::ALL.iter().find(|(event, _)| *event == self).map_or("-", |(_, word)| word)
    }
}

/// A line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Unix milliseconds.
    pub at: u128,
    /// What happened.
    pub event: Event,
    /// Where.
    pub shard: String,
    /// The position, if it is one and not a sentinel such as `TRIM_HORIZON`.
    pub position: Option<ExtendedSequenceNumber>,
    /// The number of the user record.
    pub id: Option<u64>,
}

impl Entry {
    fn parse(line: &str) -> Option<Self> {
        let mut columns = line.split('\t');
        let mut next = || columns.next();
        let at = next()?.parse().ok()?;
        let word = next()?;
        let event = Event::ALL.iter().find(|(_, known)| *known == word)?.0;
        let shard = next()?.to_owned();
        let (sequence, sub) = (next()?, next()?.parse().ok()?);
        let id = next()?;
        let position = if sequence.starts_with(|first: char| first.is_ascii_digit()) {
            Some(ExtendedSequenceNumber::new(SequenceNumber::new(sequence).ok()?, sub))
        } else {
            None
        };
        let id = if id == "-" { None } else { Some(id.parse().ok()?) };
        let complete = position.is_some() && id.is_some();
        (event != Event::Record || complete).then_some(Self { at, event, shard, position, id })
    }
}

/// Everything in a journal's text. The end of a line that was cut off by a kill does not count.
///
/// # Errors
/// Names the first line that is not one of a journal.
pub fn parse(text: &str) -> Result<Vec<Entry>, Failure> {
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let entry = |line| Entry::parse(line).ok_or_else(|| Failure::new(format!("not a line of a journal: {line:?}")));
    whole.lines().map(entry).collect()
}

/// Where a worker of ours writes.
#[derive(Debug)]
pub struct Journal(Mutex<File>);

impl Journal {
    /// Opens the file, to append to it.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(Mutex::new(OpenOptions::new().create(true).append(true).open(path)?)))
    }

    /// Writes lines that stay together; they are with the operating system when this returns.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn append(&self, lines: &[String]) -> io::Result<()> {
        let mut text = lines.join("\n");
        text.push('\n');
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write_all(text.as_bytes())
    }
}

/// A line about a position; `sequence` may be a sentinel.
pub fn line(event: Event, shard: &str, sequence: &str, sub_sequence: u64, id: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    format!("{now}\t{}\t{shard}\t{sequence}\t{sub_sequence}\t{id}", event.word())
}

/// A line about a shard.
pub fn plain_line(event: Event, shard: &str) -> String {
    line(event, shard, "-", 0, "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let text = [
            line(Event::Start, "shard", "TRIM_HORIZON", 0, "-"),
            line(Event::Record, "shard", "495", 3, "17"),
            plain_line(Event::Ending, "shard"),
        ];
        let entries = parse(&format!("{}\n", text.join("\n"))).unwrap();
        let read: Vec<_> = entries.iter().map(|entry| (entry.event, entry.position.is_some(), entry.id)).collect();
        assert_eq!(read, [(Event::Start, false, None), (Event::Record, true, Some(17)), (Event::Ending, false, None)]);
        assert_eq!(entries[1].position.as_ref().unwrap().sub_sequence_number, 3);
    }

    #[test]
    fn a_line_that_is_cut_off_does_not_count_and_a_wrong_one_is_named() {
        let good = line(Event::Record, "shard", "1", 0, "1");
        assert_eq!(parse(&format!("{good}\n{}", &good[..good.len() - 2])).unwrap().len(), 1);
        assert_eq!(parse(&good).unwrap(), []);
        for bad in ["nonsense\n", "1\trecord\tshard\tLATEST\t0\t1\n", "1\trecord\tshard\t5\t0\t-\n", "1\tleft\ts\t-\t0\t-\n"] {
            assert!(parse(bad).unwrap_err().to_string().contains(bad.trim_end().split('\t').next().unwrap()), "{bad:?}");
        }
    }
}
