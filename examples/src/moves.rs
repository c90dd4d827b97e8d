//! Who has which shard, from what the workers say about themselves, and how that changes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use kcl::{ShardId, WorkerId};

/// What each worker says it holds, at about the same moment.
pub type Snapshot = BTreeMap<WorkerId, BTreeSet<ShardId>>;

/// A change between two snapshots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A worker has a shard that nobody had before.
    Taken {
        /// The shard.
        shard: ShardId,
        /// Its worker.
        by: WorkerId,
    },
    /// A shard went from one worker to another, perhaps with a gap between them.
    Moved {
        /// The shard.
        shard: ShardId,
        /// The last worker that had it.
        from: WorkerId,
        /// The worker that has it.
        to: WorkerId,
    },
    /// Nobody has the shard any more, for now or because it is finished.
    Released {
        /// The shard.
        shard: ShardId,
        /// The last worker that had it.
        by: WorkerId,
    },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken { shard, by } => write!(f, "shard {shard}: nobody -> {by}"),
            Self::Moved { shard, from, to } => write!(f, "shard {shard}: {from} -> {to}"),
            Self::Released { shard, by } => write!(f, "shard {shard}: {by} -> nobody"),
        }
    }
}

/// Remembers the last owner of each shard.
#[derive(Debug, Default)]
pub struct Owners {
    shards: BTreeMap<ShardId, Owner>,
}

#[derive(Debug)]
struct Owner {
    worker: WorkerId,
    /// Everyone who named the shard in the last snapshot: nobody once it was given up.
    claims: BTreeSet<WorkerId>,
}

impl Owners {
    /// What changed since the last snapshot, by shard.
    ///
    /// Two workers may both name a shard for a moment: one has taken it and the other has not noticed. It has then gone
    /// to the one that did not name it before.
    pub fn observe(&mut self, snapshot: &Snapshot) -> Vec<Change> {
        let mut claims: BTreeMap<ShardId, BTreeSet<WorkerId>> =
            self.shards.keys().map(|shard| (shard.clone(), BTreeSet::new())).collect();
        for (worker, shards) in snapshot {
            for shard in shards {
                claims.entry(shard.clone()).or_default().insert(worker.clone());
            }
        }
        claims.into_iter().filter_map(|(shard, claims)| self.claimed(shard, claims)).collect()
    }

    fn claimed(&mut self, shard: ShardId, claims: BTreeSet<WorkerId>) -> Option<Change> {
        let Some(owner) = self.shards.get_mut(&shard) else {
            let by = claims.first()?.clone();
            self.shards.insert(shard.clone(), Owner { worker: by.clone(), claims });
            return Some(Change::Taken { shard, by });
        };
        let before = std::mem::replace(&mut owner.claims, claims);
        let stays = owner.claims.get(&owner.worker);
        let newest = owner.claims.difference(&before).next().or(stays).or_else(|| owner.claims.first()).cloned();
        match newest {
            None if before.is_empty() => None,
            None => Some(Change::Released { shard, by: owner.worker.clone() }),
            Some(to) if to != owner.worker => {
                let from = std::mem::replace(&mut owner.worker, to.clone());
                Some(Change::Moved { shard, from, to })
            }
            Some(by) if before.is_empty() => Some(Change::Taken { shard, by }),
            Some(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(workers: &[(&str, &[&str])]) -> Snapshot {
        workers.iter().map(|(worker, shards)| ((*worker).into(), shards.iter().map(|shard| (*shard).into()).collect())).collect()
    }

    fn changes(snapshots: &[&[(&str, &[&str])]]) -> Vec<Vec<String>> {
        let mut owners = Owners::default();
        snapshots.iter().map(|workers| owners.observe(&snapshot(workers)).iter().map(ToString::to_string).collect()).collect()
    }

    #[test]
    fn shards_are_taken_and_nothing_is_said_twice() {
        let both: &[(&str, &[&str])] = &[("a", &["s0"]), ("b", &["s1"])];
        assert_eq!(changes(&[both, both]), [vec!["shard s0: nobody -> a", "shard s1: nobody -> b"], vec![]]);
    }

    #[test]
    fn a_move_is_seen_at_once_or_after_a_gap() {
        let at_once = changes(&[&[("a", &["s0", "s1"]), ("b", &[])], &[("a", &["s0"]), ("b", &["s1"])]]);
        assert_eq!(at_once[1], ["shard s1: a -> b"]);
        let after_a_gap = changes(&[&[("a", &["s0"])], &[("a", &[]), ("b", &[])], &[("a", &[]), ("b", &["s0"])]]);
        assert_eq!(after_a_gap[1..], [vec!["shard s0: a -> nobody"], vec!["shard s0: a -> b"]]);
    }

    #[test]
    fn a_shard_that_two_name_has_gone_to_the_new_one_once() {
        for (old, new) in [("a", "b"), ("b", "a")] {
            let both: &[(&str, &[&str])] = &[(old, &["s0"]), (new, &["s0"])];
            let steps = changes(&[&[(old, &["s0"])], both, both, &[(old, &[]), (new, &["s0"])]]);
            assert_eq!(steps[1..], [vec![format!("shard s0: {old} -> {new}")], vec![], vec![]]);
        }
    }

    #[test]
    fn what_was_released_may_be_taken_again_by_the_same_worker() {
        let steps = changes(&[&[("a", &["s0"])], &[("a", &[])], &[("a", &["s0"])]]);
        assert_eq!(steps[2], ["shard s0: nobody -> a"]);
    }
}
