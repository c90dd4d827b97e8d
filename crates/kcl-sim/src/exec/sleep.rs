use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use super::Sim;

/// Completes at a moment of the simulation. Dropping it takes its timer away.
pub struct Sleep {
    pub(super) sim: Sim,
    pub(super) until: Duration,
    pub(super) timer: Option<(Duration, u64)>,
}

impl std::fmt::Debug for Sleep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sleep").field("until", &self.until).finish_non_exhaustive()
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let before = self.timer.take();
        self.timer = self.sim.set_timer(before, self.until, context.waker());
        if self.timer.is_none() { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(timer) = self.timer.take() {
            self.sim.clear_timer(timer);
        }
    }
}
