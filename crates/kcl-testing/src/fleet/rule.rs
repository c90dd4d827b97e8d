use std::fmt;

/// What a fleet checks. Where `docs/testing.md` or the simulator have a name for the rule, it is in brackets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Rule {
    /// The fleet could be started at all.
    Start,
    /// Every record is processed at least once before the end (S1).
    AtLeastOnce,
    /// A processor gets the records of its shard in order, without a hole, from right after the checkpoint on (S2).
    InOrder,
    /// No checkpoint passes a record that is not processed (S6).
    CheckpointAhead,
    /// A checkpoint that was answered with success is stored (S9).
    Acknowledged,
    /// For each partition key, records are first processed in the order in which they were put, also across splits, merges
    /// and moves (S17).
    KeyOrder,
    /// `lease_lost` asks for no checkpoint: the shard is another worker's.
    CheckpointAfterLoss,
    /// `shard_ended` calls `Checkpointer::end`.
    NotEnded,
    /// A checkpointer is asked only for what it can store.
    Misuse,
    /// A shutdown ends, and says that it was clean (V6).
    Shutdown,
    /// The library does not fail by itself.
    Library,
    /// What the application checks itself.
    Check,
}

impl Rule {
    /// The name that protocol and simulator have for it, if they do.
    pub const fn invariant(self) -> Option<&'static str> {
        match self {
            Self::AtLeastOnce => Some("S1"),
            Self::InOrder => Some("S2"),
            Self::CheckpointAhead => Some("S6"),
            Self::Acknowledged => Some("S9"),
            Self::KeyOrder => Some("S17"),
            Self::Shutdown => Some("V6"),
            _ => None,
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.invariant() {
            Some(name) => write!(f, "{self:?} ({name})"),
            None => write!(f, "{self:?}"),
        }
    }
}
