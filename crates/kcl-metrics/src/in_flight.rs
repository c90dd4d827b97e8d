use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::table::{Metric, MetricTable};

/// The table behind its lock. A panic elsewhere leaves it usable: every change to it is complete or absent.
pub(crate) fn lock(table: &Mutex<MetricTable>) -> MutexGuard<'_, MetricTable> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Metrics on their way. Unless told what became of them, they go back when this is dropped, which is also what
/// happens when the future that sends them is.
#[derive(Debug)]
pub(crate) struct InFlight<'a> {
    table: &'a Mutex<MetricTable>,
    metrics: Vec<Metric>,
}

impl<'a> InFlight<'a> {
    /// The oldest metrics of the table, within the limits of [`MetricTable::take_oldest`].
    pub(crate) fn take(table: &'a Mutex<MetricTable>, metrics_max: usize, bytes_max: usize) -> Self {
        let metrics = lock(table).take_oldest(metrics_max, bytes_max);
        Self { table, metrics }
    }

    /// What is on its way.
    pub(crate) fn metrics(&self) -> &[Metric] {
        &self.metrics
    }

    /// They arrived.
    pub(crate) fn delivered(mut self) {
        self.metrics.clear();
    }

    /// They were refused for what they are.
    pub(crate) fn rejected(mut self) {
        lock(self.table).count_rejected(&self.metrics);
        self.metrics.clear();
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        if !self.metrics.is_empty() {
            lock(self.table).put_back(std::mem::take(&mut self.metrics));
        }
    }
}
