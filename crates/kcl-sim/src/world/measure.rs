use kcl_core::{Measurement, MetricsSink, ShardId};

use crate::exec::NodeId;
use crate::trace::{Event, Trace};

/// The measurements that say that something is wrong, and no others: a run has too many.
const ALARMS: [&str; 6] = [
    "StalledFor",
    "CheckpointTrimmed",
    "UnreadShardsGone",
    "ExpiredIterator",
    "NumStreamsWithPartialLeases",
    "LeasesOfAnotherStream",
];

/// Writes alarms down.
#[derive(Debug)]
pub(super) struct Alarms {
    pub(super) trace: Trace,
    pub(super) node: NodeId,
}

impl MetricsSink for Alarms {
    fn record(&self, measurement: &Measurement) {
        if ALARMS.contains(&measurement.name) {
            let shard = measurement.shard.clone().unwrap_or_else(|| ShardId::from("-".to_owned()));
            self.trace.add(Event::Alarm(self.node, measurement.name, shard));
        }
    }
}
