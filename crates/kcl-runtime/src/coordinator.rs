//! The one task that observes, takes, renews and gives up leases. It decides nothing itself: it asks the planners and
//! machines of `kcl-core`, sends what they want sent, and tells them what came back.

mod audits;
mod call;
mod commands;
mod creations;
mod fleet;
mod gates;
mod hand_off;
mod health;
mod rounds;
mod shutdown;
mod takes;
mod tenures;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use kcl_core::{FleetMode, HoleWatch, LeaseKey, Listings, Mono, Observer, ReadPacing, RequestId, Requests, Shard};
use rand::RngExt;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::command::Command;
use crate::env::SeededRng;
use crate::error::ConsumerError;
use crate::parts::Parts;
use crate::race::{Either, race2};
use call::Completion;
use creations::Creations;
use fleet::FleetWatch;
pub(crate) use fleet::report;
use health::StoreHealth;
use rounds::SyncReads;
use shutdown::Shutdown;
use takes::Takes;
use tenures::{Aversions, Tenure};

/// What the coordinator waits for, besides time.
enum Event {
    Answer(Box<Completion>),
    Command(Option<Command>),
}

pub(crate) struct Coordinator {
    parts: Arc<Parts>,
    rng: SeededRng,
    mailbox: mpsc::Receiver<Command>,
    commands: mpsc::Sender<Command>,
    calls: FuturesUnordered<BoxFuture<'static, Completion>>,
    observer: Observer,
    tenures: BTreeMap<LeaseKey, Tenure>,
    aversions: Aversions,
    /// When the machine of which held lease wants to be woken.
    wake_ups: BTreeSet<(Mono, LeaseKey)>,
    takes: Takes,
    /// The leases that this worker has asked their owners for, and the requests whose answers are awaited.
    requests: Requests,
    unanswered_requests: BTreeSet<LeaseKey>,
    /// How many single rows are being read, and those that wait for it.
    rows_read: usize,
    row_reads: ReadPacing,
    rows_to_read: VecDeque<LeaseKey>,
    /// Whether something has changed that a round of taking, or a held lease's gate, depends on.
    round_due: bool,
    gates_due: bool,
    /// While takes are under way gates are looked at no sooner.
    next_gates: Mono,
    /// Shards without progress, and how often that was seen.
    stalls: BTreeMap<LeaseKey, u32>,
    answers_first: bool,
    creations: Creations,
    callers: BTreeMap<RequestId, oneshot::Sender<Result<(), kcl_core::CheckpointError>>>,
    listings: Listings,
    listing_since: Option<Mono>,
    sync_wanted: bool,
    /// The next listing that is answered is audited.
    audit_due: bool,
    holes: HoleWatch,
    sync_reads: SyncReads,
    scanning: bool,
    scanned: bool,
    /// When the table was last read.
    last_scan: Mono,
    fleet: FleetWatch,
    health: StoreHealth,
    /// Since when every listing was refused for good.
    stream_refused_since: Option<Mono>,
    unreadable: BTreeMap<String, u32>,
    next_scan: Mono,
    /// Until when a table that refused to be scanned is left alone.
    no_scan_before: Mono,
    next_sync: Mono,
    next_cleanup: Mono,
    last_hold: u64,
    last_request: u64,
    /// Cancelled by whoever wants the worker to stop.
    stop: CancellationToken,
    stop_consumers: CancellationToken,
    shutdown: Option<Shutdown>,
    failure: Option<ConsumerError>,
}

impl Coordinator {
    pub(crate) fn new(
        parts: Arc<Parts>,
        commands: mpsc::Sender<Command>,
        mailbox: mpsc::Receiver<Command>,
        stop: CancellationToken,
        listing: Vec<Shard>,
        mode: FleetMode,
    ) -> Self {
        let now = parts.env.now();
        let mut listings = Listings::new(parts.timing.failover);
        listings.see(now, listing);
        let mut rng = parts.env.rng();
        Self {
            fleet: FleetWatch::new(now, mode, &mut rng),
            rng,
            mailbox,
            commands,
            calls: FuturesUnordered::new(),
            observer: Observer::new(parts.timing.failover, parts.timing.quiet),
            tenures: BTreeMap::new(),
            aversions: Aversions::default(),
            wake_ups: BTreeSet::new(),
            takes: Takes::default(),
            requests: Requests::new(parts.me.clone(), parts.timing, parts.config.hand_off_timeout),
            unanswered_requests: BTreeSet::new(),
            rows_read: 0,
            row_reads: ReadPacing::new(parts.timing.renew),
            rows_to_read: VecDeque::new(),
            round_due: false,
            gates_due: false,
            next_gates: now,
            stalls: BTreeMap::new(),
            answers_first: true,
            creations: Creations::default(),
            callers: BTreeMap::new(),
            listings,
            listing_since: None,
            sync_wanted: true,
            audit_due: false,
            holes: HoleWatch::default(),
            sync_reads: SyncReads::default(),
            scanning: false,
            scanned: false,
            last_scan: now,
            health: StoreHealth::default(),
            stream_refused_since: None,
            unreadable: BTreeMap::new(),
            next_scan: now,
            no_scan_before: now,
            next_sync: now + parts.config.shard_sync_interval,
            next_cleanup: now + parts.config.lease_cleanup_interval / 5,
            last_hold: 0,
            last_request: 0,
            stop,
            stop_consumers: CancellationToken::new(),
            shutdown: None,
            failure: None,
            parts,
        }
    }

