use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use crate::env::Env;

/// Which of two futures was ready first.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Either<A, B> {
    First(A),
    Second(B),
}

impl<T> Either<T, T> {
    /// Whichever it was.
    pub(crate) fn into_inner(self) -> T {
        match self {
            Self::First(output) | Self::Second(output) => output,
        }
    }
}

/// Waits for the first of two futures and drops the other. If both are ready, the first argument wins.
pub(crate) async fn race2<A: Future, B: Future>(first: A, second: B) -> Either<A::Output, B::Output> {
    let mut first = pin!(first);
    let mut second = pin!(second);
    poll_fn(|context| {
        if let Poll::Ready(output) = first.as_mut().poll(context) {
            return Poll::Ready(Either::First(output));
        }
        second.as_mut().poll(context).map(Either::Second)
    })
    .await
}

/// Waits for the future at most `limit`; `None` if it takes longer. The future is dropped then.
pub(crate) async fn within<F: Future>(env: &dyn Env, limit: Duration, future: F) -> Option<F::Output> {
    let deadline = env.sleep_until(env.now() + limit);
    match race2(future, deadline).await {
        Either::First(output) => Some(output),
        Either::Second(()) => None,
    }
}
