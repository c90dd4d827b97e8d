use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};

use futures_util::FutureExt;
use kcl_core::ShardRecordProcessor;

/// The application's code panicked. The message went to the panic hook; it may hold data and goes nowhere else.
#[derive(Debug)]
pub(crate) struct Panicked;

/// Runs a callback of the application and keeps a panic from going any further.
///
/// Unwind safety: whoever gets `Panicked` drops the processor and never calls it again.
pub(crate) async fn contained<T>(callback: impl Future<Output = T>) -> Result<T, Panicked> {
    AssertUnwindSafe(callback).catch_unwind().await.map_err(|payload: Box<dyn Any + Send>| {
        // A payload whose own drop panics is leaked rather than let through.
        if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            std::mem::forget(second);
        }
        Panicked
    })
}

/// Drops a processor; its destructor is the application's code too.
pub(crate) fn drop_contained(processor: Option<Box<dyn ShardRecordProcessor>>) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(processor))) {
        std::mem::forget(payload);
    }
}
