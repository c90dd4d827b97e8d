//! V4: in the quiet time no lease is taken and no tenure begins or is lost.

use kcl_core::Verb;

use super::{Finding, Run};
use crate::trace::{Call, Event, Stage};

pub(super) fn check(run: Run<'_>) -> Result<(), Finding> {
    let (quiet, end) = (run.stage(Stage::Quiet), run.stage(Stage::Shutdown));
    for (index, entry) in run.entries.iter().enumerate().take(end).skip(quiet) {
        let moved = match &entry.event {
            Event::Write(write) => matches!(write.write.verb(), Verb::Take | Verb::Release),
            Event::Begin(_, call) => matches!(call, Call::Initialize(_) | Call::LeaseLost),
            _ => false,
        };
        if moved {
            return Err((index, format!("in the quiet time: {entry}")));
        }
    }
    Ok(())
}
