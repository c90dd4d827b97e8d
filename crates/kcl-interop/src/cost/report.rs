use std::time::Duration;

use super::Counts;
use super::units::read_units;

/// What one fleet asked for in one phase.
#[derive(Clone, Debug)]
pub(super) struct Counted {
    pub(super) fleet: &'static str,
    pub(super) phase: &'static str,
    pub(super) workers: usize,
    pub(super) leases: u32,
    pub(super) lasted: Duration,
    pub(super) counts: Counts,
    /// How many checkpoints its processors made.
    pub(super) checkpoints: usize,
    /// The mean size of the rows of its lease table.
    pub(super) row_bytes: f64,
    /// Only where a worker joins.
    pub(super) joining: Option<Joining>,
}

/// How the leases came to a worker that joined.
#[derive(Clone, Copy, Debug)]
pub(super) struct Joining {
    /// When they were balanced.
    pub(super) balanced_after: Duration,
    /// How many had to move.
    pub(super) moved: u32,
}

/// So many leases the read units are worked out for, too: a page of a few rows costs as much as one row.
const LARGER: u32 = 160;

/// The same for a lease, or for a worker, and for a minute.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Rates {
    applied: f64,
    rejected: f64,
    write_units: f64,
    checkpoints: f64,
    scans: f64,
    gets: f64,
    read_units: f64,
}

impl Counted {
    #[allow(clippy::cast_precision_loss, reason = "counts")]
    fn rates(&self) -> Rates {
        let minutes = self.lasted.as_secs_f64() / 60.0;
        let of_lease = |count: f64| count / f64::from(self.leases) / minutes;
        let of_worker = |count: f64| count / self.workers as f64 / minutes;
        Rates {
            applied: of_lease(self.counts.applied),
            rejected: of_lease(self.counts.rejected),
            write_units: of_lease(self.counts.write_units),
            checkpoints: of_lease(self.checkpoints as f64),
            scans: of_worker(self.counts.scans),
            gets: of_worker(self.counts.gets),
            read_units: of_worker(self.counts.read_units),
        }
    }

    /// A row of a table in Markdown.
    fn row(&self) -> String {
        let Rates { applied, rejected, write_units, checkpoints, scans, gets, read_units } = self.rates();
        let joined = self.joining.map_or_else(String::new, |joining| format!("{:.0} s", joining.balanced_after.as_secs_f64()));
        let larger = read_units + scans * (self.scan_units(LARGER) - self.scan_units(self.leases));
        format!(
            "| {} | {} | {checkpoints:.1} | {applied:.1} | {rejected:.2} | {write_units:.1} | {scans:.1} | {gets:.1} | {read_units:.1} | {larger:.1} | {:.0} | {joined} |",
            self.phase, self.fleet, self.row_bytes
        )
    }

    /// What a scan costs with so many rows of this size.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of bytes")]
    fn scan_units(&self, rows: u32) -> f64 {
        read_units((self.row_bytes * f64::from(rows)) as u64, false)
    }
}

const HEADING: &str = "\
|  | workers | checkpoints | writes applied | rejected | write units | scans | single reads | read units | the same, if there were 160 leases | bytes of a row | balanced after |
|---|---|---|---|---|---|---|---|---|---|---|---|
|  |  | lease, minute | lease, minute | lease, minute | lease, minute | worker, minute | worker, minute | worker, minute | worker, minute |  |  |";

/// Writes besides checkpoints that may be counted beyond Java's, for each lease and minute: what falls on the edge of a phase.
const EDGE: f64 = 0.5;

/// What a lease costs more that is handed off: it is asked for, and given.
const HAND_OFF: f64 = 2.0;

/// Prints the table, phase by phase. Yields whether no fleet of ours writes more than Java's beside its checkpoints and hand-offs.
pub(super) fn print(counted: &[Counted], order: [&str; 4]) -> bool {
    println!("\n{HEADING}");
    let mut phases: Vec<&str> = Vec::new();
    for one in counted {
        if !phases.contains(&one.phase) {
            phases.push(one.phase);
        }
    }
    let mut fine = true;
    for phase in phases {
        let mut of_phase: Vec<&Counted> = counted.iter().filter(|one| one.phase == phase).collect();
        of_phase.sort_by_key(|one| order.iter().position(|name| *name == one.fleet));
        of_phase.iter().for_each(|one| println!("{}", one.row()));
        fine &= within(&of_phase);
        // A minute has three scans, more or less: only the long phase tells.
        fine &= phase != super::IDLE_PHASE || scans_within(&of_phase);
    }
    println!(
        "\nscans with KCL's interval, and writes per lease besides checkpoints and hand-offs at most Java's: {}",
        if fine { "ok" } else { "FAILED" }
    );
    fine
}

/// Whether, of the fleets of one phase, those of ours write no more beside checkpoints than the most frugal one of Java workers.
fn within(of_phase: &[&Counted]) -> bool {
    let besides = |one: &Counted| one.rates().applied + one.rates().rejected - one.rates().checkpoints;
    let hand_offs = |one: &Counted| {
        let moved = one.joining.map_or(0, |joining| joining.moved);
        HAND_OFF * f64::from(moved) / f64::from(one.leases) / (one.lasted.as_secs_f64() / 60.0)
    };
    let (java, ours): (Vec<&Counted>, Vec<&Counted>) = of_phase.iter().partition(|one| one.fleet.starts_with("Java"));
    let least = java.into_iter().map(besides).fold(f64::INFINITY, f64::min);
    ours.into_iter().all(|one| besides(one) <= least + hand_offs(one) + EDGE)
}

/// Whether the fleet of ours that scans as rarely as KCL scans no more often than Java's.
fn scans_within(idle: &[&Counted]) -> bool {
    let scans = |one: &&Counted| one.rates().scans;
    let least = idle.iter().filter(|one| one.fleet.starts_with("Java")).map(scans).fold(f64::INFINITY, f64::min);
    idle.iter().filter(|one| one.fleet == super::AS_KCL).all(|one| scans(one) <= least)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(fleet: &'static str, applied: f64, checkpoints: usize) -> Counted {
        Counted {
            fleet,
            phase: "idle",
            workers: 2,
            leases: 8,
            lasted: Duration::from_secs(120),
            counts: Counts { applied, scans: 24.0, ..Counts::default() },
            checkpoints,
            row_bytes: 0.0,
            joining: None,
        }
    }

    #[test]
    fn rates_are_for_a_lease_or_a_worker_and_a_minute() {
        let rates = counted("ours", 32.0, 16).rates();
        assert_eq!((rates.applied, rates.checkpoints, rates.scans), (2.0, 1.0, 6.0));
    }

    #[test]
    fn ours_may_write_and_scan_no_more_than_javas() {
        let java = counted("Java 2.5.8", 160.0, 0);
        assert!(within(&[&java, &counted("ours", 160.0, 0)]));
        assert!(within(&[&java, &counted("ours", 320.0, 160)]), "each has its own checkpoints");
        assert!(!within(&[&java, &counted("ours", 176.0, 0)]));
        assert!(scans_within(&[&java, &counted(super::super::AS_KCL, 0.0, 0)]), "equal is not more");
        let busy = Counted { workers: 1, ..counted(super::super::AS_KCL, 0.0, 0) };
        assert!(!scans_within(&[&java, &busy]));
        let joining = Some(Joining { balanced_after: Duration::from_secs(3), moved: 6 });
        assert!(within(&[&java, &Counted { joining, ..counted("ours", 176.0, 0) }]));
        assert!(!within(&[&java, &Counted { joining, ..counted("ours", 190.0, 0) }]));
    }
}
