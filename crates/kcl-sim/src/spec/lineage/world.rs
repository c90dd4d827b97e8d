use kcl_core::{Checkpoint, ExtendedSequenceNumber, SequenceNumber, StartStrategy};

/// What may happen in the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct World {
    /// Where an application begins that has no leases yet: at the oldest record or at the latest.
    pub start: StartStrategy,
    /// How many workers sync shards, one or two.
    pub workers: usize,
    /// Whether the stream forgets closed shards. Without it, what nobody reads stays unread for ever.
    pub trims: bool,
    /// Whether Java workers delete rows, too.
    pub java: bool,
    /// Whether listings may be late, or lack closed shards.
    pub bad_listings: bool,
    /// Whether a creation or a listing may be older than the deletion of a row that it is about: that is, older than the
    /// reading of a whole shard and the clean-up after it.
    pub endless_delays: bool,
}

impl World {
    /// Everything that may happen, with delays that are shorter than the life of a row.
    pub const ALL: Self =
        Self { start: StartStrategy::Oldest, workers: 2, trims: true, java: true, bad_listings: true, endless_delays: false };
}

/// A known mistake, made in what the shipped decisions are told, that an invariant must catch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// M16: a parent without a row counts as ended.
    AbsentParentEnded,
    /// M17: only an ended row proves an end; a descendant that was read does not.
    OnlyEndedRows,
    /// M18: any row of a descendant proves an end.
    AnyDescendantRow,
}

/// A lease row, as far as lineage cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Row {
    /// There is none.
    Absent,
    /// At LATEST.
    Latest,
    /// At TRIM_HORIZON.
    Oldest,
    /// At a position.
    Begun,
    /// At SHARD_END.
    Ended,
}

impl Row {
    pub(super) fn checkpoint(self) -> Option<Checkpoint> {
        Some(match self {
            Self::Absent => return None,
            Self::Latest => Checkpoint::Latest,
            Self::Oldest => Checkpoint::TrimHorizon,
            Self::Begun => Checkpoint::At(ExtendedSequenceNumber::new(SequenceNumber::from(1), 0)),
            Self::Ended => Checkpoint::ShardEnd,
        })
    }

    pub(super) const fn is_initial(self) -> bool {
        matches!(self, Self::Latest | Self::Oldest)
    }
}
