//! The shipped drivers on a toy executor: one thread, virtual time, ready tasks picked at random from a seed. The same
//! seed must give the same run, whatever the machine does: the drivers take nothing from outside their environment.

#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use kcl_core::{Mono, Wall};
use kcl_runtime::{Env, SeededRng, TaskClass, TaskEnd, TaskHandle};
use rand::{RngExt, SeedableRng};
use support::{Recorder, World};
use tokio::sync::oneshot;

#[derive(Clone)]
struct Toy(Arc<Mutex<State>>);

struct State {
    now: Mono,
    rng: SeededRng,
    tasks: BTreeMap<u64, BoxFuture<'static, ()>>,
    ready: Arc<Mutex<Vec<u64>>>,
    timers: BTreeMap<(Mono, u64), Waker>,
    last: u64,
    polls: u64,
}

struct Readiness(u64, Arc<Mutex<Vec<u64>>>);

impl Wake for Readiness {
    fn wake(self: Arc<Self>) {
        let mut ready = self.1.lock().unwrap();
        if !ready.contains(&self.0) {
            ready.push(self.0);
        }
    }
}

impl Toy {
    fn new(seed: u64) -> Self {
        let rng = SeededRng::seed_from_u64(seed);
        let (tasks, timers) = (BTreeMap::new(), BTreeMap::new());
        Self(Arc::new(Mutex::new(State { now: Mono::ZERO, rng, tasks, ready: Arc::default(), timers, last: 0, polls: 0 })))
    }

    fn add(&self, task: BoxFuture<'static, ()>) -> u64 {
        let mut state = self.0.lock().unwrap();
        state.last += 1;
        let id = state.last;
        state.tasks.insert(id, task);
        state.ready.lock().unwrap().push(id);
        id
    }

    /// Runs until the main task is done; how many polls that took. Panics on a deadlock and after an hour of virtual time.
    fn run<T: Send + 'static>(&self, main: impl Future<Output = T> + Send + 'static) -> (T, u64) {
        let result = Arc::new(Mutex::new(None));
        let slot = Arc::clone(&result);
        self.add(async move { *slot.lock().unwrap() = Some(main.await) }.boxed());
        loop {
            if let Some(result) = result.lock().unwrap().take() {
                return (result, self.0.lock().unwrap().polls);
            }
            self.step();
        }
    }

    fn step(&self) {
        let mut state = self.0.lock().unwrap();
        let ready = Arc::clone(&state.ready);
        let waiting = ready.lock().unwrap().len();
        if waiting == 0 {
            let Some(((at, _), waker)) = state.timers.pop_first() else { panic!("deadlock") };
            state.now = state.now.max(at);
            assert!(state.now < Mono::from_millis(3_600_000), "an hour has passed");
            drop(state);
            return waker.wake();
        }
        let pick = state.rng.random_range(0..waiting);
        let id = ready.lock().unwrap().swap_remove(pick);
        state.polls += 1;
        let Some(mut task) = state.tasks.remove(&id) else { return };
        drop(state);
        let waker = Waker::from(Arc::new(Readiness(id, ready)));
        if task.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
            self.0.lock().unwrap().tasks.insert(id, task);
        }
    }
}

impl Env for Toy {
    fn now(&self) -> Mono {
        self.0.lock().unwrap().now
    }

    fn wall(&self) -> Wall {
        Wall::from_unix_millis(1_700_000_000_000 + i64::try_from(self.now().as_nanos() / 1_000_000).unwrap())
    }

    fn sleep_until(&self, at: Mono) -> BoxFuture<'static, ()> {
        let toy = self.clone();
        poll_fn(move |context| {
            let mut state = toy.0.lock().unwrap();
            if state.now >= at {
                return Poll::Ready(());
            }
            state.last += 1;
            let key = (at, state.last);
            state.timers.insert(key, context.waker().clone());
            Poll::Pending
        })
        .boxed()
    }

    fn spawn(&self, _class: TaskClass, _name: &str, task: BoxFuture<'static, ()>) -> TaskHandle {
        let (done, end) = oneshot::channel();
        let id = self.add(
            async move {
                task.await;
                let _ = done.send(());
            }
            .boxed(),
        );
        let toy = self.clone();
        let end = end.map(|end| if end.is_ok() { TaskEnd::Done } else { TaskEnd::Aborted });
        TaskHandle::new(end.boxed(), move || drop(toy.0.lock().unwrap().tasks.remove(&id)))
    }

    fn rng(&self) -> SeededRng {
        let seed = self.0.lock().unwrap().rng.random();
        SeededRng::seed_from_u64(seed)
    }
}

/// Two workers, a split, a shutdown: everything that happened, in order, and how many polls it took.
fn fleet(seed: u64) -> (String, u64) {
    let toy = Toy::new(seed);
    let env = toy.clone();
    toy.run(async move {
        let world = World::new(4);
        let recorder = Recorder::new("a");
        let second = recorder.beside("b");
        let mut put = world.put(0..100);
        let a = world.start_on(&recorder, world.store.clone(), world.stream.clone(), env.clone()).await.unwrap();
        let b = world.start_on(&second, world.store.clone(), world.stream.clone(), env.clone()).await.unwrap();
        let parent = world.stream.open_shards().remove(1);
        world.stream.split(&parent).unwrap();
        put.extend(world.put(100..200));
        while recorder.distinct() != put || world.owners().len() != 2 {
            env.sleep_until(env.now() + Duration::from_millis(100)).await;
        }
        a.shutdown().await.unwrap();
        b.shutdown().await.unwrap();
        assert_eq!(world.owners().len(), 1, "everything is released");
        format!("{:?} {:?} {:?}", env.now(), recorder.log(), world.store.leases())
    })
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let runs: Vec<_> = (0..20).map(|seed| (fleet(seed), fleet(seed))).collect();
    for (seed, (first, second)) in runs.iter().enumerate() {
        assert_eq!(first, second, "seed {seed}");
    }
    let distinct: std::collections::BTreeSet<_> = runs.into_iter().map(|(run, _)| run).collect();
    assert!(distinct.len() > 10, "seeds differ: {}", distinct.len());
}
