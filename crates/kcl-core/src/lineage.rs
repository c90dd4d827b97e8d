mod family;

use crate::{Checkpoint, ChildShard, Lease, Shard, ShardId};
use family::{Edges, Family};

/// What is known about the family tree of a stream's shards: from lease rows, and from a listing where there is one.
///
/// Decides when a child may start (protocol rule P10): a parent counts as ended only if its own row says so, or a
/// descendant's row has moved past its start. Neither a missing row nor the mere existence of a descendant is proof.
#[derive(Clone, Debug)]
pub struct Lineage<'a> {
    /// In order; the other parts go by the index in it.
    names: Vec<&'a str>,
    checkpoints: Vec<Option<&'a Checkpoint>>,
    children: Edges,
    listed: Option<Vec<bool>>,
    ended: Vec<bool>,
    covered: Vec<bool>,
}

/// Whether a shard may be worked on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Gate {
    /// Every parent is known to have ended or to be out of scope.
    Open,
    /// These parents have rows that are not at their end.
    WaitFor(Vec<ShardId>),
    /// These parents have no row: only listings of the stream can tell whether they matter.
    NeedListing(Vec<ShardId>),
}

impl<'a> Lineage<'a> {
    /// The family tree as `leases` show it, and `listing` if a complete one is at hand.
    pub fn new(leases: impl IntoIterator<Item = &'a Lease>, listing: Option<&'a [Shard]>) -> Self {
        let mut family = Family::default();
        leases.into_iter().for_each(|lease| family.add_row(lease));
        listing.into_iter().flatten().for_each(|shard| family.add_listed(shard));
        let family::Numbered { names, parents, children, checkpoints, listed } = family.numbered();
        let rows = || checkpoints.iter().enumerate().filter_map(|(index, row)| Some((index, (*row)?)));
        let mut ended = parents.reachable(rows().filter(|(_, row)| !row.is_initial()).map(|(index, _)| index));
        rows().filter(|(_, row)| row.is_shard_end()).for_each(|(index, _)| ended[index] = true);
        let covered = parents.reachable(rows().map(|(index, _)| index));
        let listed = listing.is_some_and(|shards| !shards.is_empty()).then_some(listed);
        Self { names, checkpoints, children, listed, ended, covered }
    }

    fn index(&self, shard: &str) -> Option<usize> {
        self.names.binary_search(&shard).ok()
    }

    fn holds(&self, of: &[bool], shard: &str) -> bool {
        self.index(shard).is_some_and(|index| of[index])
    }

