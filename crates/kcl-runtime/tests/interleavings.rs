//! Interleavings, leftovers and odd answers: each test names what must hold.
#![allow(clippy::unwrap_used, reason = "test support")]

mod support;

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{AbortHandle, Abortable, BoxFuture, join, join_all, select};
use kcl_core::*;
use kcl_runtime::*;
use kcl_testing::{Fault, FaultyStore, MemoryStream, StoreCall};
use support::{Event, Killable, Recorder, World, pass, until};

// ---------------------------------------------------------------------------------------------------------------------
// Support

/// A processor made of closures.
#[derive(Clone)]
struct Script {
    on_records: Arc<dyn Fn(Checkpointer, Vec<KinesisClientRecord>) -> BoxFuture<'static, ()> + Send + Sync>,
    on_end: Arc<dyn Fn(Checkpointer) -> BoxFuture<'static, ()> + Send + Sync>,
}

impl Script {
    fn new(
        on_records: impl Fn(Checkpointer, Vec<KinesisClientRecord>) -> BoxFuture<'static, ()> + Send + Sync + 'static,
    ) -> Self {
        Self { on_records: Arc::new(on_records), on_end: Arc::new(|_| futures_util::future::ready(()).boxed()) }
    }

    async fn start(&self, world: &World, store: impl LeaseStore, env: impl Env) -> Worker {
        let mut config = world.config.clone();
        config.worker_id = Some("a".into());
        let backends = Backends {
            store: Arc::new(store),
            stream: Arc::new(world.stream.clone()),
            metrics: Arc::new(NoMetrics),
            publisher: None,
            env: Arc::new(env),
        };
        Worker::start(config, backends, Arc::new(self.clone())).await.unwrap()
    }
}

struct Scripted(Script, Checkpointer);

#[async_trait::async_trait]
impl ShardRecordProcessorFactory for Script {
    async fn initialize(&self, checkpointer: Checkpointer) -> Box<dyn ShardRecordProcessor> {
        Box::new(Scripted(self.clone(), checkpointer))
    }
}

#[async_trait::async_trait]
impl ShardRecordProcessor for Scripted {
    async fn process_records(&self, records: Vec<KinesisClientRecord>, _: i64) {
        (self.0.on_records)(self.1.clone(), records).await;
    }

    async fn lease_lost(&self) {}

    async fn shard_ended(&self) {
        (self.0.on_end)(self.1.clone()).await;
    }

    async fn shutdown_requested(&self) {}
}

/// An environment of which single tasks can be ended, and whose clock can jump as after a suspension.
#[derive(Clone)]
struct Broken {
    inner: TokioEnv,
    ahead: Arc<AtomicU64>,
    tasks: Arc<Mutex<Vec<(TaskClass, String, AbortHandle)>>>,
}

impl Broken {
    fn new() -> Self {
        Self { inner: TokioEnv::on_current_runtime(), ahead: Arc::default(), tasks: Arc::default() }
    }

    fn jump(&self, by: Duration) {
        self.ahead.fetch_add(u64::try_from(by.as_nanos()).unwrap(), Ordering::SeqCst);
    }

    fn kill(&self, which: impl Fn(TaskClass, &str) -> bool) {
        self.tasks.lock().unwrap().iter().filter(|(class, name, _)| which(*class, name)).for_each(|(.., task)| task.abort());
    }
}

impl Env for Broken {
    fn now(&self) -> Mono {
        self.inner.now() + Duration::from_nanos(self.ahead.load(Ordering::SeqCst))
    }

    fn wall(&self) -> Wall {
        self.inner.wall()
    }

    fn sleep_until(&self, at: Mono) -> BoxFuture<'static, ()> {
        let env = self.clone();
        async move {
            loop {
                let left = at.since(env.now());
                if left.is_zero() {
                    return;
                }
                env.inner.sleep_until(env.inner.now() + left.min(Duration::from_millis(5))).await;
            }
        }
        .boxed()
    }

    fn spawn(&self, class: TaskClass, name: &str, task: BoxFuture<'static, ()>) -> TaskHandle {
        let (abort, registration) = AbortHandle::new_pair();
        self.tasks.lock().unwrap().push((class, name.to_owned(), abort));
        self.inner.spawn(class, name, Abortable::new(task, registration).map(|_| ()).boxed())
    }

    fn rng(&self) -> SeededRng {
        self.inner.rng()
    }
}

