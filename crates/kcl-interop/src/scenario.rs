//! What is played, by whom.

mod inside;
mod membership;
mod reshard;
mod table;

use std::sync::Arc;

use crate::failure::Failure;
use crate::kind::{Generation, Kind};
use crate::scene::{Outcome, Scene, Stage};

/// A course of events; every role can be played by any kind of worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Play {
    /// The first runs; the second joins, works, and leaves gracefully.
    JoinAndLeave(Kind, Kind),
    /// Both run; the first is killed, and the second takes over.
    Kill(Kind, Kind),
    /// Two of the first and one of the second share the shards; the second is killed and replaced, and one of the first leaves.
    Three(Kind, Kind),
    /// Both run while shards are split and merged.
    Reshard(Kind, Kind),
    /// As `Reshard`, and until the rows of all finished shards are removed. Takes minutes: so long do Java workers wait.
    Cleanup(Kind, Kind),
    /// The first checkpoints inside aggregates, and the second goes on there.
    Inside(Kind, Kind),
    /// A fleet of the first is replaced by one of the second, worker by worker, and back.
    Rolling(Kind, Kind),
    /// The first makes and fills the lease table and leaves; the second starts on it.
    Table(Kind, Kind),
}

impl Play {
    const fn roles(self) -> [Kind; 2] {
        let (Self::JoinAndLeave(one, other)
        | Self::Kill(one, other)
        | Self::Three(one, other)
        | Self::Reshard(one, other)
        | Self::Cleanup(one, other)
        | Self::Inside(one, other)
        | Self::Rolling(one, other)
        | Self::Table(one, other)) = self;
        [one, other]
    }

    const fn word(self) -> &'static str {
        match self {
            Self::JoinAndLeave(..) => "join-and-leave",
            Self::Kill(..) => "kill",
            Self::Three(..) => "three-workers",
            Self::Reshard(..) => "reshard",
            Self::Cleanup(..) => "cleanup",
            Self::Inside(..) => "inside-aggregate",
            Self::Rolling(..) => "rolling-deploy",
            Self::Table(..) => "foreign-table",
        }
    }

    /// The play, and who plays it: `kill rust, java-2.5.8`.
    pub(crate) fn name(self) -> String {
        let [one, other] = self.roles();
        format!("{} {one}, {other}", self.word())
    }

    /// Whether no worker of ours takes part: what happens then is what Java users have today.
    pub(crate) fn is_all_java(self) -> bool {
        self.roles().iter().all(|kind| kind.generation().is_some())
    }

    /// The versions of the Java library that it needs.
    pub(crate) fn generations(self) -> impl Iterator<Item = Generation> {
        self.roles().into_iter().filter_map(Kind::generation)
    }

    /// The same with Java workers only, to compare with.
    pub(crate) fn all_java(self) -> Self {
        let generation = self.generations().next().unwrap_or(Generation::V2);
        let java = Kind::Java(generation);
        match self {
            Self::JoinAndLeave(..) => Self::JoinAndLeave(java, java),
            Self::Kill(..) => Self::Kill(java, java),
            Self::Three(..) => Self::Three(java, java),
            Self::Reshard(..) => Self::Reshard(java, java),
            Self::Cleanup(..) => Self::Cleanup(java, java),
            Self::Inside(..) => Self::Inside(java, java),
            Self::Rolling(..) => Self::Rolling(java, java),
            Self::Table(..) => Self::Table(java, java),
        }
    }

    /// Plays it on a stream and a table of its own.
    pub(crate) async fn run(self, stage: Arc<Stage>) -> Outcome {
        let shards = match self {
            Self::JoinAndLeave(..) => 5,
            Self::Rolling(..) | Self::Three(..) => 6,
            _ => 4,
        };
        let mut scene = match Scene::set(stage, &self.name(), shards).await {
            Ok(scene) => scene,
            Err(failure) => return Outcome::failed(failure),
        };
        let played = self.play(&mut scene).await;
        let mut outcome = scene.finish(played).await;
        if matches!(self, Self::Inside(..)) && outcome.failed.is_none() && outcome.verdict.duplicates > 0 {
            outcome.failed = Some(Failure::new("user records before the checkpoint of their aggregate came again"));
        }
        outcome
    }

    async fn play(self, scene: &mut Scene) -> Result<(), Failure> {
        match self {
            Self::JoinAndLeave(first, second) => membership::join_and_leave(scene, first, second).await,
            Self::Kill(victim, survivor) => membership::kill(scene, victim, survivor).await,
            Self::Three(two, one) => membership::three(scene, two, one).await,
            Self::Rolling(from, to) => membership::rolling(scene, from, to).await,
            Self::Reshard(one, other) => reshard::reshard(scene, one, other).await,
            Self::Cleanup(one, other) => reshard::cleanup(scene, one, other).await,
            Self::Inside(first, second) => inside::inside(scene, first, second).await,
            Self::Table(writer, starter) => table::foreign_table(scene, writer, starter).await,
        }
    }
}

/// The plays of a run, the long ones first.
pub(crate) fn plays(short: bool) -> Vec<Play> {
    let [v2, v3] = Generation::ALL.map(Kind::Java);
    let rust = Kind::Rust;
    if short {
        return vec![
            Play::Reshard(v2, rust),
            Play::JoinAndLeave(v2, rust),
            Play::Kill(v2, v2),
            Play::Kill(v2, rust),
            Play::Kill(rust, v2),
            Play::JoinAndLeave(v3, rust),
            Play::Inside(rust, v2),
            Play::Inside(v2, rust),
            Play::Table(rust, v2),
        ];
    }
    // Waiting is nearly all that they do, and there is nothing to compare them with.
    let mut plays = vec![Play::Cleanup(v2, rust), Play::Cleanup(v3, rust)];
    for java in [v2, v3] {
        let mixed = [
            Play::Rolling(java, rust),
            Play::Three(rust, java),
            Play::Table(java, rust),
            Play::Reshard(java, rust),
            Play::JoinAndLeave(java, rust),
            Play::JoinAndLeave(rust, java),
            Play::Kill(java, rust),
            Play::Kill(rust, java),
            Play::Table(rust, java),
            Play::Inside(rust, java),
            Play::Inside(java, rust),
        ];
        for play in mixed {
            if !plays.contains(&play.all_java()) {
                plays.push(play.all_java());
            }
        }
        plays.extend(mixed);
    }
    plays
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_play_of_the_long_run_has_one_of_java_workers_to_compare_with() {
        let plays = plays(false);
        let compared = |play: &&Play| !play.is_all_java() && !matches!(play, Play::Cleanup(..));
        for play in plays.iter().filter(compared) {
            assert!(plays.contains(&play.all_java()) && play.all_java().is_all_java(), "{play:?}");
            assert_eq!(play.all_java().generations().collect::<BTreeSet<_>>(), play.generations().collect());
        }
    }

    #[test]
    fn names_are_unique_and_the_short_run_is_a_part_of_the_long_one() {
        let names: BTreeSet<String> = plays(false).into_iter().map(Play::name).collect();
        assert_eq!(names.len(), plays(false).len());
        assert!(plays(true).into_iter().all(|play| names.contains(&play.name())));
        assert!(plays(true).iter().any(|play| play.is_all_java()));
    }
}