    /// The shards that are known to follow `shard`.
    pub fn children(&self, shard: &str) -> impl Iterator<Item = &'a str> {
        let children = self.index(shard).map(|index| self.children.of(index)).unwrap_or_default();
        children.iter().map(|child| self.names[*child])
    }

    /// The checkpoint of a shard that has a row.
    pub fn checkpoint(&self, shard: &str) -> Option<&'a Checkpoint> {
        self.index(shard).and_then(|index| self.checkpoints[index])
    }

    /// Whether a complete listing is at hand and names the shard.
    pub fn is_listed(&self, shard: &str) -> Option<bool> {
        self.listed.as_ref().map(|listed| self.holds(listed, shard))
    }

    /// Whether the shard is known to have ended: its row says so, or a descendant was read past its start.
    pub fn is_known_ended(&self, shard: &str) -> bool {
        self.holds(&self.ended, shard)
    }

    /// Whether a descendant of the shard has a row.
    pub fn has_descendant_row(&self, shard: &str) -> bool {
        self.holds(&self.covered, shard)
    }

    /// Whether the shard of `lease` may be worked on whatever is known of its parents: it has none, or was read past its
    /// start, or starts at LATEST, which leaves them out.
    pub fn is_open_by_itself(lease: &Lease) -> bool {
        lease.parents.is_empty() || !lease.checkpoint.is_initial() || lease.checkpoint == Checkpoint::Latest
    }

    /// Whether a shard that starts at a timestamp has no parent with a row: that start left them out.
    pub(crate) fn starts_at_timestamp_alone(&self, checkpoint: &Checkpoint, parents: &[ShardId]) -> bool {
        *checkpoint == Checkpoint::AtTimestamp && parents.iter().all(|parent| self.checkpoint(parent).is_none())
    }

    /// The parents that hold up the row of `child`: they have no row, and nothing says that they have ended. A Java worker takes a
    /// parent without a row for finished, and would start the child.
    pub fn rowless_parents<'b>(&self, child: &'b ChildShard) -> impl Iterator<Item = &'b ShardId> {
        let has_row = self.checkpoint(&child.id).is_some();
        let rowless = |parent: &&ShardId| self.checkpoint(parent).is_none() && !self.is_known_ended(parent);
        child.parents.iter().filter(move |_| !has_row).filter(rowless)
    }

    /// Whether the shard of `lease` may be worked on. `is_gone` tells of which parents it is proven that the stream has
    /// forgotten them ([`Listings`](crate::Listings)): that one listing lacks a parent is no proof.
    pub fn gate(&self, lease: &Lease, is_gone: impl Fn(&ShardId) -> bool) -> Gate {
        if Self::is_open_by_itself(lease) {
            return Gate::Open;
        }
        // Rows are created parents first, and a merge closes its parents at once: where none has a row, a start at a
        // timestamp left them out.
        let left_out = self.listed.is_some() && self.starts_at_timestamp_alone(&lease.checkpoint, &lease.parents);
        let (mut waiting, mut unknown) = (Vec::new(), Vec::new());
        for parent in lease.parents.iter().filter(|parent| !self.is_known_ended(parent)) {
            if self.checkpoint(parent).is_some() {
                waiting.push(parent.clone());
            } else if !(left_out || is_gone(parent)) {
                unknown.push(parent.clone());
            }
        }
        match (waiting.is_empty(), unknown.is_empty()) {
            (false, _) => Gate::WaitFor(waiting),
            (true, false) => Gate::NeedListing(unknown),
            (true, true) => Gate::Open,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HashKeyRange;

    fn lease(id: &str, checkpoint: &str, parents: &[&str]) -> Lease {
        let mut lease = Lease::new(id.into(), Checkpoint::from_text(checkpoint, 0).unwrap());
        lease.parents = parents.iter().map(|&parent| parent.into()).collect();
        lease
    }

    fn shard(id: &str, parents: &[&str]) -> Shard {
        let parents = parents.iter().map(|&parent| parent.into()).collect();
        Shard {
            id: id.into(),
            parents,
            hash_range: HashKeyRange::FULL,
            starting_sequence_number: None,
            ending_sequence_number: None,
        }
    }

    #[test]
    fn the_parents_that_hold_up_the_row_of_a_merge() {
        let child = ChildShard { id: "c".into(), parents: vec!["a".into(), "b".into()], hash_range: None };
        let held_up = |rows: &[Lease]| -> Vec<String> {
            Lineage::new(rows, None).rowless_parents(&child).map(ToString::to_string).collect()
        };
        let (a, b) = (lease("a", "12", &[]), |checkpoint| lease("b", checkpoint, &[]));
        assert_eq!(held_up(std::slice::from_ref(&a)), ["b"]);
        assert!(held_up(&[a.clone(), b("TRIM_HORIZON")]).is_empty());
        assert!(held_up(&[a.clone(), lease("c", "TRIM_HORIZON", &["a", "b"])]).is_empty(), "it has one already");
        let later = lease("d", "40", &["b"]);
        assert!(held_up(&[a, later]).is_empty(), "a descendant was read: it has ended");
    }

    fn gate(child: &Lease, others: &[Lease], listing: Option<&[Shard]>) -> Gate {
        let shows = |parent: &ShardId| listing.is_none_or(|shards| shards.iter().any(|shard| shard.id == *parent));
        Lineage::new(others.iter().chain([child]), listing).gate(child, |parent| !shows(parent))
    }

    #[test]
    fn when_a_child_may_start() {
        let child = lease("c", "TRIM_HORIZON", &["p"]);
        let listed = [shard("p", &[]), shard("c", &["p"])];
        let trimmed = [shard("c", &["p"])];
        let wait = || Gate::WaitFor(vec!["p".into()]);
        assert_eq!(gate(&lease("r", "TRIM_HORIZON", &[]), &[], None), Gate::Open, "no parents");
        assert_eq!(gate(&child, &[lease("p", "5", &[])], None), wait(), "the parent is being read");
        assert_eq!(gate(&child, &[lease("p", "SHARD_END", &[])], None), Gate::Open);
        assert_eq!(gate(&child, &[], None), Gate::NeedListing(vec!["p".into()]), "a missing row proves nothing");
        let unknown = || Gate::NeedListing(vec!["p".into()]);
        assert_eq!(gate(&child, &[], Some(&listed)), unknown(), "it is still there and nobody has read it");
        assert_eq!(gate(&child, &[], Some(&trimmed)), Gate::Open, "it is gone for good");
        let lineage = Lineage::new([&child], Some(&trimmed));
        assert_eq!(lineage.gate(&child, |_| false), unknown(), "a listing lacks it, which is no proof");
        let sibling = |checkpoint| [lease("d", checkpoint, &["p"])];
        assert_eq!(gate(&child, &sibling("7"), Some(&listed)), Gate::Open, "the sibling was read: the parent had ended");
        assert_eq!(gate(&child, &sibling("TRIM_HORIZON"), Some(&listed)), unknown(), "a sibling that only exists proves nothing");
        let grandchild = [lease("g", "SHARD_END", &["d"]), lease("d", "TRIM_HORIZON", &["p"])];
        assert_eq!(gate(&child, &grandchild, None), Gate::Open, "any descendant proves it");
    }

    #[test]
    fn starts_that_leave_the_parents_out() {
        let listed = [shard("p", &[]), shard("c", &["p"])];
        for checkpoint in ["LATEST", "9", "SHARD_END"] {
            assert_eq!(gate(&lease("c", checkpoint, &["p"]), &[lease("p", "5", &[])], None), Gate::Open, "{checkpoint}");
        }
        let timestamp = lease("c", "AT_TIMESTAMP", &["p"]);
        assert_eq!(gate(&timestamp, &[], Some(&listed)), Gate::Open);
        assert_eq!(gate(&timestamp, &[lease("p", "AT_TIMESTAMP", &[])], Some(&listed)), Gate::WaitFor(vec!["p".into()]));
        // A reshard closes both parents of a merge at once: the start leaves out both, or none.
        let (merged, listed) = (lease("c", "AT_TIMESTAMP", &["p", "q"]), [shard("p", &[]), shard("q", &[])]);
        assert_eq!(gate(&merged, &[], Some(&listed)), Gate::Open);
        assert_eq!(gate(&merged, &[lease("q", "SHARD_END", &[])], Some(&listed)), Gate::NeedListing(vec!["p".into()]));
    }

    #[test]
    fn a_merge_waits_for_both_parents() {
        let child = lease("c", "TRIM_HORIZON", &["p", "q"]);
        let rows = [lease("p", "SHARD_END", &[]), lease("q", "3", &[])];
        assert_eq!(gate(&child, &rows, None), Gate::WaitFor(vec!["q".into()]));
    }
}
