use std::time::Duration;

use super::Options;
use crate::keyed::{Stream, between, time_between};
use crate::world::Edit;

/// What the nemesis does. Workers and shards are named by a number that is counted round over those there are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// A process is stopped for so long, as by SIGSTOP.
    Pause(u64, Duration),
    /// A machine is suspended for so long.
    Suspend(u64, Duration),
    /// A process dies; another starts.
    Kill(u64, Replacement),
    /// A second process starts under the name of a live one.
    Twin(u64),
    /// A worker is asked to shut down; another starts at once.
    Stop(u64),
    /// A process cannot reach the store for so long.
    Cut(u64, Duration),
    /// The scheduler leaves one task of a process alone for so long.
    Starve(u64, u64, Duration),
    /// A process' wall clock is set so many milliseconds ahead, or behind.
    JumpWall(u64, i64),
    /// The store throttles every call for so long.
    ThrottleStore(Duration),
    /// The stream does not exist for so long.
    StreamGone(Duration),
    /// A shard is split.
    Split(u64),
    /// A shard and the next are merged.
    Merge(u64),
    /// Retention removes what is older than this.
    Trim(Duration),
    /// Somebody edits a row by hand.
    Edit(u64, Edit),
    /// Java workers run natively for so long, then they are rolled back. Not drawn: no worker of ours works meanwhile.
    GoNative(Duration),
}

/// Who comes after a process that died.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Replacement {
    /// A process under a new name.
    New,
    /// A process under the same name.
    SameName,
    /// Nobody, unless no other is left.
    Nobody,
}

/// The kinds of [`Action`]: each can be left out of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ActionKind {
    /// [`Action::Pause`].
    Pause,
    /// [`Action::Suspend`].
    Suspend,
    /// [`Action::Kill`].
    Kill,
    /// [`Action::Twin`].
    Twin,
    /// [`Action::Stop`].
    Stop,
    /// [`Action::Cut`].
    Cut,
    /// [`Action::Starve`].
    Starve,
    /// [`Action::JumpWall`].
    JumpWall,
    /// [`Action::ThrottleStore`].
    ThrottleStore,
    /// [`Action::StreamGone`].
    StreamGone,
    /// [`Action::Split`].
    Split,
    /// [`Action::Merge`].
    Merge,
    /// [`Action::Trim`].
    Trim,
    /// [`Action::Edit`].
    Edit,
}

impl ActionKind {
    /// Every kind.
    pub const ALL: [Self; 14] = [
        Self::Pause,
        Self::Suspend,
        Self::Kill,
        Self::Twin,
        Self::Stop,
        Self::Cut,
        Self::Starve,
        Self::JumpWall,
        Self::ThrottleStore,
        Self::StreamGone,
        Self::Split,
        Self::Merge,
        Self::Trim,
        Self::Edit,
    ];

    /// The nth action of a run, if it is of this kind.
    fn action(self, seed: u64, nth: u64, options: &Options) -> Action {
        let draw = |what, low, high| between(seed, Stream::Nemesis, (nth, what, 0), low, high);
        let victim = draw(10, 0, 1_000);
        let time = |least: Duration, most: Duration| time_between(seed, Stream::Nemesis, (nth, 4, 0), least, most);
        let trouble = time(Duration::from_millis(500), options.failover * 3);
        let up_to = |seconds| time(Duration::from_millis(500), Duration::from_secs(seconds));
        match self {
            Self::Pause => Action::Pause(victim, trouble),
            Self::Suspend => Action::Suspend(victim, trouble),
            Self::Kill => {
                let replacement = match draw(11, 0, 2) {
                    0 => Replacement::New,
                    1 => Replacement::SameName,
                    _ => Replacement::Nobody,
                };
                Action::Kill(victim, replacement)
            }
            Self::Twin => Action::Twin(victim),
            Self::Stop => Action::Stop(victim),
            Self::Cut => Action::Cut(victim, trouble),
            Self::Starve => Action::Starve(victim, draw(12, 0, 1_000), up_to(30)),
            Self::JumpWall => {
                let ahead = i64::try_from(draw(13, 0, 14_400_000)).unwrap_or(0) - 7_200_000;
                // No worker starts at a timestamp that is in the future by its own clock: it refuses that.
                let ahead = if options.start.timestamp().is_some() { ahead.abs() } else { ahead };
                Action::JumpWall(victim, ahead)
            }
            Self::ThrottleStore => Action::ThrottleStore(up_to(60)),
            Self::StreamGone => Action::StreamGone(up_to(20)),
            Self::Split => Action::Split(victim),
            Self::Merge => Action::Merge(victim),
            Self::Trim => Action::Trim(time(Duration::from_secs(20), Duration::from_secs(200))),
            Self::Edit => {
                let edit = match draw(14, 0, 2) {
                    // At LATEST a removed row asks for a new start at the newest record: what was put meanwhile is not owed.
                    // At a timestamp the row of a parent that is removed looks as if the start had left the parent out.
                    0 if options.start != kcl_core::StartStrategy::Oldest => Edit::Free,
                    // A Java worker takes a parent without a row for finished.
                    0 if !options.java.is_empty() => Edit::Free,
                    0 => Edit::Remove,
                    1 => Edit::Free,
                    _ => Edit::Rewind,
                };
                Action::Edit(victim, edit)
            }
        }
    }
}

/// Something every few seconds until the heal, of the kinds that this run has.
pub(super) fn draw(seed: u64, options: &Options) -> Vec<(Duration, Action)> {
    let mut actions = Vec::new();
    let (mut at, mut nth) = (Duration::ZERO, 0);
    while !options.actions.is_empty() {
        nth += 1;
        at += Duration::from_millis(between(seed, Stream::Nemesis, (nth, 1, 0), 500, 15_000));
        if at >= options.chaos {
            break;
        }
        let which = between(seed, Stream::Nemesis, (nth, 3, 0), 0, options.actions.len() as u64 - 1);
        let kind = options.actions.iter().nth(usize::try_from(which).unwrap_or(0));
        actions.extend(kind.map(|kind| (at, kind.action(seed, nth, options))));
    }
    actions
}
