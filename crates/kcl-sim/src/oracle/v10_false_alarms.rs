//! V10: no worker says that hashes are not covered once everything has settled, and none ever that the leases are about
//! another stream: here there is only one.

use super::{Finding, Run};
use crate::trace::{Event, Stage};

pub(super) fn check(run: Run<'_>) -> Result<(), Finding> {
    let (quiet, shutdown) = (run.stage(Stage::Quiet), run.stage(Stage::Shutdown));
    for (index, entry) in run.entries.iter().enumerate() {
        let Event::Alarm(node, name, _) = &entry.event else { continue };
        match *name {
            "LeasesOfAnotherStream" => return Err((index, format!("{node:?} takes the leases for those of another stream"))),
            "NumStreamsWithPartialLeases" if (quiet..shutdown).contains(&index) => {
                return Err((index, format!("{node:?} misses leases where none is missing")));
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::timed_log::{Log, log, node};
    use super::*;

    fn alarm(log: Log, name: &'static str) -> Log {
        log.add(Event::Alarm(node(1), name, "-".into()))
    }

    #[test]
    fn alarms_without_a_reason() {
        alarm(log(), "LeasesOfAnotherStream").says(check, "another stream");
        let hole = "NumStreamsWithPartialLeases";
        alarm(log(), hole).enter(Stage::Quiet).enter(Stage::Shutdown).says(check, "");
        alarm(log().enter(Stage::Quiet), hole).enter(Stage::Shutdown).says(check, "misses leases");
        alarm(log().enter(Stage::Quiet), "ExpiredIterator").enter(Stage::Shutdown).says(check, "");
    }
}
