use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use kcl_core::Mono;
use kcl_runtime::{Env, TaskClass, TaskEnd};

use super::*;

const HOUR: Duration = Duration::from_secs(3600);
const SECOND: Duration = Duration::from_secs(1);

#[test]
fn nothing_to_do_is_a_deadlock_and_doing_nothing_for_ever_a_livelock() {
    assert_eq!(Sim::new(1).run(HOUR, std::future::pending::<()>()), Err(Stuck::Deadlock));
    let spin = std::future::poll_fn(|context| {
        context.waker().wake_by_ref();
        std::task::Poll::<()>::Pending
    });
    assert_eq!(Sim::new(1).run(HOUR, spin), Err(Stuck::Livelock(NodeId::WORLD)));
    let sim = Sim::new(1);
    let sleep = sim.sleep(HOUR * 2);
    assert_eq!(sim.run(HOUR, sleep), Err(Stuck::TooLong));
}

#[test]
fn clocks_differ_by_offset_and_rate() {
    let sim = Sim::new(1);
    let clock = ClockSpec { offset: Duration::from_secs(5), rate_ppm: 100_000, ..ClockSpec::default() };
    let env = NodeEnv::new(sim.clone(), sim.node(clock));
    let shown = sim.run(HOUR, {
        let sim = sim.clone();
        async move {
            env.sleep_until(env.now() + Duration::from_secs(11)).await;
            (sim.now(), env.now())
        }
    });
    assert_eq!(shown, Ok((Duration::from_secs(10), Mono::from_millis(16_000))));
}

struct Tell(&'static AtomicU32);

impl Drop for Tell {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_killed_node_runs_no_destructor_and_an_aborted_task_does() {
    static KILLED: AtomicU32 = AtomicU32::new(0);
    static ABORTED: AtomicU32 = AtomicU32::new(0);
    let sim = Sim::new(1);
    let env = NodeEnv::new(sim.clone(), sim.node(ClockSpec::default()));
    let end = sim.run(HOUR, {
        let sim = sim.clone();
        async move {
            let sleeper = |tell: &'static AtomicU32| {
                let sleep = sim.sleep(HOUR);
                async move {
                    let _tell = Tell(tell);
                    sleep.await;
                }
                .boxed()
            };
            let aborted = env.spawn(TaskClass::Work, "aborted", sleeper(&ABORTED));
            let _killed = env.spawn(TaskClass::Work, "killed", sleeper(&KILLED));
            sim.sleep(SECOND).await;
            aborted.abort();
            let end = aborted.await;
            sim.kill(NodeId(1));
            sim.sleep(HOUR / 2).await;
            end
        }
    });
    assert_eq!(end, Ok(TaskEnd::Aborted));
    assert_eq!((KILLED.load(Ordering::Relaxed), ABORTED.load(Ordering::Relaxed)), (0, 1));
}

#[test]
fn a_paused_node_sees_its_timers_when_it_goes_on() {
    static WOKEN: AtomicU32 = AtomicU32::new(0);
    let sim = Sim::new(1);
    let env = NodeEnv::new(sim.clone(), sim.node(ClockSpec::default()));
    let seen = sim.run(HOUR, {
        let sim = sim.clone();
        async move {
            let sleep = env.sleep_until(env.now() + SECOND);
            let wake = async move {
                sleep.await;
                WOKEN.fetch_add(1, Ordering::Relaxed);
            };
            let task = env.spawn(TaskClass::Work, "sleeper", wake.boxed());
            sim.sleep(SECOND / 2).await;
            sim.pause(NodeId(1));
            sim.sleep(SECOND * 5).await;
            let paused = WOKEN.load(Ordering::Relaxed);
            sim.resume(NodeId(1));
            (paused, task.await, sim.now())
        }
    });
    assert_eq!(seen, Ok((0, TaskEnd::Done, SECOND * 5 + SECOND / 2)));
}

#[test]
fn a_clock_that_stops_in_suspend_fires_its_timers_late() {
    let sim = Sim::new(1);
    let clock = ClockSpec { stops_in_suspend: true, ..ClockSpec::default() };
    let env = NodeEnv::new(sim.clone(), sim.node(clock));
    let seen = sim.run(HOUR, {
        let sim = sim.clone();
        async move {
            let sleep = env.sleep_until(env.now() + SECOND);
            let task = env.spawn(TaskClass::Work, "sleeper", sleep);
            sim.sleep(SECOND / 2).await;
            sim.suspend(NodeId(1));
            sim.sleep(SECOND * 5).await;
            let still = env.now();
            sim.resume(NodeId(1));
            (still, task.await, sim.now(), env.now())
        }
    });
    assert_eq!(seen, Ok((Mono::from_millis(500), TaskEnd::Done, SECOND * 6, Mono::from_millis(1000))));
}

#[test]
fn a_task_is_dropped_at_the_poll_that_was_named() {
    let sim = Sim::new(1);
    let env = NodeEnv::new(sim.clone(), sim.node(ClockSpec::default()));
    sim.cancel_at(Cancel { node: NodeId(1), task: "sleeper".to_owned(), nth: 1, poll: 3 });
    let seen = sim.run(HOUR, {
        let sim = sim.clone();
        async move {
            let sleeper = sim.clone();
            let sleeps = async move {
                for _ in 0..10 {
                    sleeper.sleep(SECOND).await;
                }
            };
            (env.spawn(TaskClass::Work, "sleeper", sleeps.boxed()).await, sim.now())
        }
    });
    assert_eq!(seen, Ok((TaskEnd::Aborted, SECOND * 2)));
}

#[test]
fn a_starved_task_runs_later() {
    let sim = Sim::new(1);
    let env = NodeEnv::new(sim.clone(), sim.node(ClockSpec::default()));
    let seen = sim.run(HOUR, {
        let sim = sim.clone();
        async move {
            let task = env.spawn(TaskClass::Work, "sleeper", sim.sleep(SECOND).boxed());
            sim.starve(NodeId(1), 0, SECOND * 30);
            (task.await, sim.now())
        }
    });
    // Its sleep was over long before.
    assert_eq!(seen, Ok((TaskEnd::Done, SECOND * 30)));
}

#[test]
fn both_policies_run_everything() {
    for policy in [Policy::Random, Policy::Priorities] {
        let sim = Sim::new(7);
        sim.set_policy(policy);
        let env = NodeEnv::new(sim.clone(), sim.node(ClockSpec::default()));
        let ends = sim.run(HOUR, {
            let sim = sim.clone();
            async move {
                let start = |_| env.spawn(TaskClass::Work, "sleeper", sim.sleep(SECOND).boxed());
                futures_util::future::join_all((0..50).map(start).collect::<Vec<_>>()).await
            }
        });
        assert_eq!(ends, Ok(vec![TaskEnd::Done; 50]));
    }
}
