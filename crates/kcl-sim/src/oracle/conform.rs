//! Conformance: every write of a run, as the specification has it. The store decides as specified, on a table of the
//! oracle's own; and a worker sends only what the specification's worker may.

mod sender;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use kcl_core::{Lease, LeaseKey};

use super::{Finding, Run};
use crate::spec::lease::specified;
use crate::trace::{Applied, Event};
use crate::world::{JavaVersion, java_specified};
use sender::Senders;

pub(super) fn check(run: Run<'_>) -> Result<(), Finding> {
    let mut table: BTreeMap<LeaseKey, Lease> = BTreeMap::new();
    let mut senders = Senders::new(run.options.failover);
    let java = run.java();
    for (index, entry) in run.entries.iter().enumerate() {
        match &entry.event {
            Event::Started(node, name) => senders.started(*node, name),
            Event::Fault(node, api, _, fate) => senders.faulted(*node, entry.at, *api, *fate),
            Event::Write(write) => {
                let version = java.get(&write.node).copied();
                if version.is_none() {
                    senders.judge(write, entry.at).map_err(|what| (index, what))?;
                }
                decide(&mut table, write, version).map_err(|what| (index, what))?;
                senders.decided(write, entry.at);
            }
            Event::Edited(key, _, row) => {
                match row {
                    Some(row) => table.insert(key.clone(), row.clone()),
                    None => table.remove(key),
                };
                senders.edited(key, row.as_ref(), entry.at);
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether the store decided as specified.
fn decide(table: &mut BTreeMap<LeaseKey, Lease>, write: &Applied, java: Option<JavaVersion>) -> Result<(), String> {
    let (verb, key) = (write.write.verb().name(), write.write.key());
    let before = table.get(key);
    if before != write.before.as_ref() {
        return Err(format!("{verb} of {key} was decided on {:?}, the row is {before:?}", write.before));
    }
    let decision = match java {
        Some(version) => java_specified(&write.write, version, before),
        None => specified(&write.write, before),
    };
    if decision.is_some() != write.applied {
        let (did, should) = if write.applied { ("applied", "not be") } else { ("rejected", "be applied") };
        return Err(format!("{verb} of {key} was {did} and should {should}: {:?} on {before:?}", write.write));
    }
    let Some(after) = decision else { return Ok(()) };
    if after != write.after {
        return Err(format!("{verb} of {key} left {:?} and should have left {after:?}", write.after));
    }
    match after {
        Some(row) => table.insert(key.clone(), row),
        None => table.remove(key),
    };
    Ok(())
}
