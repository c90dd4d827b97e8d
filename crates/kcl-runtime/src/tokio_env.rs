#![allow(clippy::disallowed_methods, reason = "this is the door to the runtime's clock, sleep, tasks and randomness")]

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use kcl_core::{Mono, Wall};
use rand::SeedableRng;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use crate::env::{Env, SeededRng, TaskClass, TaskEnd, TaskHandle};

/// The surroundings in production: tokio for sleeping and tasks, the operating system's clocks.
///
/// Coordination runs on a thread and a runtime of its own, so that processors which block every worker thread of the
/// application's runtime cannot delay a renewal. The thread ends when the last clone is dropped.
#[derive(Clone, Debug)]
pub struct TokioEnv {
    work: Handle,
    coordination: Arc<Coordination>,
    clock: Clock,
}

#[derive(Clone, Copy, Debug)]
enum Clock {
    /// The clock that goes on while the machine is suspended.
    Boot,
    /// Tokio's, which a test can pause and advance.
    Tokio(tokio::time::Instant),
}

#[derive(Debug)]
enum Coordination {
    Own { handle: Handle, _stop: oneshot::Sender<()> },
    Shared(Handle),
}

impl TokioEnv {
    /// An environment over the current tokio runtime, with a coordination thread of its own.
    ///
    /// # Errors
    /// If the thread or its runtime cannot be made.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn new() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        std::thread::Builder::new().name("kcl-coordination".to_owned()).spawn(move || {
            let _ = runtime.block_on(stopped);
            runtime.shutdown_background();
        })?;
        let coordination = Arc::new(Coordination::Own { handle, _stop: stop });
        Ok(Self { work: Handle::current(), coordination, clock: Clock::Boot })
    }

    /// An environment in which everything runs on the current runtime and by its clock, so that a test can pause it.
    /// Not for production: the application's code can delay renewals.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn on_current_runtime() -> Self {
        let work = Handle::current();
        let clock = Clock::Tokio(tokio::time::Instant::now() - Duration::from_secs(1));
        Self { coordination: Arc::new(Coordination::Shared(work.clone())), work, clock }
    }

    fn handle(&self, class: TaskClass) -> &Handle {
        match (class, &*self.coordination) {
            (TaskClass::Work, _) => &self.work,
            (TaskClass::Coordination, Coordination::Own { handle, .. } | Coordination::Shared(handle)) => handle,
        }
    }
}

impl Clock {
    fn now(self) -> Mono {
        let nanos = match self {
            Self::Tokio(start) => start.elapsed().as_nanos(),
            Self::Boot => boot_time().as_nanos(),
        };
        Mono::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn boot_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Without a clock that counts suspended time: the process's monotonic one.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn boot_time() -> Duration {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    START.get_or_init(std::time::Instant::now).elapsed()
}

impl Env for TokioEnv {
    fn now(&self) -> Mono {
        self.clock.now()
    }

    fn wall(&self) -> Wall {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Wall::from_unix_millis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
    }

    fn sleep_until(&self, at: Mono) -> BoxFuture<'static, ()> {
        let clock = self.clock;
        async move {
            loop {
                let left = at.since(clock.now());
                if left.is_zero() {
                    return;
                }
                // Tokio rounds to milliseconds: one more makes sure that the moment has passed.
                tokio::time::sleep(left.min(Duration::from_secs(86_400)) + Duration::from_millis(1)).await;
            }
        }
        .boxed()
    }

    fn spawn(&self, class: TaskClass, _name: &str, task: BoxFuture<'static, ()>) -> TaskHandle {
        let task = self.handle(class).spawn(task);
        let abort = task.abort_handle();
        let end = task.map(|end| match end {
            Ok(()) => TaskEnd::Done,
            Err(error) if error.is_panic() => TaskEnd::Panicked,
            Err(_) => TaskEnd::Aborted,
        });
        TaskHandle::new(end.boxed(), move || abort.abort())
    }

    fn rng(&self) -> SeededRng {
        // Without the system's entropy the clock still tells processes apart.
        SeededRng::try_from_rng(&mut rand::rngs::SysRng).unwrap_or_else(|_| SeededRng::seed_from_u64(self.now().as_nanos()))
    }
}
