//! What the servers are known to do otherwise than AWS.

use super::kinesis;

/// A case that has to fail on a server.
#[derive(Debug)]
pub(super) struct Deviation {
    /// The server.
    pub(super) server: &'static str,
    /// The case.
    pub(super) case: &'static str,
    /// What the server does.
    pub(super) why: &'static str,
    /// What the failure of the case has to say, so that another failure is not taken for this one.
    pub(super) says: &'static str,
}

/// All of them.
pub(super) const ALL: &[Deviation] = &[
    Deviation {
        server: kinesis::SERVER,
        case: "filters_select_open_shards",
        why: "AT_TRIM_HORIZON selects every shard, and on AWS those that were open at the trim horizon",
        says: r#"left: ["shardId-000000000000", "shardId-000000000002", "shardId-000000000003", "shardId-000000000001"]"#,
    },
    Deviation {
        server: kinesis::SERVER,
        case: "a_position_beyond_the_shard_is_invalid",
        why: "a sequence number beyond all others is a ResourceNotFoundException, and on AWS an InvalidArgumentException",
        says: "opening beyond the shard: GetShardIterator failed",
    },
];

/// How this case has to fail on this server, if it has to.
pub(super) fn of(server: &str, case: &str) -> Option<&'static Deviation> {
    ALL.iter().find(|deviation| (deviation.server, deviation.case) == (server, case))
}
