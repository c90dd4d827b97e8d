//! Runs for mutants that the swarm seldom finds.

use std::time::Duration;

use kcl_core::{ErrorKind, StartStrategy, Verb};
use kcl_testing::MemoryStream;

use crate::scenario::{Action, Plan, Replacement, Script, call, secs};
use crate::world::{Api, Edit, Fate};

/// A worker that does not lead cannot reach the table while a shard, and what follows it at first, is finished and cleaned
/// up. Then the leader dies, and listings take long.
pub(super) fn an_old_listing(seed: u64) -> Plan {
    let script = Script::new().seed(seed).shards(2).chaos(secs(320)).at(secs(15), Action::Cut(0, secs(235)));
    let script = script.at(secs(20), Action::Split(0)).at(secs(40), Action::Split(1)).at(secs(41), Action::Split(1));
    let slow = (2..40).map(|nth| call(1, Api::List, nth));
    let script = slow.fold(script, |script, list| script.on(list, Fate::SlowReply(secs(20))));
    script.at(secs(252), Action::Kill(1, Replacement::Nobody)).plan().clone()
}

/// Two shards without a record since the timestamp are merged. One worker finishes its one and creates the child; the
/// row of the other, whose worker stands still, is removed by hand.
pub(super) fn a_parent_removed(seed: u64) -> Plan {
    let script = Script::new().seed(seed).shards(2).chaos(secs(90));
    let start = StartStrategy::Timestamp(MemoryStream::START.unix_millis() + 20_000);
    let script = script.with(|options| options.start = start);
    let script = script.at(secs(14), Action::Pause(1, secs(60))).at(secs(15), Action::Merge(0));
    let removed = Duration::from_millis(18_500);
    script.at(removed, Action::Edit(0, Edit::Remove)).plan().clone()
}

/// Two processes under one name start together and take the same leases; neither hears the answers.
pub(super) fn two_twins(seed: u64) -> Plan {
    let script = Script::new().seed(seed).workers(1).shards(4).chaos(secs(90)).at(Duration::ZERO, Action::Twin(0));
    let nodes = [1, 2].into_iter().flat_map(|node| (1..10).map(move |nth| call(node, Verb::Take, nth)));
    nodes.fold(script, |script, take| script.on(take, Fate::LoseReply)).plan().clone()
}

/// A renewal is applied after its sender was told that nobody knows. The row as it is read then is the old one; the next
/// renewals fail, and after three seconds there is one more with an unknown result. From then on none arrives.
pub(super) fn a_late_renewal(seed: u64) -> Plan {
    let script = Script::new().seed(seed).shards(2).chaos(secs(120)).failover(secs(20));
    // Every checkpoint would be a renewal, too.
    let script = script.with(|options| options.behaviour.checkpoint_every = 1_000);
    let renew = |nth| call(1, Verb::Renew, nth);
    let failed = Fate::Fail(ErrorKind::Unavailable);
    let script = script.on(renew(4), Fate::DelayApply(Duration::from_millis(600)));
    let script = (5..9).fold(script, |script, nth| script.on(renew(nth), failed)).on(renew(9), Fate::LoseReply);
    (10..60).fold(script, |script, nth| script.on(renew(nth), failed)).plan().clone()
}

/// A shard is split, finished and cleaned up. Then somebody removes the row of one of the two that follow.
pub(super) fn a_child_removed(seed: u64) -> Plan {
    let script = Script::new().seed(seed).shards(1).chaos(secs(240));
    script.at(secs(15), Action::Split(0)).at(secs(190), Action::Edit(seed, Edit::RemoveAny)).plan().clone()
}

/// Reading starts at the tip, and the first listing of each worker lacks shards.
pub(super) fn a_partial_start(seed: u64) -> Plan {
    let script = Script::new().seed(seed).shards(6).with(|options| options.start = StartStrategy::Latest);
    let partial = |script: Script, node| script.on(call(node, Api::List, 1), Fate::PartialListing(2));
    [1, 2].into_iter().fold(script, partial).plan().clone()
}

/// Every shard of four is split, finished and cleaned up. Then the scans of all workers fail for a while.
pub(super) fn failed_scans(seed: u64) -> Plan {
    let script = Script::new().seed(seed).workers(4).shards(4).chaos(secs(300));
    let script = (15..19).fold(script, |script, second| script.at(secs(second), Action::Split(0)));
    let scans = (1..=4).flat_map(|node| (45..65).map(move |nth| call(node, Api::Scan, nth)));
    scans.fold(script, |script, scan| script.on(scan, Fate::Fail(ErrorKind::Unavailable))).plan().clone()
}

/// Java workers run natively for some minutes, and each worker finds out at another time.
pub(super) fn a_native_fleet(seed: u64) -> Plan {
    let script = Script::new().seed(seed).workers(3).shards(6).chaos(secs(320));
    script.at(secs(65), Action::GoNative(secs(150))).plan().clone()
}
