use std::future::Future;
use std::time::Duration;

use crate::parts::Parts;
use crate::race::within;

/// Between two tries of a start.
pub(crate) const TABLE_POLL: Duration = Duration::from_millis(250);
/// What to do about a service that does not answer.
pub(crate) const LATE: &str = "no answer within the start timeout; check endpoint, region and network";

/// Asks until there is an answer, or an error that trying again does not help, at most for the start timeout. If time runs out
/// during a try, the error of the one before it may know more than that it is `late`.
pub(crate) async fn answered<T, E, F: Future<Output = Result<T, E>> + Send>(
    parts: &Parts,
    ask: impl Fn() -> F + Send,
    is_retryable: impl Fn(&E) -> bool + Send,
    late: impl Fn() -> E + Send,
) -> Result<T, E>
where
    T: Send,
    E: Send,
{
    let (env, limit) = (&*parts.env, parts.config.start_timeout);
    let begun = env.now();
    let mut last_error = None;
    loop {
        let left = limit.saturating_sub(env.now().since(begun));
        let error = match within(env, left, ask()).await {
            Some(Ok(answer)) => return Ok(answer),
            Some(Err(error)) => error,
            None => last_error.take().unwrap_or_else(&late),
        };
        let now = env.now();
        if !is_retryable(&error) || now.since(begun) >= limit {
            return Err(error);
        }
        last_error = Some(error);
        env.sleep_until(now + TABLE_POLL).await;
    }
}
