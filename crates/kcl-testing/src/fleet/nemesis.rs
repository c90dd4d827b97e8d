use std::time::Duration;

use futures_util::FutureExt;
use kcl_core::{ErrorKind, ShardId, Verb};

use super::draws::{Draws, Purpose};
use super::faults::FaultKind;
use super::options::Options;
use super::process::Process;
use super::trace::{Event, Trace};
use crate::{Fault, FaultHandle, FaultyStore, MemoryStream, StoreCall, StreamCall};

/// No more shards than this are open at a time.
const MOST_SHARDS: usize = 12;
/// No more faults than this wait for a call, for each process.
const MOST_PLANNED: usize = 4;
/// The longest that an answer or a late write takes; shorter than finished rows are kept.
const SLOWEST: Duration = Duration::from_secs(25);

const STORE_CALLS: [StoreCall; 6] = [
    StoreCall::Scan,
    StoreCall::Get,
    StoreCall::AnyWrite,
    StoreCall::Write(Verb::Renew),
    StoreCall::Write(Verb::Take),
    StoreCall::Write(Verb::Checkpoint),
];
const STREAM_CALLS: [StreamCall; 3] = [StreamCall::ListShards, StreamCall::Open, StreamCall::Next];

const FOR_CALLS: [FaultKind; 6] = [
    FaultKind::Throttles,
    FaultKind::Failures,
    FaultKind::LostAnswers,
    FaultKind::LateWrites,
    FaultKind::SlowAnswers,
    FaultKind::ExpiredIterators,
];
const EVENTS: [FaultKind; 6] =
    [FaultKind::Cuts, FaultKind::Pauses, FaultKind::Kills, FaultKind::Restarts, FaultKind::Splits, FaultKind::Merges];

/// What makes trouble until the faults stop.
pub(super) struct Nemesis {
    draws: Draws,
    trace: Trace,
    stream: MemoryStream,
    for_calls: Vec<FaultKind>,
    events: Vec<FaultKind>,
    call_faults: u64,
    event_pause: Duration,
    longest: Duration,
    next_event: Duration,
    /// Answers that are held back, and until when.
    slow: Vec<(Duration, FaultHandle)>,
    /// The store as every process sees it, also those that are gone: some of their writes may be late.
    stores: Vec<FaultyStore>,
    /// When the writes that are late happen.
    late_due: Duration,
}

impl Nemesis {
    pub(super) fn new(options: &Options, seed: u64, stream: MemoryStream, trace: Trace) -> Self {
        Self {
            draws: Draws::new(seed, Purpose::Nemesis, 0),
            trace,
            stream,
            for_calls: options.faults.among(&FOR_CALLS),
            events: options.faults.among(&EVENTS),
            call_faults: options.call_faults,
            event_pause: options.event_pause,
            longest: options.config.failover_time * 3,
            next_event: options.event_pause,
            slow: Vec::new(),
            stores: Vec::new(),
            late_due: SLOWEST,
        }
    }

    /// The store as one more process sees it.
    pub(super) fn watch(&mut self, store: FaultyStore) {
        self.stores.push(store);
    }

    /// Makes trouble for these processes, and ends what is over.
    pub(super) fn tick(&mut self, now: Duration, processes: &mut Vec<Process>) {
        self.relieve(now);
        for process in processes.iter_mut() {
            process.join(now);
        }
        if self.draws.happens(self.call_faults)
            && let (Some(kind), Some(process)) =
                (self.draws.pick(&self.for_calls), processes.get(self.draws.below(processes.len())))
        {
            self.plan(now, kind, process);
        }
        if now >= self.next_event {
            self.next_event = now + self.draws.time(Duration::from_millis(500), self.event_pause);
            if let Some(kind) = self.draws.pick(&self.events) {
                self.strike(now, kind, processes);
            }
        }
    }

    /// The faults have stopped: nothing new meets one, and what is under way arrives.
    pub(super) fn heal(&mut self, processes: &mut [Process]) {
        self.relieve(Duration::MAX);
        for process in processes {
            process.join(Duration::MAX);
            process.store.faults().clear();
            process.stream.faults().clear();
            process.frozen_until = process.frozen_until.map(|_| Duration::ZERO);
        }
    }

