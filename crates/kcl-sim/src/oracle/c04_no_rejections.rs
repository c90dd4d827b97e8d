//! C4: in the quiet time no write is rejected.

use super::{Finding, Run};
use crate::trace::{Event, Stage};

pub(super) fn check(run: Run<'_>) -> Result<(), Finding> {
    let (quiet, end) = (run.stage(Stage::Quiet), run.stage(Stage::Shutdown));
    for (index, entry) in run.entries.iter().enumerate().take(end).skip(quiet) {
        if matches!(&entry.event, Event::Write(write) if !write.applied) {
            return Err((index, format!("in the quiet time: {entry}")));
        }
    }
    Ok(())
}
