use kcl_core::{ErrorKind, FleetMode, StoreError, fleet_mode};

use crate::error::StartError;
use crate::parts::Parts;
use crate::race::within;
use crate::worker::TABLE_POLL;

/// Asks the lease table who uses it, until it answers, at most for the start timeout; how to join them.
pub(crate) async fn join(parts: &Parts) -> Result<FleetMode, StartError> {
    let (env, config) = (&*parts.env, &parts.config);
    let begun = env.now();
    let mut last_error = None;
    loop {
        let left = config.start_timeout.saturating_sub(env.now().since(begun));
        let late = || {
            let error = StoreError::new(ErrorKind::Unavailable, "reading the fleet's mode", config.application.as_str());
            error.with_hint("no answer within the start timeout; check endpoint, region and network")
        };
        let error: StoreError = match within(env, left, parts.store.fleet()).await {
            Some(Ok(rows)) => return Ok(fleet_mode(&rows)?),
            Some(Err(error)) => error,
            None => last_error.take().unwrap_or_else(late),
        };
        let now = env.now();
        if !error.is_retryable() || now.since(begun) >= config.start_timeout {
            return Err(error.into());
        }
        last_error = Some(error);
        env.sleep_until(now + TABLE_POLL).await;
    }
}
