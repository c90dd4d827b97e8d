//! The invariants, one file each. They know the record of a run and nothing of the library's decisions.

mod bounds;
mod c01_writes;
mod c02_reads;
mod c03_throttled;
mod c04_no_rejections;
mod conform;
mod family;
mod lives;
#[cfg(test)]
mod log;
mod mixed;
mod s01_at_least_once;
mod s02_order;
mod s03_hand_over;
mod s04_parents_first;
mod s05_monotone;
mod s06_never_ahead;
mod s07_fencing;
mod s08_one_winner;
mod s09_durable;
mod s10_zombie_silence;
mod s11_no_resurrection;
mod s12_rows_stay;
mod s13_coverage;
mod s13_one_start;
mod s14_finished;
mod s15_callbacks;
mod s16_duplicates;
mod s17_key_order;
mod s18_memory;
mod s19_after_transfer;
mod shelf;
#[cfg(test)]
mod timed_log;
mod v01_owned_and_read;
mod v02_progress;
mod v02_stall_named;
mod v03_balance;
mod v04_no_moves;
mod v05_children;
mod v06_shutdown;
mod v08_leader;
mod v09_native;
mod v10_false_alarms;
mod v11_hand_off_ends;
mod view;

use std::fmt;

use crate::exec::Stuck;
use crate::scenario::Options;
use crate::trace::Entry;

/// What an oracle is told.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// Everything that happened, in order.
    pub entries: &'a [Entry],
    /// What the run was made of.
    pub options: &'a Options,
    /// Its seed.
    pub seed: u64,
}

/// An invariant that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Its name, for example `S5`.
    pub invariant: &'static str,
    /// What was seen.
    pub what: String,
    /// Which entry showed it; the last one if only the whole run does.
    pub entry: usize,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at entry {}: {}", self.invariant, self.entry, self.what)
    }
}

/// The entry and the words.
type Finding = (usize, String);
type Oracle = fn(Run<'_>) -> Result<(), Finding>;

/// Whose deeds an oracle judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    /// Everybody's.
    All,
    /// Not those of Java workers, which promise less: they write rows all the same.
    Ours,
}
use Whose::{All, Ours};

const ORACLES: &[(&str, Whose, Oracle)] = &[
    ("conform", All, conform::check),
    ("S1", All, s01_at_least_once::check),
    ("S2", All, s02_order::check),
    ("S3", All, s03_hand_over::check),
    ("S4", All, s04_parents_first::check),
    ("S5", All, s05_monotone::check),
    ("S6", All, s06_never_ahead::check),
    ("S7", All, s07_fencing::check),
    ("S8", All, s08_one_winner::check),
    ("S9", All, s09_durable::check),
    ("S11", Ours, s11_no_resurrection::check),
    ("S12", All, s12_rows_stay::check),
    ("S13", All, s13_coverage::check),
    ("S13", All, s13_one_start::check),
    ("S14", All, s14_finished::check),
    ("S10", Ours, s10_zombie_silence::check),
    ("S15", Ours, s15_callbacks::check),
    ("S16", All, s16_duplicates::check),
    ("S17", All, s17_key_order::check),
    ("S18", Ours, s18_memory::check),
    ("S19", Ours, s19_after_transfer::check),
    ("V1", All, v01_owned_and_read::check),
    ("V2", All, v02_progress::check),
    ("V2", Ours, v02_stall_named::check),
    ("V3", All, v03_balance::check),
    ("V4", All, v04_no_moves::check),
    ("V5", All, v05_children::check),
    ("V6", All, v06_shutdown::check),
    ("V8", Ours, v08_leader::check),
    ("V9", Ours, v09_native::check),
    ("V10", Ours, v10_false_alarms::check),
    ("V11", Ours, v11_hand_off_ends::check),
    ("C1", Ours, c01_writes::check),
    ("C2", Ours, c02_reads::check),
    ("C3", Ours, c03_throttled::check),
    ("C4", All, c04_no_rejections::check),
];

/// Every invariant that does not hold, with its first violation.
pub fn audit(run: Run<'_>, stuck: Option<&Stuck>) -> Vec<Violation> {
    let ours = mixed::ours(run);
    let violation = |(invariant, whose, check): &(&'static str, Whose, Oracle)| {
        let (entry, what) = match ours.as_ref().filter(|_| *whose == Ours) {
            Some(ours) => ours.judge(run, *check),
            None => check(run),
        }
        .err()?;
        Some(Violation { invariant, what, entry })
    };
    // V7: no deadlock, no livelock, no panic of the library.
    let stuck = stuck.map(|stuck| Violation { invariant: "V7", what: stuck.to_string(), entry: run.last() });
    stuck.into_iter().chain(ORACLES.iter().filter_map(violation)).collect()
}
