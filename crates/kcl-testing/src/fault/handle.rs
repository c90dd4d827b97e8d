use std::sync::Arc;

use tokio::sync::watch;

/// What a test holds of a fault that it planned: whether it happened, and the release of calls that it holds up.
///
/// Clones are the same fault. Dropping the handle changes nothing: a call that is held up stays so.
#[derive(Clone, Debug)]
pub struct FaultHandle {
    state: Arc<watch::Sender<State>>,
}

#[derive(Debug, Default)]
struct State {
    hits: u64,
    released: bool,
}

impl FaultHandle {
    pub(super) fn new() -> Self {
        Self { state: Arc::new(watch::Sender::new(State::default())) }
    }

    /// How many calls it has happened to.
    pub fn hits(&self) -> u64 {
        self.state.borrow().hits
    }

    /// Waits until it has happened to a call. At once if it has already.
    pub async fn reached(&self) {
        self.wait_for(|state| state.hits > 0).await;
    }

    /// Lets the calls that it holds up go on, now and from now on. No effect on faults that hold up nothing.
    pub fn release(&self) {
        self.state.send_modify(|state| state.released = true);
    }

    pub(super) async fn released(&self) {
        self.wait_for(|state| state.released).await;
    }

    pub(super) fn hit(&self) {
        self.state.send_modify(|state| state.hits += 1);
    }

    async fn wait_for(&self, condition: impl FnMut(&State) -> bool + Send) {
        let mut changes = self.state.subscribe();
        // It ends early only if there is no sender any more, and `self` holds one.
        let _ = changes.wait_for(condition).await;
    }
}
