use std::time::Duration;

/// The times of the lease protocol, all derived from the failover time.
///
/// A fleet must agree on the failover time: each worker judges the others by its own value
/// (`LeaseManagementConfig.java`: `failoverTimeMillis`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LeaseTiming {
    /// How long a lease counter must not change before others may take the lease.
    pub failover: Duration,
    /// How long a holder acts on a renewal, from when it was sent: 0.9 of the failover time, so that clocks that
    /// differ in rate by 5 % never let two workers act at once.
    pub hold: Duration,
    /// How often a holder renews: a third of the failover time.
    pub renew: Duration,
    /// How often the whole table is read: half of the failover time.
    pub scan: Duration,
    /// How often it is read while leases are moving: a third of the failover time.
    pub scan_while_moving: Duration,
    /// How soon a scan that failed is tried again, whatever else calls for one: a table that refuses calls is scanned at most
    /// twice as often as ever.
    pub scan_after_failure: Duration,
    /// After how long without word of a row it is read by itself: the failover time; longer if the table is scanned so rarely
    /// that live owners' rows would look still.
    pub quiet: Duration,
    /// How long one call of the store may take before it is given up: a third of the failover time.
    pub call: Duration,
}

impl LeaseTiming {
    /// The times that follow from `failover`.
    pub fn from_failover(failover: Duration) -> Self {
        Self {
            failover,
            hold: failover * 9 / 10,
            renew: failover / 3,
            scan: failover / 2,
            scan_while_moving: failover / 3,
            scan_after_failure: failover / 3,
            quiet: failover,
            call: failover / 3,
        }
    }

    /// The same with at least `interval` between two scans of the whole table, except while leases move.
    #[must_use]
    pub fn with_scans_every(self, interval: Duration) -> Self {
        // A fleet does not act in step: intervals are shortened by up to a tenth at random.
        let scan = interval * 10 / 9;
        let scan_while_moving = self.scan_while_moving.min(scan);
        let (scan_after_failure, quiet) = (scan_while_moving.max(scan / 2), self.failover.max(scan + self.call));
        Self { scan, scan_while_moving, scan_after_failure, quiet, ..self }
    }
}

/// How long to wait before try number `failures + 1`: `base` doubled for each failure after the first, up to `most`.
pub fn backoff(failures: u32, base: Duration, most: Duration) -> Duration {
    if failures == 0 {
        return Duration::ZERO;
    }
    let doublings = (failures - 1).min(20);
    base.saturating_mul(1 << doublings).min(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_that_refuses_to_be_scanned_is_tried_at_most_twice_as_often_as_ever() {
        let timing = LeaseTiming::from_failover(Duration::from_secs(9));
        let every = |seconds| timing.with_scans_every(Duration::from_secs(seconds));
        let paces = |timing: LeaseTiming| {
            [timing.scan, timing.scan_while_moving, timing.scan_after_failure, timing.quiet].map(|time| time.as_millis())
        };
        assert_eq!(paces(timing), [4_500, 3_000, 3_000, 9_000]);
        assert_eq!(paces(every(18)), [20_000, 3_000, 10_000, 23_000]);
        assert_eq!(paces(every(1)), [1_111, 1_111, 1_111, 9_000], "never more rarely than as ever");
    }
}
