//! The known-bug list: defects that somebody could have made, each with the oracle that has to find it. A green run means
//! nothing unless these are found.
//!
//! There is no switch for them in the shipped code. *Seam* mutants wrap the store or the stream. *Source* mutants are edits
//! in the folder `mutants`, applied all at once to a copy of the crates, where each asks a switch; an edit that no longer
//! applies fails the run. *Specification* mutants are rules left out of a model of [`crate::spec`], which is searched.

mod directed;
mod list;
mod planted;
mod search;

use crate::scenario::Plan;
use crate::world::Mutant;
pub use list::KNOWN;
pub use planted::Planted;
pub use search::{Found, Rate, first_run, look_for, measure};

/// Where a mutant lives.
#[derive(Clone, Copy, Debug)]
pub enum Home {
    /// At the seam of store or stream.
    Seam(Mutant),
    /// In a copy of the source.
    Source,
    /// In models; the search of each has to find it.
    Specification(&'static [Planted]),
    /// Between threads: the schedule explorer has to find it, in this test of `kcl-runtime`.
    Schedules(&'static str),
    /// In a part of the library that does not exist yet.
    WaitsFor(&'static str),
}

/// What is run to find a mutant.
#[derive(Clone, Copy, Debug)]
pub enum Runs {
    /// Seeds of the swarm.
    Swarm,
    /// Those with workers of the Java library.
    Mixed,
    /// Seeds of a run that is written down, because the swarm seldom combines what it needs.
    Directed(fn(u64) -> Plan),
    /// The drops of a coordinator in the cancellation sweep.
    Drops,
}

/// One entry of the list.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// Its number.
    pub number: u32,
    /// What is wrong.
    pub what: &'static str,
    /// Where it lives.
    pub home: Home,
    /// What is run.
    pub runs: Runs,
    /// The invariants of which one has to fail.
    pub oracles: &'static [&'static str],
    /// In how many runs of a hundred one of them fails, as measured with `--rates`.
    pub percent: u32,
}

impl Known {
    /// Three times as many runs as find it with a probability of 99 %.
    pub fn budget(&self) -> u64 {
        let missed = f64::from(100_u32.saturating_sub(self.percent).max(1)) / 100.0;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and 459")]
        let runs = (0.01_f64.ln() / missed.ln()).ceil() as u64;
        runs * 3
    }
}

/// Turns the source mutant with this number on, and all others off; 0 for none.
///
/// Here it does nothing: only the copy that the edits were applied to has a switch.
pub const SWITCH: Option<fn(u32)> = None;

#[cfg(test)]
mod tests;
