use std::time::Duration;

use kcl_core::Mono;

/// How a node's clocks differ from the simulation's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClockSpec {
    /// What the monotonic clock shows at the start.
    pub offset: Duration,
    /// How much faster it runs, in parts per million; more than -1,000,000.
    pub rate_ppm: i32,
    /// Whether it stands still while the node is suspended.
    pub stops_in_suspend: bool,
    /// How far the wall clock is ahead, in milliseconds.
    pub wall_ahead: i64,
}

const MILLION: u128 = 1_000_000;

impl ClockSpec {
    fn rate(self) -> u128 {
        u128::try_from(1_000_000 + i64::from(self.rate_ppm)).unwrap_or(1).max(1)
    }

    /// What the monotonic clock shows after it has run for so long in the time of the simulation.
    pub fn local(self, run: Duration) -> Mono {
        let nanos = self.offset.as_nanos() + run.as_nanos() * self.rate() / MILLION;
        Mono::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// How long it has to run until it shows at least `local`.
    pub fn global(self, local: Mono) -> Duration {
        let since_start = u128::from(local.as_nanos()).saturating_sub(self.offset.as_nanos());
        let nanos = (since_start * MILLION).div_ceil(self.rate());
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}