/// A store whose scans can be frozen: they go on showing an earlier moment, as eventually consistent ones may.
#[derive(Clone)]
struct StaleScans<S> {
    inner: S,
    frozen: Arc<Mutex<Option<Vec<Lease>>>>,
}

#[async_trait::async_trait]
impl<S: LeaseStore> LeaseStore for StaleScans<S> {
    async fn prepare(&self) -> Result<(), StoreError> {
        self.inner.prepare().await
    }

    async fn scan(&self) -> Result<LeaseScan, StoreError> {
        let scan = self.inner.scan().await?;
        let frozen = self.frozen.lock().unwrap().clone();
        Ok(frozen.map_or(scan, |leases| LeaseScan { leases, unreadable: vec![] }))
    }

    async fn get(&self, key: &LeaseKey) -> Result<Option<Lease>, StoreError> {
        self.inner.get(key).await
    }

    async fn write(&self, write: &LeaseWrite) -> Result<WriteOutcome, StoreError> {
        self.inner.write(write).await
    }
}

fn at(sequence: u64) -> Checkpoint {
    Checkpoint::At(ExtendedSequenceNumber::new(sequence.into(), 0))
}

/// A held lease and the row in the store.
struct Holder {
    held: HeldLease,
    phases: Vec<Phase>,
}

impl Holder {
    fn new(row: &Lease, sent_at: Mono) -> Self {
        let timing = LeaseTiming::from_failover(Duration::from_secs(10));
        Self { held: HeldLease::new(HoldId(1), "me".into(), timing, row.clone(), sent_at), phases: vec![] }
    }

    /// Gives one input; the writes it wants sent.
    fn input(&mut self, now: u64, input: HeldInput) -> Vec<(u64, LeaseWrite)> {
        self.held.handle(Mono::from_millis(now), input);
        let mut writes = vec![];
        while let Some(action) = self.held.poll() {
            match action {
                HeldAction::Write(number, write) => writes.push((number, write)),
                HeldAction::PhaseChanged(phase) => self.phases.push(phase),
                HeldAction::Read | HeldAction::Answer(..) => {}
            }
        }
        writes
    }

    /// The store decides the write and answers.
    fn served(&mut self, now: u64, row: &mut Lease, (number, write): &(u64, LeaseWrite)) -> Vec<(u64, LeaseWrite)> {
        let answer = match write.apply(Some(row)) {
            Ok(after) => {
                *row = after.unwrap();
                WriteAnswer::Applied(row.clone())
            }
            Err(_) => WriteAnswer::Rejected(Some(row.clone())),
        };
        self.input(now, HeldInput::WriteAnswered(*number, answer))
    }
}

fn my_row() -> Lease {
    let mut row = Lease::new("shard".into(), Checkpoint::TrimHorizon);
    row.owner = Some("me".into());
    row.counter = LeaseCounter::new(1);
    row
}

// ---------------------------------------------------------------------------------------------------------------------
// Leases that nobody takes

