#![allow(clippy::disallowed_methods, reason = "a simulated process lives by tokio's paused clock")]

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use kcl_core::{Mono, Wall};
use kcl_runtime::{Env, SeededRng, TaskClass, TaskHandle, TokioEnv};
use tokio::time::Instant;

use super::draws::Draws;
use crate::MemoryStream;

/// Lets time pass in the process that calls it.
pub(super) async fn sleep(time: Duration) {
    tokio::time::sleep(time).await;
}

/// The clock of one process: that of its runtime, which stands still unless the simulation moves it.
#[derive(Clone, Copy, Debug)]
pub(super) struct ProcessClock {
    /// When the process began, by its own clock.
    began: Instant,
    /// The same moment in the run.
    began_at: Duration,
}

impl ProcessClock {
    /// In the process's runtime, when it begins.
    pub(super) fn new(began_at: Duration) -> Self {
        Self { began: Instant::now(), began_at }
    }

    /// Lets the process live until this moment of the run.
    pub(super) async fn live_until(self, at: Duration) {
        tokio::time::sleep_until(self.began + at.saturating_sub(self.began_at)).await;
    }

    /// Lets this moment of the run have come at once, as after a time in which the process stood still.
    pub(super) async fn jump_to(self, at: Duration) {
        let target = self.began + at.saturating_sub(self.began_at);
        tokio::time::advance(target.saturating_duration_since(Instant::now())).await;
    }

    fn now(self) -> Duration {
        self.began_at + self.began.elapsed()
    }
}

/// The production environment on a paused clock, with the run's wall time and randomness.
pub(super) struct FleetEnv {
    pub(super) inner: TokioEnv,
    pub(super) clock: ProcessClock,
    pub(super) draws: Mutex<Draws>,
}

impl Env for FleetEnv {
    fn now(&self) -> Mono {
        self.inner.now()
    }

    fn wall(&self) -> Wall {
        let passed = i64::try_from(self.clock.now().as_millis()).unwrap_or(i64::MAX);
        Wall::from_unix_millis(MemoryStream::START.unix_millis().saturating_add(passed))
    }

    fn sleep_until(&self, at: Mono) -> BoxFuture<'static, ()> {
        self.inner.sleep_until(at)
    }

    fn spawn(&self, class: TaskClass, name: &str, task: BoxFuture<'static, ()>) -> TaskHandle {
        self.inner.spawn(class, name, task)
    }

    fn rng(&self) -> SeededRng {
        self.draws.lock().unwrap_or_else(PoisonError::into_inner).split()
    }
}
