//! The cancellation sweep: in a small calm run one task of the first worker is dropped at one of its polls, for every
//! task and every poll. The worker may die of it, but not in a way that keeps a shard from being read, and no promise
//! may be broken.

mod judge;

use std::time::Duration;

use super::{Options, Script, secs};
use crate::exec::{Cancel, ClockSpec, NodeId, Polled, Sim, Stuck};
use crate::trace::{Entry, Event, Stage, Trace};
use crate::world::{FaultPlan, Host, Mutant, StoreServer, StreamServer, produce};

/// Whose tasks are dropped.
pub(crate) const VICTIM: NodeId = NodeId(1);
const SEED: u64 = 11;
const SPLIT_AT: Duration = secs(20);
const PUT_UNTIL: Duration = secs(30);
const SHUTDOWN_AT: Duration = secs(45);
/// So long after the drop everything must have settled again.
const SETTLED_AFTER: Duration = secs(40);
/// A shutdown of default settings takes at most 30 s, and two thirds of the failover time.
const STOPPED_AFTER: Duration = secs(45);

/// A task that is polled in the calm run, up to so often. Its text names it.
pub type Target = Polled;

/// Which polls a sweep tries: each up to the first number, then every so many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stride {
    /// Every poll up to this one.
    pub each_up_to: u32,
    /// Then one in so many; at least 1.
    pub then_every: u32,
}

/// What went wrong after a drop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What was dropped.
    pub cancel: Cancel,
    /// What was wrong: the invariant and what was seen.
    pub wrong: Vec<String>,
    /// The record of the run.
    pub entries: Vec<Entry>,
}

/// Every task of the first worker in the calm run, with the number of its polls.
pub fn targets() -> Vec<Target> {
    let (_, sim, _) = run(None);
    sim.polled().into_iter().filter(|polled| polled.node == VICTIM).collect()
}

/// The drops of a sweep.
pub fn drops(targets: &[Target], stride: Stride) -> Vec<Cancel> {
    let tried = |poll: &u32| *poll <= stride.each_up_to || poll.is_multiple_of(stride.then_every.max(1));
    let of = |target: &Target| {
        let Target { node, task, nth, polls } = target.clone();
        let polls: Vec<u32> = (1..=polls).filter(tried).collect();
        polls.into_iter().map(move |poll| Cancel { node, task: task.clone(), nth, poll })
    };
    targets.iter().flat_map(of).collect()
}

/// Runs with this drop; what was wrong, if anything.
pub fn drop_at(cancel: &Cancel) -> Option<Failure> {
    let (entries, sim, stuck) = run(Some(cancel));
    let mut wrong = judge::judge(&entries, &options(), stuck.as_ref(), cancel);
    if !sim.has_cancelled() {
        wrong.push("the task never came to this poll: the run is not the one that was counted".to_owned());
    }
    (!wrong.is_empty()).then(|| Failure { cancel: cancel.clone(), wrong, entries })
}

fn options() -> Options {
    let script = Script::new().shards(2).failover(secs(4)).chaos(SPLIT_AT).with(|options| options.sync = secs(5));
    script.plan().options.clone()
}

fn run(cancel: Option<&Cancel>) -> (Vec<Entry>, Sim, Option<Stuck>) {
    let (sim, options) = (Sim::new(SEED), options());
    sim.set_policy(options.policy);
    match cancel {
        Some(cancel) => sim.cancel_at(cancel.clone()),
        None => sim.count_polls(),
    }
    let trace = Trace::new(sim.clone());
    let store = StoreServer::new(sim.clone(), trace.clone(), FaultPlan::default(), Mutant::Sound);
    let stream = StreamServer::new(sim.clone(), trace.clone(), FaultPlan::default(), Mutant::Sound, options.shards);
    stream.set_records_per_read(options.batch * 2);
    let host = Host::new(sim.clone(), trace.clone(), store, stream, options.behaviour);
    let task = cancel.map(|cancel| cancel.task.clone());
    let stuck = sim.run(secs(600), script(host, options, task)).err();
    (trace.take(), sim, stuck)
}

async fn script(host: Host, options: Options, task: Option<String>) {
    let (sim, trace) = (host.sim.clone(), host.trace.clone());
    trace.add(Event::Enter(Stage::Chaos));
    produce(&sim, host.stream.clone(), 0, PUT_UNTIL);
    let workers: Vec<NodeId> =
        (1..=options.workers).map(|nth| host.start(options.config(nth), ClockSpec::default(), None, Duration::ZERO).0).collect();
    sim.sleep_until(SPLIT_AT).await;
    if let Some(shard) = host.stream.open_shards().first() {
        host.stream.split(shard);
    }
    let mut dropped = None;
    while sim.now() < SHUTDOWN_AT.max(dropped.map_or(Duration::ZERO, |at| at + SETTLED_AFTER)) {
        sim.sleep(Duration::from_millis(500)).await;
        notice(&host, &mut dropped, task.as_deref());
    }
    trace.add(Event::Enter(Stage::Shutdown));
    workers.iter().for_each(|node| host.stop(*node));
    let end = sim.now() + STOPPED_AFTER;
    while sim.now() < end {
        sim.sleep(Duration::from_millis(500)).await;
        notice(&host, &mut dropped, task.as_deref());
    }
    trace.add(Event::Enter(Stage::Audit));
    // Long enough to see who still renews.
    sim.sleep(options.failover * 2).await;
}

/// Remembers since when the task is gone. Without its main task a process counts as one that is stopping.
fn notice(host: &Host, dropped: &mut Option<Duration>, task: Option<&str>) {
    if task.is_none() || dropped.is_some() || !host.sim.has_cancelled() {
        return;
    }
    *dropped = Some(host.sim.now());
    if task == Some("main") {
        host.trace.add(Event::Killed(VICTIM));
    }
}

#[cfg(test)]
mod tests;
