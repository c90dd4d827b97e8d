use crate::spec::Size;
use kcl_core::{Checkpoint, ExtendedSequenceNumber, SequenceNumber, StartStrategy};

/// What may happen in the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct World {
    /// Where an application begins that has no leases yet: at the oldest record or at the latest.
    pub start: StartStrategy,
    /// How often the stream is resharded, at most four times.
    pub reshards: u8,
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
    pub const ALL: Self = Self {
        start: StartStrategy::Oldest,
        reshards: 3,
        workers: 2,
        trims: true,
        java: true,
        bad_listings: true,
        endless_delays: false,
    };
}

impl World {
    /// One worker and a stream that forgets nothing.
    pub const PLAIN: Self = Self { workers: 1, trims: false, java: false, bad_listings: false, ..Self::ALL };

    /// The worlds to search, by name.
    pub fn worlds(size: Size) -> Vec<(&'static str, Self)> {
        let mut worlds = vec![
            ("plain", Self::PLAIN),
            ("bad listings", Self { bad_listings: true, java: true, ..Self::PLAIN }),
            ("a start at the latest record", Self { start: StartStrategy::Latest, ..Self::PLAIN }),
            ("two workers", Self { workers: 2, ..Self::PLAIN }),
        ];
        if size != Size::Small {
            worlds.push(("two workers, bad listings, Java", Self { trims: false, ..Self::ALL }));
            worlds.push(("two workers, a stream that forgets, Java", Self { bad_listings: false, ..Self::ALL }));
            worlds.push(("one worker, everything", Self { workers: 1, ..Self::ALL }));
        }
        if size == Size::Nightly {
            worlds.push(("five generations, two workers", Self { reshards: 4, workers: 2, ..Self::PLAIN }));
            let java = Self { reshards: 4, trims: false, bad_listings: false, ..Self::ALL };
            worlds.push(("five generations, two workers, Java", java));
        }
        worlds
    }
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
