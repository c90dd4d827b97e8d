//! V4: once trouble is over no lease is taken twice from live owners in one rebalancing; in the quiet time no lease is
//! taken and no tenure begins or is lost.

use std::collections::BTreeSet;

use kcl_core::Verb;

use super::{Finding, Run};
use crate::trace::{Applied, Call, Event, Stage};

pub(super) fn check(run: Run<'_>) -> Result<(), Finding> {
    moved_once(&run)?;
    let (quiet, end) = (run.stage(Stage::Quiet), run.stage(Stage::Shutdown));
    for (index, entry) in run.entries.iter().enumerate().take(end).skip(quiet) {
        let moved = match &entry.event {
            Event::Write(write) => {
                matches!(write.write.verb(), Verb::Take | Verb::Release | Verb::Request | Verb::Transfer)
            }
            Event::Begin(_, call) => matches!(call, Call::Initialize(_) | Call::LeaseLost),
            _ => false,
        };
        if moved {
            return Err((index, format!("in the quiet time: {entry}")));
        }
    }
    Ok(())
}

/// A rebalancing goes on until a worker, a row or an ownerless lease comes or goes.
fn moved_once(run: &Run<'_>) -> Result<(), Finding> {
    let (Some(calm), quiet) = (run.calm(), run.stage(Stage::Quiet)) else { return Ok(()) };
    let calm = calm.max(run.unafraid());
    let survivors = run.survivors();
    let mut moved = BTreeSet::new();
    for (index, entry) in run.entries.iter().enumerate().take(quiet).filter(|(_, entry)| entry.at > calm) {
        match &entry.event {
            Event::Write(write) if write.applied => {
                let (before, verb) = (write.before.as_ref().and_then(|row| row.owner.as_ref()), write.write.verb());
                if verb == Verb::Take && ends_a_transfer(write) {
                    continue;
                }
                // Whoever takes back what an earlier process of its name held has just come.
                let same = before == write.after.as_ref().and_then(|row| row.owner.as_ref());
                let stolen = matches!(verb, Verb::Take | Verb::Transfer)
                    && !same
                    && before.is_some_and(|owner| survivors.contains_key(owner.as_str()));
                if stolen && !moved.insert(write.write.key()) {
                    return Err((index, format!("moved twice in one rebalancing: {entry}")));
                }
                if (verb == Verb::Take && !stolen) || changes_rows(write) {
                    moved.clear();
                }
            }
            Event::Stopped(..) => moved.clear(),
            _ => {}
        }
    }
    Ok(())
}

/// Whether a take is the second half of a move that the former owner began.
fn ends_a_transfer(take: &Applied) -> bool {
    let owner = take.after.as_ref().and_then(|row| row.owner.as_ref());
    take.before.as_ref().zip(owner).is_some_and(|(row, owner)| row.is_transferred_to(owner))
}

/// Whether a row came or went, or lost its owner.
const fn changes_rows(write: &Applied) -> bool {
    write.before.is_none() || write.after.is_none() || matches!(write.write.verb(), Verb::Release)
}

#[cfg(test)]
mod tests {
    use super::super::timed_log::{Log, log};
    use super::*;

    fn moved() -> Log {
        log().workers(3).create("a").take(1, "a").enter(Stage::Heal).at(20_000).take(2, "a").at(21_000)
    }

    #[test]
    fn a_lease_moves_once_between_live_workers() {
        moved().enter(Stage::Quiet).says(check, "");
        moved().take(3, "a").enter(Stage::Quiet).says(check, "moved twice in one rebalancing");
        moved().create("b").take(3, "a").enter(Stage::Quiet).says(check, "");
    }

    #[test]
    fn nothing_moves_in_the_quiet_time() {
        moved().enter(Stage::Quiet).renew(2, "a", 0).says(check, "");
        moved().enter(Stage::Quiet).take(3, "a").says(check, "in the quiet time");
    }
}
