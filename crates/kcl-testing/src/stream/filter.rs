use kcl_core::{ShardFilter, Wall};

use super::log::ShardLog;

/// A moment in the life of the stream: many reshards can happen in one millisecond of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment {
    /// How often the set of shards had changed.
    pub(super) reshards: u64,
    pub(super) at: Wall,
}

/// Whether a listing with this filter names the shard, by the rules of the `ShardFilter` of the Kinesis `ListShards` API:
/// both ends of a shard's time count as open, and a time before the trim horizon means the horizon.
pub(super) fn selects(filter: ShardFilter, horizon: Moment, log: &ShardLog) -> bool {
    match filter {
        ShardFilter::All => true,
        ShardFilter::AtLatest => log.shard.is_open(),
        ShardFilter::AtTimestamp(at) if at >= horizon.at => {
            log.opened.at <= at && log.closed.is_none_or(|closed| closed.at >= at)
        }
        ShardFilter::AtTrimHorizon | ShardFilter::AtTimestamp(_) => {
            log.opened.reshards <= horizon.reshards && log.closed.is_none_or(|closed| closed.reshards > horizon.reshards)
        }
    }
}
