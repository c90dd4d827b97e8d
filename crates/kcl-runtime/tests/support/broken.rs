use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{AbortHandle, Abortable, BoxFuture};
use kcl_core::*;
use kcl_runtime::*;

/// An environment of which single tasks can be ended, and whose clock can jump as after a suspension.
#[derive(Clone)]
pub struct Broken {
    inner: TokioEnv,
    ahead: Arc<AtomicU64>,
    tasks: Arc<Mutex<Vec<(TaskClass, String, AbortHandle)>>>,
}

impl Broken {
    pub fn new() -> Self {
        Self { inner: TokioEnv::on_current_runtime(), ahead: Arc::default(), tasks: Arc::default() }
    }

    pub fn jump(&self, by: Duration) {
        self.ahead.fetch_add(u64::try_from(by.as_nanos()).unwrap(), Ordering::SeqCst);
    }

    pub fn kill(&self, which: impl Fn(TaskClass, &str) -> bool) {
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
pub struct StaleScans<S> {
    pub inner: S,
    pub frozen: Arc<Mutex<Option<Vec<Lease>>>>,
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

    async fn fleet(&self) -> Result<FleetRows, StoreError> {
        self.inner.fleet().await
    }
}
