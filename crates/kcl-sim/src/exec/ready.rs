use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

/// The tasks that want to be polled. Apart from the rest, because a waker may be called at any time.
///
/// Kept in the order of their numbers, not of the wakes: tokio's `watch` wakes its waiters in an order that it draws from
/// randomness of its own, which must not be seen.
#[derive(Clone, Default)]
pub(super) struct Ready(Arc<Mutex<BTreeSet<u64>>>);

impl Ready {
    fn list(&self) -> MutexGuard<'_, BTreeSet<u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn push(&self, task: u64) {
        self.list().insert(task);
    }

    /// Takes the task that `pick` chooses; `None` if it chooses none.
    pub(super) fn take(&self, pick: impl FnOnce(&BTreeSet<u64>) -> Option<u64>) -> Option<u64> {
        let mut list = self.list();
        let task = pick(&list)?;
        list.remove(&task);
        Some(task)
    }

    pub(super) fn waker(&self, task: u64) -> Waker {
        Waker::from(Arc::new(TaskWaker { task, ready: self.clone() }))
    }
}

struct TaskWaker {
    task: u64,
    ready: Ready,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.ready.push(self.task);
    }
}
