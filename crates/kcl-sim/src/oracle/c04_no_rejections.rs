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

#[cfg(test)]
mod tests {
    use kcl_core::{Checkpoint, Lease, LeaseWrite};

    use super::super::timed_log::log;
    use super::*;

    #[test]
    fn every_write_of_the_quiet_time_is_applied() {
        let stale = LeaseWrite::renew(&Lease::new("a".into(), Checkpoint::TrimHorizon));
        let taken = || log().workers(1).create("a").take(1, "a");
        taken().write(1, 0, stale.clone()).enter(Stage::Quiet).renew(1, "a", 0).says(check, "");
        taken().enter(Stage::Quiet).write(1, 0, stale).says(check, "in the quiet time");
    }
}
