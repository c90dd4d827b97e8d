use crate::spec::Size;

/// How big the world is and what may happen in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// How many workers there are, one or two.
    pub workers: usize,
    /// The highest lease counter. Writes beyond it stay in flight.
    pub counter: u64,
    /// How many writes may be in flight at the same time, those included that nobody waits for any more.
    pub in_flight: usize,
    /// How often a process may crash and be started again under its old name.
    pub crashes: u8,
    /// How often a tenure may be late for its deadline.
    pub pauses: u8,
    /// Whether the user may ask for something while something else that was asked for is not answered.
    pub concurrent: bool,
    /// Whether the user may ask for a lower checkpoint after a higher one.
    pub out_of_order: bool,
    /// Whether tenures are given up on purpose.
    pub releases: bool,
    /// Whether the user may prepare a checkpoint.
    pub prepares: bool,
    /// Whether tenures store the children of the shard.
    pub describes: bool,
    /// Whether finished rows are deleted.
    pub deletes: bool,
    /// Whether a client library may send a write twice and answer with the second result.
    pub twice: bool,
    /// Whether other things may happen between the moment at which the store decides and the one at which its answer is
    /// heard. Without it, answers come at once or are lost.
    pub slow_answers: bool,
    /// Whether the two workers have one name, as a process and the one that was to replace it.
    pub twins: bool,
}

impl Bounds {
    /// Two writes in flight, one crash, and nothing beyond takes, renewals, checkpoints and releases.
    pub const PLAIN: Self = Self {
        workers: 2,
        counter: 2,
        in_flight: 2,
        crashes: 1,
        pauses: 0,
        concurrent: false,
        out_of_order: false,
        releases: true,
        prepares: false,
        describes: false,
        deletes: false,
        twice: false,
        slow_answers: false,
        twins: false,
    };

    /// One worker whose user does not wait for answers.
    pub const BUSY_USER: Self = Self {
        workers: 1,
        counter: 4,
        in_flight: 1,
        crashes: 0,
        releases: false,
        concurrent: true,
        out_of_order: true,
        prepares: true,
        ..Self::PLAIN
    };

    /// The worlds to search, by name.
    pub fn worlds(size: Size) -> Vec<(&'static str, Self)> {
        let (plain, others, crashes, in_flight, late) = match size {
            Size::Small => (2, 2, 0, 1, 0),
            Size::Ci => (4, 2, 1, 2, 1),
            Size::Nightly => (5, 3, 1, 2, 1),
        };
        let base = Self { counter: others, crashes, ..Self::PLAIN };
        let alone = Self { workers: 1, crashes: 0, releases: false, ..base };
        let mut worlds = vec![
            ("plain", Self { counter: plain, ..Self::PLAIN }),
            ("twins", Self { twins: true, ..base }),
            ("answers that are slow and come twice", Self { slow_answers: true, twice: true, ..base }),
            ("pauses", Self { pauses: 1, ..base }),
            ("finished rows", Self { describes: true, deletes: true, in_flight, ..base }),
            ("a busy user", Self::BUSY_USER),
            ("one worker, slow and late", Self { pauses: late, describes: true, slow_answers: true, ..alone }),
        ];
        if size == Size::Nightly {
            worlds.push(("three in flight, two crashes", Self { counter: 4, in_flight: 3, crashes: 2, ..Self::PLAIN }));
        }
        worlds
    }
}

/// A known mistake, made in the surroundings or in the writes, that an invariant must catch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// M1: a checkpoint is stored without any condition.
    UnconditionalCheckpoint,
    /// M2: a checkpoint expects the owner, and any counter.
    CheckpointExpectsOwnerOnly,
    /// M3: a take leaves the counter as it is.
    TakeKeepsCounter,
    /// M4: a deleted row is created again with counter 0.
    RowCreatedAgain,
    /// M7: a checkpoint whose answer was lost is confirmed by owner and counter.
    ConfirmedByOwnerAndCounter,
    /// M38: all takes have one token: one whose answer was lost is confirmed by owner and counter.
    OneToken,
}
