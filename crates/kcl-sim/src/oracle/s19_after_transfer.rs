//! S19: from the moment at which a worker sends a transfer that is applied, it begins no callback of that tenure.

use std::collections::BTreeMap;

use kcl_core::{LeaseKey, Verb};

use super::{Finding, Run};
use crate::trace::{Call, Event, Tenure};

pub(super) fn check(run: Run<'_>) -> Result<(), Finding> {
    // The last callback of each process and lease, and when it began.
    let mut begun = BTreeMap::new();
    // The last tenures of leases that were transferred since.
    let mut transferred: BTreeMap<_, Tenure> = BTreeMap::new();
    for (index, entry) in run.entries.iter().enumerate() {
        match &entry.event {
            Event::Begin(tenure, call) if *call != Call::LeaseLost => {
                let name = (tenure.node, LeaseKey::of_shard(&tenure.shard));
                if transferred.get(&name) == Some(tenure) {
                    return Err((index, format!("{tenure:?} begins a callback after it was handed off")));
                }
                begun.insert(name, (tenure.clone(), entry.at));
            }
            Event::Write(write) if write.applied && write.write.verb() == Verb::Transfer => {
                let name = (write.node, write.write.key().clone());
                let Some((tenure, at)) = begun.get(&name) else { continue };
                if *at > write.sent {
                    return Err((index, format!("{tenure:?} began a callback after its transfer was sent")));
                }
                transferred.insert(name, tenure.clone());
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::timed_log::{Log, log};
    use super::*;

    /// A worker that works and transfers its lease, by a transfer that takes a while.
    fn working() -> Log {
        let log = log().workers(2).create("a").at(1_000).take(1, "a").at(2_000).request(2, "a").at(3_000);
        log.begin(1, "a", Call::Process(Vec::new())).at(4_000)
    }

    #[test]
    fn nothing_begins_once_a_transfer_was_sent() {
        let again = |log: Log| log.begin(1, "a", Call::Process(Vec::new()));
        working().transfer(1, "a", 900).says(check, "");
        again(working()).at(4_100).transfer(1, "a", 200).says(check, "after its transfer was sent");
        again(working().transfer(1, "a", 900).at(5_000)).says(check, "after it was handed off");
        working().transfer(1, "a", 900).begin(1, "a", Call::LeaseLost).says(check, "");
    }
}
