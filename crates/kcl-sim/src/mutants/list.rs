use super::{Home, Known, Planted, Runs, directed};
use crate::world::Mutant;

type Names = &'static [&'static str];

const fn seam(number: u32, what: &'static str, mutant: Mutant, oracles: Names, percent: u32) -> Known {
    Known { number, what, home: Home::Seam(mutant), runs: Runs::Swarm, oracles, percent }
}

const fn source(number: u32, what: &'static str, oracles: Names, percent: u32) -> Known {
    Known { number, what, home: Home::Source, runs: Runs::Swarm, oracles, percent }
}

const fn specification(number: u32, what: &'static str, planted: &'static [Planted], oracles: Names) -> Known {
    Known { number, what, home: Home::Specification(planted), runs: Runs::Swarm, oracles, percent: 100 }
}

const fn schedules(number: u32, what: &'static str, test: &'static str) -> Known {
    Known { number, what, home: Home::Schedules(test), runs: Runs::Swarm, oracles: &[], percent: 100 }
}

const fn waits(number: u32, what: &'static str, part: &'static str) -> Known {
    Known { number, what, home: Home::WaitsFor(part), runs: Runs::Swarm, oracles: &[], percent: 0 }
}

impl Known {
    const fn by(self, runs: Runs) -> Self {
        Self { runs, ..self }
    }
}

/// The list, by number.
pub const KNOWN: [Known; 48] = [
    seam(1, "a checkpoint is stored without a condition", Mutant::CheckpointUnconditional, &["S7", "S5"], 60),
    seam(2, "a checkpoint is stored if only the owner is as expected", Mutant::CheckpointByOwner, &["S5", "S7"], 26),
    seam(3, "a take does not change the counter", Mutant::TakeKeepsCounter, &["S8"], 100),
    specification(4, "a row is deleted and created again, old writes still on their way", &[Planted::RowCreatedAgain], &["S7"]),
    seam(5, "a renewal is stored if only the owner is as expected", Mutant::RenewByOwner, &["S7", "S8", "S11", "conform"], 38),
    source(6, "a release is stored whoever has the lease by then", &["V6", "V1", "S7", "S11"], 12),
    source(7, "an unanswered checkpoint is confirmed by owner and counter alone", &["S9"], 32),
    source(8, "the deadline counts from the answer", &["S10"], 6),
    source(9, "the reader quits and the lease is renewed on", &["V1", "V2"], 20),
    source(10, "a lease moves for a difference of one", &["V4"], 72),
    source(11, "an observer starts its timer anew at every scan", &["V1"], 60),
    source(12, "no look at the deadline before records are handed over", &["S10"], 6),
    seam(13, "a reader is opened again at the tip", Mutant::ReopenAtLatest, &["S2"], 46),
    source(14, "a renewal that was applied late counts from the newest attempt", &["S10"], 52)
        .by(Runs::Directed(directed::a_late_renewal)),
    source(15, "a lease is held for as long as it takes to expire", &["S10"], 26),
    source(16, "a parent without a row counts as ended", &["S4"], 3),
    source(17, "only an ended row counts as ended", &["S14", "S5", "S13"], 100).by(Runs::Directed(directed::a_child_removed)),
    source(18, "any row of a descendant counts as an end", &["S4", "V5", "S1"], 30),
    source(19, "renewals go by an old copy of the row", &["S7", "V1", "V4", "conform", "C4"], 30),
    source(20, "a position counts as handed over when it was read", &["S6", "S1"], 30),
    source(21, "a shutdown does not release", &["V6"], 80),
    source(22, "a throttled write is tried again at once", &["C3", "V7"], 20),
    source(23, "a scan that failed counts as an empty table, and creations do not look at descendants", &["S14", "S5"], 100)
        .by(Runs::Directed(directed::failed_scans)),
    source(24, "a child's row is created at LATEST", &["S1", "S2"], 30),
    source(25, "the place within an aggregate is lost", &["S2", "S16"], 20),
    source(26, "initialize is called a second time", &["S15"], 100),
    source(27, "a listing is used although shards are missing", &["S13"], 100).by(Runs::Directed(directed::a_partial_start)),
    source(28, "the leader does nothing", &["V8", "V1", "S13", "V5"], 50),
    specification(29, "a hand-off never times out", &[Planted::TargetNeverTimesOut, Planted::OwnerNeverTimesOut], &["dead end"]),
    source(30, "the end of a shard is accepted before its last record", &["S6", "S1"], 30),
    source(31, "a paused tenure goes on after an unanswered renewal", &["S10"], 10),
    source(32, "a tenure is renewed although its driver has ended", &["V1", "V2"], 5),
    seam(33, "a checkpoint is answered and not stored", Mutant::CheckpointNotStored, &["S9"], 50),
    source(34, "shards are synced with a listing older than the clean-up interval", &["S14", "S5"], 100)
        .by(Runs::Directed(directed::an_old_listing)),
    schedules(35, "a driver that was refused at the deadline is not woken by the renewal", "schedules::mutants"),
    // Half of the drops show it, and none of the first ones.
    source(36, "a driver whose coordinator is gone confirms checkpoints", &["S15", "S11", "S7"], 20).by(Runs::Drops),
    source(37, "a merge that starts at a timestamp waits for no parent", &["S4", "S1"], 100)
        .by(Runs::Directed(directed::a_parent_removed)),
    source(38, "a take is confirmed without its token", &["S7", "S8", "S10", "S11"], 85).by(Runs::Directed(directed::two_twins)),
    source(39, "an owner hands records over after it sent a transfer", &["S19", "S16", "S10"], 30),
    waits(40, "a subscription that ended is opened again at the tip", "enhanced fan-out"),
    waits(41, "what was handed over is not given back to the budget of bytes", "prefetching within a budget"),
    // Seldom, because who asked does not wait for ever, and takes the lease.
    source(42, "an owner waits for ever for a call of the application to return", &["V11"], 1),
    source(43, "who asked for a lease holds it without a take of its own", &["S3", "S7", "S10", "S11", "S15", "conform"], 60),
    source(44, "a fleet that runs natively is not left", &["V9"], 100).by(Runs::Directed(directed::a_native_fleet)),
    source(45, "a fleet that runs natively is left only at the second sight", &["V9"], 100)
        .by(Runs::Directed(directed::a_native_fleet)),
    source(46, "a fleet that runs natively is joined", &["V9"], 100).by(Runs::Directed(directed::a_native_fleet)),
    source(47, "a Java worker is asked for a lease that hands it off no more, and waited for", &["V3", "V4", "V1"], 1)
        .by(Runs::Mixed),
    seam(
        48,
        "renewals and checkpoints go by the token alone, which a Java take leaves",
        Mutant::ByTokenAlone,
        &["S7", "S11"],
        30,
    )
    .by(Runs::Mixed),
];
