//! S8: in one life of a row each counter is produced by one write, and counters only grow, by one.

use super::{Finding, Run};
use kcl_core::Verb;

pub(super) fn check(run: Run<'_>) -> Result<(), Finding> {
    for (index, write) in run.writes() {
        let (Some(before), Some(after)) = (&write.before, &write.after) else { continue };
        let keeps = matches!(write.write.verb(), Verb::Describe | Verb::Request | Verb::Withdraw);
        let expected = if keeps { before.counter } else { before.counter.next() };
        if after.counter != expected {
            let verb = write.write.verb().name();
            return Err((
                index,
                format!("{verb} took the counter of {} from {} to {}", after.key, before.counter, after.counter),
            ));
        }
    }
    Ok(())
}