#[tokio::test(start_paused = true)]
async fn a_worker_that_crashed_and_came_back_under_its_name_takes_its_leases_again() {
    let world = World::new(2);
    let mut put = world.put(0..20);
    let recorder = Recorder::new("a");
    let env = Killable::new();
    let _killed = world.start_on(&recorder, world.store.clone(), world.stream.clone(), env.clone()).await.unwrap();
    until("all", || recorder.distinct() == put).await;
    env.kill();
    put.extend(world.put(20..40));
    let worker = world.start(&recorder).await;
    until("what came after the crash", || recorder.distinct() == put).await;
    worker.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_take_with_an_unknown_result_is_found_out_even_if_the_first_read_fails() {
    let world = World::new(2);
    let put = world.put(0..20);
    let store = FaultyStore::new(world.store.clone());
    store.faults().next(StoreCall::Write(Verb::Take), Fault::LoseReply);
    store.faults().next(StoreCall::Get, Fault::Throttle);
    let recorder = Recorder::new("a");
    let worker = world.start_on(&recorder, store, world.stream.clone(), TokioEnv::on_current_runtime()).await.unwrap();
    until("both shards", || recorder.distinct() == put).await;
    worker.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_lease_whose_driver_task_is_gone_is_not_renewed_for_ever() {
    let world = World::new(2);
    let mut put = world.put(0..20);
    let recorder = Recorder::new("a");
    let env = Broken::new();
    let _worker = world.start_on(&recorder, world.store.clone(), world.stream.clone(), env.clone()).await.unwrap();
    until("all", || recorder.distinct() == put).await;
    env.kill(|_, name| name.starts_with("shardId"));
    put.extend(world.put(20..40));
    let second = world.start(&recorder.beside("b")).await;
    until("somebody reads on", || recorder.distinct() == put).await;
    second.shutdown().await.unwrap();
}

// ---------------------------------------------------------------------------------------------------------------------
// Lost wake-ups

#[tokio::test(start_paused = true)]
async fn a_renewal_answered_just_after_the_deadline_does_not_leave_the_driver_asleep() {
    let mut world = World::new(1);
    world.config.max_records_per_call = 1;
    let store = FaultyStore::new(world.store.clone());
    let env = Broken::new();
    let (frozen, release) = (env.clone(), Arc::new(Mutex::new(None::<kcl_testing::FaultHandle>)));
    let answer = Arc::clone(&release);
    let mut recorder = Recorder::new("a").before_record(move |_, payload| {
        if payload == "00001" {
            // The process stood still here, past the deadline; the renewal's answer has arrived meanwhile.
            frozen.jump(Duration::from_millis(5_800));
            answer.lock().unwrap().take().unwrap().release();
        }
        futures_util::future::ready(()).boxed()
    });
    recorder.checkpoint = false;
    let worker = world.start_on(&recorder, store.clone(), world.stream.clone(), env).await.unwrap();
    world.put(0..1);
    until("running", || recorder.payloads().len() == 1).await;
    let renewal = store.faults().next(StoreCall::Write(Verb::Renew), Fault::DelayReply);
    *release.lock().unwrap() = Some(renewal.clone());
    renewal.reached().await;
    let put = world.put(1..3);
    until("both records", || put.is_subset(&recorder.distinct())).await;
    worker.shutdown().await.unwrap();
}

#[test]
fn past_the_deadline_a_tenure_is_paused_whatever_is_answered_then() {
    let mut row = my_row();
    let mut holder = Holder::new(&row, Mono::ZERO);
    let failed = holder.input(5000, HeldInput::Tick);
    holder.input(5100, HeldInput::WriteAnswered(failed[0].0, WriteAnswer::Failed));
    let renewal = holder.input(6000, HeldInput::Tick);
    assert!(!holder.held.may_begin_callback(Mono::from_millis(9000)), "a driver asks now, is refused, and waits for a phase");
    holder.served(9001, &mut row, &renewal[0]);
    assert!(matches!(holder.phases.first(), Some(Phase::Paused { .. })), "it is told of one: {:?}", holder.phases);
}

// ---------------------------------------------------------------------------------------------------------------------
// Checkpoints that go back

#[test]
fn a_checkpoint_that_arrives_late_does_not_move_the_row_back() {
    let mut row = my_row();
    let mut holder = Holder::new(&row, Mono::ZERO);
    for late in [at(7), Checkpoint::ShardEnd, at(8)] {
        let before = row.checkpoint.clone();
        // Admitted by the cell before the one before it was stored.
        let mut writes = holder.input(100, HeldInput::ChangeRequested(RowChange::Checkpoint(at(9)), Some(RequestId(1))));
        writes.extend(holder.input(100, HeldInput::ChangeRequested(RowChange::Checkpoint(late), Some(RequestId(2)))));
        while let Some(write) = writes.pop() {
            writes.extend(holder.served(100, &mut row, &write));
        }
        assert!(row.checkpoint >= before, "{before} became {}", row.checkpoint);
    }
}

#[tokio::test(start_paused = true)]
async fn calls_made_at_the_same_time_never_move_the_checkpoint_back() {
    let world = World::new(1);
    let shard = world.stream.open_shards().remove(0);
    world.put(0..3);
    let highest: Arc<Mutex<Option<ExtendedSequenceNumber>>> = Arc::default();
    let done = Arc::clone(&highest);
    let script = Script::new(move |checkpointer, records| {
        let done = Arc::clone(&done);
        async move {
            let at: Vec<_> = records.iter().map(KinesisClientRecord::extended_sequence_number).collect();
            let first = join(checkpointer.checkpoint(at[0].clone()), checkpointer.checkpoint(at[2].clone()));
            let then = join(checkpointer.prepare(at[2].clone(), None), checkpointer.checkpoint(at[1].clone()));
            let _ = join(first, then).await;
            *done.lock().unwrap() = Some(at[2].clone());
        }
        .boxed()
    });
    let worker = script.start(&world, world.store.clone(), TokioEnv::on_current_runtime()).await;
    until("all four calls have returned", || highest.lock().unwrap().is_some()).await;
    let last = highest.lock().unwrap().clone().unwrap();
    assert_eq!(world.lease(&shard).checkpoint, Checkpoint::At(last), "it was acknowledged (S9) and never goes back (S5)");
    worker.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_shard_is_never_taken_back() {
    let world = World::new(1);
    let shard = world.stream.open_shards().remove(0);
    world.put(0..3);
    let done = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&done);
    let mut script = Script::new(|_, _| futures_util::future::ready(()).boxed());
    script.on_end = Arc::new(move |checkpointer| {
        let flag = Arc::clone(&flag);
        async move {
            let last = ExtendedSequenceNumber::new(4.into(), 0);
            let others = join(checkpointer.prepare(last.clone(), None), checkpointer.checkpoint(last));
            let _ = join(checkpointer.end(), others).await;
            flag.store(true, Ordering::SeqCst);
        }
        .boxed()
    });
    let worker = script.start(&world, world.store.clone(), TokioEnv::on_current_runtime()).await;
    until("held", || world.owners().contains_key("a")).await;
    pass(Duration::from_secs(1)).await;
    world.stream.split(&shard).unwrap();
    until("the end was called", || done.load(Ordering::SeqCst)).await;
    pass(Duration::from_secs(1)).await;
    assert_eq!(world.lease(&shard).checkpoint, Checkpoint::ShardEnd);
    worker.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn after_a_panic_nothing_is_checkpointed_any_more() {
    let world = World::new(1);
    let shard = world.stream.open_shards().remove(0);
    world.put(0..3);
    let store = FaultyStore::new(world.store.clone());
    store.faults().next(StoreCall::Write(Verb::Release), Fault::Throttle);
    let env = TokioEnv::on_current_runtime();
    let (clock, stop) = (env.clone(), Arc::new(AtomicBool::new(false)));
    let stopped = Arc::clone(&stop);
    let script = Script::new(move |checkpointer, _| {
        let (clock, stopped) = (clock.clone(), Arc::clone(&stopped));
        async move {
            let timer = clock.clone();
            let background = async move {
                while !stopped.load(Ordering::SeqCst) {
                    timer.sleep_until(timer.now() + Duration::from_millis(20)).await;
                    let _ = checkpointer.checkpoint_latest().await;
                }
            };
            drop(clock.spawn(TaskClass::Work, "the application's own timer", background.boxed()));
            panic!("poison");
        }
        .boxed()
    });
    let worker = script.start(&world, store, env).await;
    until("released after the panic", || world.store.writes_of(Verb::Release).applied > 0).await;
    stop.store(true, Ordering::SeqCst);
    assert_eq!(world.lease(&shard).checkpoint, Checkpoint::TrimHorizon, "the poisoned records are not skipped (P13)");
    worker.shutdown().await.unwrap();
}

// ---------------------------------------------------------------------------------------------------------------------
// Fencing

#[test]
fn the_renewal_of_a_process_with_the_same_name_is_not_mistaken_for_ones_own() {
    let mut row = my_row();
    let mut zombie = Holder::new(&row, Mono::ZERO);
    row = LeaseWrite::take(&row, &"me".into()).apply(Some(&row)).unwrap().unwrap();
    let mut successor = Holder::new(&row, Mono::from_millis(11_000));
    for round in 0..4 {
        let now = 15_000 + round * 4_000;
        for holder in [&mut zombie, &mut successor] {
            let mut writes = holder.input(now, HeldInput::Tick);
            writes.extend(holder.input(now + 500, HeldInput::Tick));
            while let Some(write) = writes.pop() {
                writes.extend(holder.served(now + 500, &mut row, &write));
                writes.extend(holder.input(now + 1000, HeldInput::Tick));
            }
        }
    }
    let now = Mono::from_millis(29_000);
    let live = [&zombie, &successor].into_iter().filter(|holder| holder.held.may_begin_callback(now)).count();
    assert_eq!(live, 1, "one tenure survives the counter (R14, S7)");
}

#[test]
fn describing_a_row_credits_nothing_to_an_unknown_renewal() {
    let mut row = my_row();
    let mut holder = Holder::new(&row, Mono::ZERO);
    let renewal = holder.input(3400, HeldInput::Tick).remove(0);
    holder.input(3500, HeldInput::WriteAnswered(renewal.0, WriteAnswer::Indeterminate));
    // A slow read begins; it will show the row as it is now.
    holder.input(3600, HeldInput::Tick);
    holder.input(3600, HeldInput::ChangeRequested(RowChange::Describe(vec!["child".into()]), None));
    let seen = row.clone();
    // The renewal arrives at last: others start their timers.
    row = renewal.1.apply(Some(&row)).unwrap().unwrap();
    let describe = holder.input(6000, HeldInput::RowRead(Some(Some(seen)))).remove(0);
    assert_eq!(describe.1.verb(), Verb::Describe);
    holder.served(6100, &mut row, &describe);
    let earliest = Mono::from_millis(3400) + Duration::from_secs(9);
    assert!(!holder.held.may_begin_callback(earliest), "the deadline counts from the renewal that was sent at 3.4 s (P5)");
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_held_is_never_taken_from_oneself() {
    let world = World::new(8);
    let recorder = Recorder::new("a");
    let a = world.start(&recorder).await;
    until("a has all", || world.owners().get("a") == Some(&8)).await;
    let store = FaultyStore::new(StaleScans { inner: world.store.clone(), frozen: Arc::default() });
    let stale = StaleScans { inner: store.clone(), frozen: Arc::new(Mutex::new(Some(world.store.leases()))) };
    let plan = store.faults();
    let takes: Vec<_> = (0..4).map(|_| plan.next(StoreCall::Write(Verb::Take), Fault::DelayReply)).collect();
    let reads = plan.every(StoreCall::Get, Fault::Delay);
    let scan = plan.nth(StoreCall::Scan, 2, Fault::Delay);
    let mut eager = world.clone();
    eager.config.management.leases_to_acquire = 8;
    let b = eager.start_on(&recorder.beside("b"), stale.clone(), world.stream.clone(), TokioEnv::on_current_runtime()).await;
    let b = b.unwrap();
    for take in &takes {
        take.reached().await;
    }
    let again = plan.every(StoreCall::Write(Verb::Take), Fault::Delay);
    // The takes are applied, their answers lost; the rows are being read; an old scan arrives, and b plans anew.
    reads.reached().await;
    scan.release();
    again.reached().await;
    reads.release();
    pass(Duration::from_millis(100)).await;
    again.release();
    *stale.frozen.lock().unwrap() = None;
    pass(Duration::from_secs(5)).await;
    // Leases may move back and forth in such a muddle; but one tenure ends before the next begins.
    let mut drivers: BTreeMap<String, usize> = BTreeMap::new();
    for (_, shard, event) in recorder.log().into_iter().filter(|(worker, ..)| worker == "b") {
        let running = drivers.entry(shard.clone()).or_default();
        match event {
            Event::Initialize(_) => *running += 1,
            Event::LeaseLost => *running -= 1,
            _ => {}
        }
        assert!(*running <= 1, "two drivers for {shard} at the same time");
    }
    a.shutdown().await.unwrap();
    b.shutdown().await.unwrap();
}

/// The row does not tell which of two lost takes wrote it, and the deadline of a tenure must not count from the later (P5).
#[tokio::test(start_paused = true)]
async fn a_take_whose_answer_was_lost_is_taken_again_before_anything_begins() {
    let world = World::new(1);
    let recorder = Recorder::new("a");
    let store = FaultyStore::new(world.store.clone());
    let plan = store.faults();
    let lost = plan.next(StoreCall::Write(Verb::Take), Fault::DelayReply);
    let again = plan.nth(StoreCall::Write(Verb::Take), 2, Fault::Delay);
    let worker = world.start_on(&recorder, store.clone(), world.stream.clone(), TokioEnv::on_current_runtime()).await.unwrap();
    lost.reached().await;
    let taken_again = again.reached().map(|()| true);
    let waited = pass(Duration::from_secs(60)).map(|()| false);
    let is_taken_again = select(Box::pin(taken_again), Box::pin(waited)).await.factor_first().0;
    assert!(is_taken_again, "the lost take is believed from the row");
    assert_eq!(world.owners().get("a"), Some(&1), "the first take is stored");
    assert_eq!(recorder.log(), [], "a tenure began with a take that nobody answered");
    again.release();
    until("the processor runs", || !recorder.log().is_empty()).await;
    worker.shutdown().await.unwrap();
}

// ---------------------------------------------------------------------------------------------------------------------
// Shards: which are read, from where, and when

fn shard(id: &str, parents: &[&str], range: (u128, u128), open: bool) -> Shard {
    Shard {
        id: id.into(),
        parents: parents.iter().map(|&parent| parent.into()).collect(),
        hash_range: HashKeyRange { start: range.0, end: range.1 },
        starting_sequence_number: None,
        ending_sequence_number: (!open).then(|| 1.into()),
    }
}

#[test]
fn a_start_at_latest_never_creates_a_closed_shard_whose_children_have_rows() {
    const HALF: u128 = u128::MAX / 2;
    const QUARTER: u128 = HALF / 2;
    let shards = [
        shard("0", &[], (0, u128::MAX), false),
        shard("1", &["0"], (0, HALF), true),
        shard("2", &["0"], (HALF + 1, u128::MAX), false),
        shard("3", &["2"], (HALF + 1, HALF + QUARTER), true),
        shard("4", &["2"], (HALF + QUARTER + 1, u128::MAX), true),
    ];
    let now = Wall::from_unix_millis(1);
    let created = |leases: &[Lease]| -> Vec<Lease> {
        let leases: Vec<&Lease> = leases.iter().collect();
        let writes = plan_shard_sync(&shards, &leases, StartStrategy::Latest, now);
        let lease = |write: &LeaseWrite| match write.change() {
            Change::Put(lease) => (**lease).clone(),
            other => panic!("{other:?}"),
        };
        writes.iter().map(lease).collect()
    };
    let mut leases = created(&[]);
    assert_eq!(leases.iter().map(|lease| lease.key.as_str()).collect::<Vec<_>>(), ["1", "3", "4"]);
    leases[0].checkpoint = at(5);
    assert_eq!(created(&leases), [], "shard 1 was read; that says nothing about 2, which the start left out");
}

#[tokio::test(start_paused = true)]
async fn a_start_at_a_timestamp_delivers_nothing_older() {
    let mut world = World::new(1);
    world.put(0..5);
    world.stream.advance(Duration::from_secs(3600));
    let parent = world.stream.open_shards().remove(0);
    world.stream.split(&parent).unwrap();
    world.put(5..10);
    world.stream.advance(Duration::from_secs(3600));
    let start = MemoryStream::START.unix_millis() + 7_000_000;
    world.config.management.start_strategy = StartStrategy::Timestamp(start);
    let put = world.put(10..20);
    let recorder = Recorder::new("a");
    let worker = world.start(&recorder).await;
    until("what was put after the timestamp", || put.is_subset(&recorder.distinct())).await;
    assert_eq!(recorder.distinct(), put);
    worker.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_stuck_processor_does_not_hold_back_the_children_of_the_shard_it_lost() {
    let world = World::new(1);
    let parent = world.stream.open_shards().remove(0);
    let recorder = Recorder::new("a").before_record(|_, payload| {
        let stuck = payload == "00000";
        async move {
            if stuck {
                std::future::pending().await
            }
        }
        .boxed()
    });
    let worker = world.start(&recorder).await;
    world.put(0..1);
    until("held", || world.owners().contains_key("a")).await;
    pass(Duration::from_secs(1)).await;
    // Another worker takes the lease, reads the shard to its end and creates the children.
    let row = world.lease(&parent);
    let mut taken = LeaseWrite::take(&row, &"java".into()).apply(Some(&row)).unwrap().unwrap();
    let children = world.stream.split(&parent).unwrap();
    taken.checkpoint = Checkpoint::ShardEnd;
    taken.children = children.to_vec();
    world.store.put(taken);
    for child in &children {
        let mut lease = Lease::new(LeaseKey::of_shard(child), Checkpoint::TrimHorizon);
        lease.parents = vec![parent.clone()];
        world.store.put(lease);
    }
    let put = world.put(10..30);
    until("the children are read", || recorder.distinct() == put).await;
    drop(worker);
}

/// A stream whose listings become incomplete.
struct Partial(MemoryStream, Arc<AtomicBool>, ShardId);

#[async_trait::async_trait]
impl StreamReader for Partial {
    async fn list_shards(&self, filter: ShardFilter) -> Result<Vec<Shard>, ReadError> {
        let mut shards = self.0.list_shards(filter).await?;
        if self.1.load(Ordering::SeqCst) {
            shards.retain(|shard| shard.id == self.2);
        }
        Ok(shards)
    }

    async fn open(&self, shard: &ShardId, position: &ReadPosition) -> Result<Box<dyn ShardReader>, ReadError> {
        self.0.open(shard, position).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_listing_that_is_known_to_be_incomplete_proves_nothing_about_parents() {
    let world = World::new(1);
    let parent = world.stream.open_shards().remove(0);
    world.put(0..5);
    let [child, other] = world.stream.split(&parent).unwrap();
    let mut led = Lease::new(LeaseKey::of_shard(&other), Checkpoint::TrimHorizon);
    led.owner = Some("0-leader".into());
    led.parents = vec![parent.clone()];
    world.store.put(led);
    let elsewhere = Lease { owner: Some("0-leader".into()), ..Lease::new("some-other-shard".into(), at(1)) };
    world.store.put(elsewhere);
    let partial = Arc::new(AtomicBool::new(false));
    let stream = Partial(world.stream.clone(), Arc::clone(&partial), child.clone());
    let recorder = Recorder::new("a");
    let env = TokioEnv::on_current_runtime();
    let worker = world.start_on(&recorder, world.store.clone(), stream, env).await.unwrap();
    pass(Duration::from_secs(2)).await;
    partial.store(true, Ordering::SeqCst);
    // The parent's row was lost; a leader that is not this worker will see to that.
    let row = Lease { parents: vec![parent.clone()], ..Lease::new(LeaseKey::of_shard(&child), Checkpoint::TrimHorizon) };
    world.store.put(row);
    pass(Duration::from_secs(8)).await;
    assert!(world.owners().contains_key("a"), "the child is held");
    assert_eq!(recorder.events_of(&child), [], "and waits: nobody has read its parent (S4)");
    worker.shutdown().await.unwrap();
}

#[test]
fn a_long_history_of_resharding_is_planned_in_time_and_stack() {
    let parents: Vec<String> = (0..10_000).map(|number| number.to_string()).collect();
    let chain: Vec<Shard> = (0..10_000)
        .map(|number| {
            let parent: Vec<&str> = if number == 0 { vec![] } else { vec![&parents[number - 1]] };
            shard(&parents[number], &parent, (0, u128::MAX), number == 9_999)
        })
        .collect();
    let writes = plan_shard_sync(&chain, &[], StartStrategy::Oldest, Wall::from_unix_millis(1));
    assert_eq!(writes.len(), 1);
}

// ---------------------------------------------------------------------------------------------------------------------
// Health, status, shutdown

#[tokio::test(start_paused = true)]
async fn two_refusals_with_a_long_time_between_do_not_stop_the_consumer() {
    let world = World::new(1);
    let store = FaultyStore::new(world.store.clone());
    let refused = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&refused);
    let script = Script::new(move |checkpointer, records| {
        let count = Arc::clone(&count);
        async move {
            // A state that is too large for a row, say.
            let prepared = checkpointer.prepare(records[0].extended_sequence_number(), None).await;
            assert!(matches!(prepared, Err(CheckpointError::Store(_))));
            count.fetch_add(1, Ordering::SeqCst);
        }
        .boxed()
    });
    let worker = script.start(&world, store.clone(), TokioEnv::on_current_runtime()).await;
    for number in 0..2 {
        store.faults().next(StoreCall::Write(Verb::PrepareCheckpoint), Fault::FailBefore(ErrorKind::Invalid));
        world.put(number..number + 1);
        until("refused", || refused.load(Ordering::SeqCst) == u64::from(number) + 1).await;
        pass(Duration::from_secs(60)).await;
    }
    assert_eq!(worker.status().state, ConsumerState::Running);
    worker.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_consumer_whose_coordinator_died_does_not_say_that_it_runs() {
    let world = World::new(1);
    let env = Broken::new();
    let worker = world.start_on(&Recorder::new("a"), world.store.clone(), world.stream.clone(), env.clone()).await.unwrap();
    until("running", || world.owners().contains_key("a")).await;
    env.kill(|class, _| class == TaskClass::Coordination);
    assert!(matches!(worker.wait().await, Err(ConsumerError::CoordinationDied)));
    assert_eq!(worker.status().state, ConsumerState::Stopped);
}

#[tokio::test(start_paused = true)]
async fn an_end_whose_answer_was_lost_is_an_end_in_the_status_too() {
    let world = World::new(1);
    let parent = world.stream.open_shards().remove(0);
    let store = FaultyStore::new(world.store.clone());
    let recorder = Recorder::new("a");
    let worker = world.start_on(&recorder, store.clone(), world.stream.clone(), TokioEnv::on_current_runtime()).await.unwrap();
    until("held", || world.owners().contains_key("a")).await;
    store.faults().next(StoreCall::Write(Verb::Checkpoint), Fault::LoseReply);
    world.stream.split(&parent).unwrap();
    until("ended", || world.lease(&parent).checkpoint.is_shard_end()).await;
    pass(Duration::from_secs(20)).await;
    let status = worker.status().leases.into_iter().find(|lease| lease.shard_id == parent).unwrap();
    assert_eq!(status.state, LeaseState::Ended);
    worker.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
#[allow(clippy::disallowed_methods, reason = "the mailbox is filled in one poll")]
async fn dropping_a_worker_stops_it_however_busy_it_is() {
    let world = World::new(1);
    world.put(0..3);
    let handle: Arc<Mutex<Option<Worker>>> = Arc::default();
    let owner = Arc::clone(&handle);
    let gate = Arc::new(tokio::sync::Notify::new());
    let opened = Arc::clone(&gate);
    let script = Script::new(move |checkpointer, _| {
        let (owner, opened) = (Arc::clone(&owner), Arc::clone(&opened));
        async move {
            opened.notified().await;
            let mut calls: Vec<_> = (0..300).map(|_| checkpointer.checkpoint_latest().boxed()).collect();
            let once = poll_fn(|context| {
                assert!(calls.iter_mut().all(|call| call.poll_unpin(context).is_pending()));
                drop(owner.lock().unwrap().take());
                Poll::Ready(())
            });
            tokio::task::unconstrained(once).await;
            join_all(calls).await;
        }
        .boxed()
    });
    let worker = script.start(&world, world.store.clone(), TokioEnv::on_current_runtime()).await;
    until("held", || world.owners().contains_key("a")).await;
    pass(Duration::from_secs(1)).await;
    *handle.lock().unwrap() = Some(worker);
    gate.notify_one();
    until("released", || world.owners().contains_key("-")).await;
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_dies_while_the_table_is_made_is_given_up_after_the_start_timeout() {
    let world = World::new(1);
    let store = FaultyStore::new(world.store.clone());
    store.faults().next(StoreCall::Prepare, Fault::FailBefore(ErrorKind::NotReady));
    store.faults().every(StoreCall::Prepare, Fault::Delay);
    let begun = support::now();
    let env = TokioEnv::on_current_runtime();
    let error = world.start_on(&Recorder::new("a"), store, world.stream.clone(), env).await.unwrap_err();
    let took = support::now().since(begun);
    assert!(took < Duration::from_secs(21), "{took:?}: {error:?}");
}
