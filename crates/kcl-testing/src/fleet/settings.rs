use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use kcl_core::WorkerConfig;

use super::Faults;

type Payload = Arc<dyn Fn(&str, usize) -> Vec<u8> + Send + Sync>;
type Configure = Arc<dyn Fn(&mut WorkerConfig) + Send + Sync>;

/// What the test asked for, the same for all seeds.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) workers: usize,
    pub(super) shards: u32,
    pub(super) records: usize,
    pub(super) keys: usize,
    pub(super) seeds: Vec<u64>,
    pub(super) faults: Faults,
    pub(super) duration: Duration,
    pub(super) settle: Option<Duration>,
    pub(super) aggregates: bool,
    pub(super) payload: Payload,
    pub(super) configure: Configure,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            workers: 3,
            shards: 4,
            records: 500,
            keys: 20,
            seeds: (0..20).collect(),
            faults: Faults::all(),
            duration: Duration::from_secs(120),
            settle: None,
            aggregates: true,
            payload: Arc::new(|_, nth| nth.to_string().into_bytes()),
            configure: Arc::new(|_| {}),
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fleet")
            .field("workers", &self.workers)
            .field("shards", &self.shards)
            .field("records", &self.records)
            .field("keys", &self.keys)
            .field("duration", &self.duration)
            .field("aggregates", &self.aggregates)
            .field("faults", &self.faults)
            .finish_non_exhaustive()
    }
}
