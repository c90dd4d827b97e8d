use std::fmt;
use std::time::Duration;

use kcl_core::Verb;

use super::Tally;

/// How one rebalancing went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rebalancing {
    /// What set it off.
    pub name: &'static str,
    /// How long it took until the leases were balanced and stayed so; `None` if they never did.
    pub balanced_after: Option<Duration>,
    /// When the last row was owned by a live worker, balanced or not.
    pub owned_after: Option<Duration>,
    /// The fewest and the most leases of a worker at the end.
    pub counts: (usize, usize),
    /// What was asked of the table from then until the end of the quiet time.
    pub tally: Tally,
    /// How long the tally counts.
    pub lasted: Duration,
}

/// The heading over [`Rebalancing`]s.
pub const HEADING: &str = "rebalancing    owned  balanced  leases each      moved   again  stolen   scans     gets  takes +/-rejected  creates +/-rejected";

impl fmt::Display for Rebalancing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds =
            |time: Option<Duration>| time.map_or_else(|| "never".to_owned(), |time| format!("{:.1} s", time.as_secs_f64()));
        let (takes, creates) = (self.tally.of(&[Verb::Take]), self.tally.of(&[Verb::Create]));
        write!(
            f,
            "{:<12} {:>7}  {:>8}  {:>5}..{:<5}  {:>7} {:>7} {:>7} {:>7}  {:>7}  {:>7} / {:<7}  {:>7} / {:<7}",
            self.name,
            seconds(self.owned_after),
            seconds(self.balanced_after),
            self.counts.0,
            self.counts.1,
            self.tally.moved(),
            self.tally.moved_again(),
            self.tally.from_owners,
            self.tally.scans,
            self.tally.gets,
            takes.0,
            takes.1,
            creates.0,
            creates.1
        )
    }
}
