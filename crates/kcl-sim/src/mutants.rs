//! The known-bug list: defects that somebody could have made, each with the oracle that has to find it. A green run means
//! nothing unless these are found.
//!
//! There is no switch for them in the shipped code. *Seam* mutants wrap the store or the stream. *Source* mutants are edits
//! in the folder `mutants`, applied all at once to a copy of the crates, where each asks a switch; an edit that no longer
//! applies fails the run. *Specification* mutants are rules left out of a model, which the tests of [`crate::spec`] search.

use crate::world::Mutant;

/// Where a mutant lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Home {
    /// At the seam of store or stream.
    Seam(Mutant),
    /// In a copy of the source.
    Source,
    /// In a model; this test of it finds the mutant.
    Specification(&'static str),
    /// In a part of the library that does not exist yet.
    WaitsFor(&'static str),
}

/// One entry of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its number.
    pub number: u32,
    /// What is wrong.
    pub what: &'static str,
    /// Where it lives.
    pub home: Home,
    /// The invariants of which one has to fail.
    pub oracles: &'static [&'static str],
    /// Within how many seeds.
    pub seeds: u64,
}

const fn seam(number: u32, what: &'static str, mutant: Mutant, oracles: &'static [&'static str], seeds: u64) -> Known {
    Known { number, what, home: Home::Seam(mutant), oracles, seeds }
}

const fn source(number: u32, what: &'static str, oracles: &'static [&'static str], seeds: u64) -> Known {
    Known { number, what, home: Home::Source, oracles, seeds }
}

const fn specification(number: u32, what: &'static str, test: &'static str) -> Known {
    Known { number, what, home: Home::Specification(test), oracles: &[], seeds: 0 }
}

/// The list, by number.
pub const KNOWN: [Known; 33] = [
    seam(1, "a checkpoint is stored without a condition", Mutant::CheckpointUnconditional, &["S7", "S5"], 30),
    seam(2, "a checkpoint is stored if only the owner is as expected", Mutant::CheckpointByOwner, &["S5", "S7"], 60),
    seam(3, "a take does not change the counter", Mutant::TakeKeepsCounter, &["S8"], 10),
    specification(4, "a row is deleted and created again while old requests are under way", "lease: rows that come back"),
    seam(5, "a renewal is stored if only the owner is as expected", Mutant::RenewByOwner, &["S7", "S8", "S11", "conform"], 60),
    source(6, "a release is answered by a row that another worker has taken since", &["V6", "V1", "S7", "S11"], 200),
    source(7, "an unanswered checkpoint is confirmed by owner and counter alone", &["S9"], 60),
    source(8, "the deadline counts from the answer", &["S10"], 200),
    source(9, "the reader quits and the lease is renewed on", &["V1", "V2"], 30),
    source(10, "a lease moves for a difference of one", &["V4"], 30),
    source(11, "an observer starts its timer anew at every scan", &["V1"], 30),
    source(12, "no look at the deadline before records are handed over", &["S10"], 60),
    seam(13, "a reader is opened again at the tip", Mutant::ReopenAtLatest, &["S2"], 10),
    source(14, "a renewal that was applied late counts from the newest attempt", &["S10"], 300),
    source(15, "a lease is held for as long as it takes to expire", &["S10"], 300),
    source(16, "a parent without a row counts as ended", &["S4"], 60),
    source(17, "only an ended row counts as ended", &["S14", "S5", "S13"], 100),
    source(18, "any row of a descendant counts as an end", &["S4", "V5", "S1"], 60),
    source(19, "renewals go by an old copy of the row", &["S7", "V1", "V4", "conform", "C4"], 60),
    source(20, "a position counts as handed over when it was read", &["S6", "S1"], 60),
    source(21, "a shutdown does not release", &["V6"], 10),
    source(22, "a throttled write is tried again at once", &["C3", "V7"], 60),
    source(23, "a scan that failed counts as an empty table", &["S8", "V4", "C4", "S5", "S13", "C1", "V1"], 60),
    source(24, "a child's row is created at LATEST", &["S1", "S2"], 30),
    source(25, "the place within an aggregate is lost", &["S2", "S16"], 60),
    source(26, "initialize is called a second time", &["S15"], 30),
    source(27, "a listing is used although shards are missing", &["S4", "S13", "V1", "V5", "S5", "S14"], 100),
    source(28, "the leader does nothing", &["V8", "V1", "S13", "V5"], 30),
    specification(29, "a hand-off never times out", "hand-off: no time-out"),
    source(30, "the end of a shard is accepted before its last record", &["S6", "S1"], 60),
    source(31, "a paused tenure goes on after an unanswered renewal", &["S10"], 300),
    source(32, "a tenure is renewed although its driver has ended", &["V1", "V2"], 60),
    seam(33, "a checkpoint is answered and not stored", Mutant::CheckpointNotStored, &["S9"], 10),
];

/// Turns the source mutant with this number on, and all others off; 0 for none.
///
/// Here it does nothing: only the copy that the edits were applied to has a switch.
pub const SWITCH: Option<fn(u32)> = None;
