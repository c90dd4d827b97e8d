use crate::{Lease, Lineage};

/// Which finished leases may go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CleanupPlan<'a> {
    /// Those to delete, in the order they were given; older generations go first by the rule.
    pub delete: Vec<&'a Lease>,
    /// Those about which only listings of the stream can tell.
    pub unclear: Vec<&'a Lease>,
}

/// Which of the leases that this worker holds may be deleted: finished, with every child's row there and read past
/// its start, and without a parent's row (`LeaseCleanupManager.java`).
///
/// Where the children are not known the stream must have forgotten the shard, so that nothing can ever ask for it again:
/// `is_gone` tells whether that is proven ([`Listings`](crate::Listings)). Where they are, no listing is asked for.
pub fn plan_cleanup<'a>(
    held: impl IntoIterator<Item = &'a Lease>,
    lineage: &Lineage<'_>,
    is_gone: impl Fn(&Lease) -> bool,
) -> CleanupPlan<'a> {
    let mut plan = CleanupPlan::default();
    for lease in held {
        match judge(lease, lineage, &is_gone) {
            Verdict::Delete => plan.delete.push(lease),
            Verdict::Unclear => plan.unclear.push(lease),
            Verdict::Keep => {}
        }
    }
    plan
}

enum Verdict {
    Delete,
    Unclear,
    Keep,
}

fn judge(lease: &Lease, lineage: &Lineage<'_>, is_gone: impl Fn(&Lease) -> bool) -> Verdict {
    let parent_remains = lease.parents.iter().any(|parent| lineage.checkpoint(parent).is_some());
    if !lease.checkpoint.is_shard_end() || parent_remains {
        return Verdict::Keep;
    }
    let mut children = lineage.children(&lease.key).peekable();
    if children.peek().is_none() {
        return match lineage.is_listed(&lease.key) {
            Some(true) => Verdict::Keep,
            // A listing may name children that nothing else does: without one at hand nothing is deleted.
            Some(false) if is_gone(lease) => Verdict::Delete,
            Some(false) | None => Verdict::Unclear,
        };
    }
    let all_begun = children.all(|child| lineage.checkpoint(child).is_some_and(|checkpoint| !checkpoint.is_initial()));
    if all_begun { Verdict::Delete } else { Verdict::Keep }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Checkpoint, HashKeyRange, Shard};

    fn lease(id: &str, checkpoint: &str, parents: &[&str]) -> Lease {
        let mut lease = Lease::new(id.into(), Checkpoint::from_text(checkpoint, 0).unwrap());
        lease.parents = parents.iter().map(|&parent| parent.into()).collect();
        lease
    }

    fn deleted(leases: &[Lease], listing: Option<&[Shard]>, gone: &str) -> Vec<String> {
        let lineage = Lineage::new(leases, listing);
        plan_cleanup(leases, &lineage, |lease| *lease.key == *gone)
            .delete
            .into_iter()
            .map(|lease| lease.key.to_string())
            .collect()
    }

    #[test]
    fn a_listing_is_asked_for_only_where_it_decides() {
        let needs = |leases: &[Lease], listing: Option<&[Shard]>| {
            !plan_cleanup(leases, &Lineage::new(leases, listing), |_| false).unclear.is_empty()
        };
        let (same, other) = ([shard("p")], [shard("x")]);
        assert!(needs(&[lease("p", "SHARD_END", &[])], None), "no child is known");
        assert!(!needs(&[lease("p", "SHARD_END", &[])], Some(&same)), "the stream has not forgotten it");
        assert!(needs(&[lease("p", "SHARD_END", &[])], Some(&other)), "one listing that lacks it is no proof");
        assert!(!needs(&[lease("p", "SHARD_END", &[]), lease("c", "TRIM_HORIZON", &["p"])], None), "the child has to begin");
        assert!(!needs(&[lease("g", "5", &[]), lease("p", "SHARD_END", &["g"])], None), "the parent has to go");
        assert!(!needs(&[lease("p", "5", &[])], None), "not finished");
    }

    fn shard(id: &str) -> Shard {
        Shard {
            id: id.into(),
            parents: vec![],
            hash_range: HashKeyRange::FULL,
            starting_sequence_number: None,
            ending_sequence_number: None,
        }
    }

    #[test]
    fn only_what_is_finished_and_followed() {
        let parent = || lease("p", "SHARD_END", &[]);
        let none: [String; 0] = [];
        assert_eq!(deleted(&[parent(), lease("c", "9", &["p"]), lease("d", "8", &["p"])], None, ""), ["p"]);
        assert_eq!(
            deleted(&[parent(), lease("c", "9", &["p"]), lease("d", "TRIM_HORIZON", &["p"])], None, ""),
            none,
            "d has not begun"
        );
        let mut named = parent();
        named.children = vec!["c".into(), "d".into()];
        assert_eq!(deleted(&[named, lease("c", "9", &["p"])], None, ""), none, "d has no row");
        assert_eq!(deleted(&[lease("p", "7", &[]), lease("c", "9", &["p"])], None, "p"), none, "p is not finished");
        let grandparent = [lease("g", "5", &[]), lease("p", "SHARD_END", &["g"]), lease("c", "9", &["p"])];
        assert_eq!(deleted(&grandparent, None, ""), none, "the grandparent goes first");
    }

    #[test]
    fn without_known_children_only_what_the_stream_has_forgotten() {
        let other = [shard("x")];
        let leases = [lease("p", "SHARD_END", &[])];
        assert!(deleted(&leases, None, "p").is_empty());
        assert!(deleted(&leases, Some(&other), "").is_empty());
        assert_eq!(deleted(&leases, Some(&other), "p"), ["p"]);
    }
}
