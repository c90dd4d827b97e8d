//! S9: a checkpoint that was answered with success is stored, at least as far, at that moment.

use super::{Finding, Record};
use crate::fleet::trace::{Answer, Event};

pub(super) fn check(record: Record<'_>) -> Option<Finding> {
    record.entries.iter().enumerate().find_map(|(index, entry)| {
        let Event::Answered { tenure, checkpoint, answer: Answer::Stored, stored } = &entry.event else { return None };
        // A row that is gone was finished: no other is ever removed.
        let lost = stored.as_ref().is_some_and(|stored| stored < checkpoint);
        lost.then(|| (index, format!("{tenure} was told that {checkpoint} is stored, but the row says {stored:?}")))
    })
}