    /// Runs until the shutdown is complete.
    pub(crate) async fn run(mut self) -> Result<(), ConsumerError> {
        while !self.is_finished() {
            self.fire_timers();
            let wake = self.parts.env.sleep_until(self.deadline());
            let (mailbox, calls, stop) = (&mut self.mailbox, &mut self.calls, &self.stop);
            let shutting_down = self.shutdown.is_some();
            let stopped = async {
                if shutting_down {
                    std::future::pending::<()>().await;
                }
                stop.cancelled().await;
            };
            let completion = async {
                match calls.next().await {
                    Some(completion) => completion,
                    None => std::future::pending().await,
                }
            };
            // Answers and commands take turns, so that neither keeps the other waiting.
            self.answers_first = !self.answers_first;
            let (answer, command) =
                (completion.map(|completion| Event::Answer(Box::new(completion))), mailbox.recv().map(Event::Command));
            let event = if self.answers_first {
                race2(answer, command).map(Either::into_inner).left_future()
            } else {
                race2(command, answer).map(Either::into_inner).right_future()
            };
            match race2(stopped, race2(event, wake)).await {
                Either::First(()) => self.begin_shutdown(),
                Either::Second(Either::First(Event::Answer(completion))) => self.complete(*completion),
                Either::Second(Either::First(Event::Command(Some(command)))) => self.command(command),
                // The coordinator holds a sender itself: the mailbox never closes before this task ends.
                Either::Second(Either::First(Event::Command(None)) | Either::Second(())) => {}
            }
        }
        self.result()
    }

    fn now(&self) -> Mono {
        self.parts.env.now()
    }

    fn deadline(&self) -> Mono {
        let far = self.now() + Duration::from_secs(3600);
        let scan = (!self.scanning && !self.is_shutting_down()).then_some(self.next_scan);
        let periodic = (!self.is_shutting_down()).then(|| self.next_sync.min(self.next_cleanup));
        let fleet = if self.is_shutting_down() { None } else { self.fleet.deadline() };
        let observer = if self.is_shutting_down() { None } else { self.observer.deadline() };
        let tenures = self.wake_ups.first().map(|(at, _)| *at);
        let shutdown = self.shutdown.as_ref().map(|shutdown| shutdown.deadline);
        let creations = self.creations.next_send();
        let requests = if self.is_shutting_down() { None } else { self.requests.deadline() };
        let wanted = [scan, periodic, fleet, observer, tenures, shutdown, creations, requests];
        wanted.into_iter().flatten().min().unwrap_or(far).min(far)
    }

    fn fire_timers(&mut self) {
        let now = self.now();
        self.tick_tenures(now);
        self.send_creations(now);
        if self.is_shutting_down() {
            return self.advance_shutdown(now);
        }
        if self.gates_due && (!self.takes.are_under_way() || now >= self.next_gates) {
            self.next_gates = now + self.parts.timing.failover / 10;
            self.start_drivers(now);
        }
        let asked_for = self.requests.due(now);
        let asked_for = self.row_reads.admit(now, asked_for);
        self.read_rows(asked_for);
        let tenures = &self.tenures;
        let is_held = |key: &LeaseKey| tenures.get(key).is_some_and(|tenure| !tenure.is_dead());
        // A round decides which of them to read.
        self.round_due |= !self.observer.due(now, is_held, self.parts.timing.renew).is_empty();
        if self.round_due && self.rows_read == 0 {
            self.take_round(now);
        }
        if now >= self.next_scan && !self.scanning {
            self.scan();
        }
        self.watch_fleet(now);
        if now >= self.next_sync {
            self.next_sync = now + self.jittered(self.parts.config.shard_sync_interval);
            if self.leads() {
                (self.sync_wanted, self.audit_due) = (true, true);
                self.request_listing(now);
            } else {
                self.holes = HoleWatch::default();
            }
        }
        if now >= self.next_cleanup {
            self.next_cleanup = now + self.jittered(self.parts.config.lease_cleanup_interval / 5);
            self.clean_up(now);
        }
    }

    /// `interval` shortened by up to a tenth, so that the workers of a fleet do not act in step.
    fn jittered(&mut self, interval: Duration) -> Duration {
        interval.mul_f64(self.rng.random_range(0.9..=1.0))
    }
}