    fn relieve(&mut self, now: Duration) {
        for (_, answer) in self.slow.extract_if(.., |(due, _)| *due <= now) {
            answer.release();
        }
        if now >= self.late_due {
            self.late_due = self.soon(now);
            for store in &self.stores {
                // The table in memory answers at once.
                let _ = store.apply_late().now_or_never();
            }
        }
    }

    /// Plans a fault for one of the next calls of a process.
    fn plan(&mut self, now: Duration, kind: FaultKind, process: &Process) {
        if process.store.faults().outstanding() + process.stream.faults().outstanding() >= MOST_PLANNED {
            return;
        }
        let (fault, due) = match kind {
            FaultKind::Throttles => (Fault::Throttle, None),
            FaultKind::LostAnswers => (Fault::LoseReply, None),
            FaultKind::LateWrites => (Fault::ApplyLate, None),
            FaultKind::SlowAnswers => (Fault::DelayReply, Some(self.soon(now))),
            FaultKind::ExpiredIterators => (Fault::FailBefore(ErrorKind::Expired), None),
            _ => (Fault::FailBefore(ErrorKind::Unavailable), None),
        };
        let of_store = matches!(kind, FaultKind::LateWrites) || self.draws.happens(5_000);
        let what = if of_store && kind != FaultKind::ExpiredIterators {
            let calls = if kind == FaultKind::LateWrites { STORE_CALLS.get(2..) } else { STORE_CALLS.get(..) };
            let Some(call) = self.draws.pick(calls.unwrap_or_default()) else { return };
            let handle = process.store.faults().next(call, fault);
            self.slow.extend(due.map(|due| (due, handle)));
            format!("the next {call:?} of {}", process.name)
        } else {
            let calls = if kind == FaultKind::ExpiredIterators { STREAM_CALLS.get(2..) } else { STREAM_CALLS.get(..) };
            let Some(call) = self.draws.pick(calls.unwrap_or_default()) else { return };
            let handle = process.stream.faults().next(call, fault);
            self.slow.extend(due.map(|due| (due, handle)));
            format!("the next {call:?} of {}", process.name)
        };
        self.trace.add(Event::Fault(kind, what));
    }

    fn soon(&mut self, now: Duration) -> Duration {
        now.saturating_add(self.draws.time(Duration::from_secs(1), SLOWEST))
    }

    /// A larger event.
    fn strike(&mut self, now: Duration, kind: FaultKind, processes: &mut Vec<Process>) {
        let victim = self.draws.below(processes.len());
        let until = now + self.draws.time(Duration::from_millis(500), self.longest);
        let what = match (kind, processes.get_mut(victim)) {
            (FaultKind::Splits | FaultKind::Merges, _) => self.reshard(kind),
            (_, None) => None,
            (FaultKind::Cuts, Some(process)) if process.cut_until.is_none() => {
                process.cut(until);
                Some(format!("{} is cut off from the lease store until {until:?}", process.name))
            }
            (FaultKind::Pauses, Some(process)) if process.frozen_until.is_none() => {
                process.frozen_until = Some(until);
                Some(format!("{} stands still until {until:?}", process.name))
            }
            (FaultKind::Restarts, Some(process)) if !process.is_stopping() => {
                process.stop();
                Some(format!("{} is asked to shut down", process.name))
            }
            (FaultKind::Kills, Some(_)) => {
                let process = processes.remove(victim);
                Some(format!("{} is killed", process.name))
            }
            _ => None,
        };
        if let Some(what) = what {
            self.trace.add(Event::Fault(kind, what));
        }
    }

    fn reshard(&mut self, kind: FaultKind) -> Option<String> {
        let mut open: Vec<_> = self.stream.shards().into_iter().filter(|shard| shard.is_open()).collect();
        open.sort_by_key(|shard| shard.hash_range.start);
        let at = self.draws.below(open.len());
        let shard: &ShardId = &open.get(at)?.id;
        if kind == FaultKind::Splits {
            let children = (open.len() < MOST_SHARDS).then(|| self.stream.split(shard).ok()).flatten()?;
            return Some(format!("{shard} is split into {children:?}"));
        }
        let other = &open.get(at + 1)?.id;
        let child = self.stream.merge(shard, other).ok()?;
        Some(format!("{shard} and {other} are merged into {child}"))
    }
}
