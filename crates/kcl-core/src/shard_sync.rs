mod order;

use std::collections::{BTreeMap, BTreeSet};

use crate::{Change, Checkpoint, Lease, LeaseKey, LeaseWrite, Lineage, Shard, ShardId, StartStrategy, Wall};
pub use order::in_own_order;

/// A listing of shards that cannot be complete: the open shards leave hashes uncovered or cover them twice.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the open shards do not cover every hash once: first_wrong_hash={at} open_shards={open_shards}")]
pub struct IncompleteListing {
    /// The first hash that is not covered, or covered twice.
    pub at: u128,
    /// How many open shards were listed.
    pub open_shards: usize,
}

/// Checks that the open shards of a listing cover every hash exactly once.
///
/// # Errors
/// [`IncompleteListing`]: list again later.
pub fn check_listing(shards: &[Shard]) -> Result<(), IncompleteListing> {
    let mut ranges: Vec<_> = shards.iter().filter(|shard| shard.is_open()).map(|shard| shard.hash_range).collect();
    ranges.sort_unstable();
    let open_shards = ranges.len();
    let mut next = Some(0_u128);
    for range in &ranges {
        if next != Some(range.start) {
            return Err(IncompleteListing { at: next.unwrap_or(range.start), open_shards });
        }
        next = range.end.checked_add(1);
    }
    match next {
        None => Ok(()),
        Some(at) => Err(IncompleteListing { at, open_shards }),
    }
}

/// Which leases to create so that every record from the start position on is covered: parents first.
///
/// The rules are those of the Java library (`HierarchicalShardSyncer.java`), with two differences that a Java peer
/// cannot notice: a shard that is known to have ended never gets a row again (protocol rule P10), and a child of an
/// ended shard gets its row here too if whoever ended the parent left it out.
pub fn plan_shard_sync(shards: &[Shard], leases: &[&Lease], start: StartStrategy, now: Wall) -> Vec<LeaseWrite> {
    let mut sync = Sync::new(shards, leases, start);
    sync.cover_open(shards);
    sync.cover_parents_of_unstarted(leases);
    sync.cover_children_of_ended(shards);
    sync.into_writes(start, now)
}

/// The rows that must be read, strongly consistent, before `writes` may create rows: those of all listed descendants of closed
/// shards, and of all listed ancestors of shards that are to be read from LATEST.
///
/// A closed shard without a row may have been finished and cleaned up, and a scan that is old, or a read of that one row,
/// does not show it: only a descendant that was read past its start does. And a shard starts at LATEST only if none of its
/// ancestors has a row, which an old scan would not show either (protocol rule P10).
pub fn rows_to_check(shards: &[Shard], writes: &[LeaseWrite]) -> BTreeSet<LeaseKey> {
    let mut children: BTreeMap<&str, Vec<&ShardId>> = BTreeMap::new();
    let listed: BTreeMap<&str, &Shard> = shards.iter().map(|shard| (shard.id.as_str(), shard)).collect();
    for shard in shards {
        shard.parents.iter().for_each(|parent| children.entry(parent).or_default().push(&shard.id));
    }
    let of = |write: &LeaseWrite| listed.get(write.key().as_str()).map(|shard| &shard.id);
    let at_latest = |write: &&LeaseWrite| matches!(write.change(), Change::Put(row) if row.checkpoint == Checkpoint::Latest);
    let mut rows = reached(writes.iter().filter_map(of), |shard| children.get(shard).into_iter().flatten().copied());
    let parents = |shard: &str| listed.get(shard).into_iter().flat_map(|shard| &shard.parents);
    rows.extend(reached(writes.iter().filter(at_latest).filter_map(of), |shard| {
        parents(shard).filter(|parent| listed.contains_key(parent.as_str()))
    }));
    rows
}

/// The rows of whatever follows these shards, step by step.
fn reached<'a, I: Iterator<Item = &'a ShardId>>(
    from: impl Iterator<Item = &'a ShardId>,
    next: impl Fn(&'a str) -> I,
) -> BTreeSet<LeaseKey> {
    let mut rows = BTreeSet::new();
    let mut open: Vec<&ShardId> = from.collect();
    while let Some(shard) = open.pop() {
        for found in next(shard) {
            if rows.insert(LeaseKey::of_shard(found)) {
                open.push(found);
            }
        }
    }
    rows
}

/// The lease of a shard that follows `parent`, whose records were all delivered: it starts at its oldest record. Where the
/// parent was read from a timestamp and has no checkpoint, nothing of it may have been that new: then the child is read from
/// the timestamp, too.
pub fn child_lease(child: &crate::ChildShard, parent: &Checkpoint) -> Lease {
    let start = if *parent == Checkpoint::AtTimestamp { Checkpoint::AtTimestamp } else { Checkpoint::TrimHorizon };
    let mut lease = Lease::new(LeaseKey::of_shard(&child.id), start);
    lease.parents.clone_from(&child.parents);
    lease.hash_range = child.hash_range;
    lease
}

struct Sync<'a> {
    shards: BTreeMap<&'a str, &'a Shard>,
    lineage: Lineage<'a>,
    initial: Checkpoint,
    /// Whether a shard descends from one that has, or will get, a lease.
    descends: BTreeMap<&'a str, bool>,
    /// Ancestors that a start before LATEST wants to be read from the beginning.
    wanted: BTreeSet<&'a str>,
    planned: BTreeMap<&'a str, Checkpoint>,
}

impl<'a> Sync<'a> {
    fn new(shards: &'a [Shard], leases: &[&'a Lease], start: StartStrategy) -> Self {
        Self {
            shards: shards.iter().map(|shard| (shard.id.as_str(), shard)).collect(),
            lineage: Lineage::new(leases.iter().copied(), Some(shards)),
            initial: start.initial_checkpoint(),
            descends: BTreeMap::new(),
            wanted: BTreeSet::new(),
            planned: BTreeMap::new(),
        }
    }

    fn has_lease(&self, shard: &str) -> bool {
        self.lineage.checkpoint(shard).is_some()
    }

    /// Covers the open shards that have no lease: each by a lease of its own, or by that of an ancestor.
    fn cover_open(&mut self, shards: &'a [Shard]) {
        let uncovered = |shard: &&Shard| shard.is_open() && !self.is_settled(&shard.id) && !self.has_open_parent(shard);
        let open: Vec<&'a Shard> = shards.iter().filter(uncovered).collect();
        for shard in self.with_unsettled_ancestors(&open) {
            self.visit(shard);
        }
        for shard in open {
            if self.descends.get(shard.id.as_str()) == Some(&false) {
                self.planned.insert(&shard.id, self.initial.clone());
            }
        }
    }

    /// Whether nothing is to be created for the shard: it has a lease, or is known to have ended.
    fn is_settled(&self, shard: &str) -> bool {
        self.has_lease(shard) || self.lineage.is_known_ended(shard)
    }

    /// The shards and all of their ancestors up to settled ones, parents before children.
    fn with_unsettled_ancestors(&self, shards: &[&'a Shard]) -> Vec<&'a Shard> {
        let (mut order, mut seen) = (Vec::new(), BTreeSet::new());
        let mut open: Vec<(&'a Shard, bool)> = shards.iter().map(|shard| (*shard, false)).collect();
        while let Some((shard, parents_done)) = open.pop() {
            if parents_done {
                order.push(shard);
            } else if seen.insert(shard.id.as_str()) {
                open.push((shard, true));
                let unsettled = self.listed_parents(shard).into_iter().filter(|parent| !self.is_settled(parent));
                open.extend(unsettled.filter_map(|parent| self.shards.get(parent)).map(|parent| (*parent, false)));
            }
        }
        order
    }

    /// An open parent with a child: the listing was taken in the middle of a reshard. The next one will show the child.
    fn has_open_parent(&self, shard: &Shard) -> bool {
        shard.parents.iter().filter_map(|parent| self.shards.get(parent.as_str())).any(|parent| parent.is_open())
    }

    fn listed_parents(&self, shard: &Shard) -> Vec<&'a str> {
        shard.parents.iter().filter_map(|parent| self.shards.get_key_value(parent.as_str())).map(|(id, _)| *id).collect()
    }

    /// Decides whether the end of a parent will start the shard, and plans the parents that this needs. Its unsettled
    /// parents were visited before.
    fn visit(&mut self, shard: &'a Shard) {
        let parents = self.listed_parents(shard);
        let descends = |parent: &&str| self.is_settled(parent) || self.descends.get(*parent) == Some(&true);
        let descending: BTreeSet<&str> = parents.iter().copied().filter(descends).collect();
        // A parent that the stream has forgotten and that has a row was to be read: the child follows it all the same.
        let follows_forgotten =
            shard.parents.iter().any(|parent| !self.shards.contains_key(parent.as_str()) && self.has_lease(parent));
        let starts =
            follows_forgotten || parents.iter().any(|parent| descending.contains(parent) || self.wanted.contains(parent));
        if starts {
            for parent in parents {
                self.plan_parent(parent, descending.contains(parent));
            }
        } else if self.initial != Checkpoint::Latest {
            self.wanted.insert(&shard.id);
        }
        self.descends.insert(&shard.id, starts);
    }

    fn plan_parent(&mut self, parent: &'a str, descends: bool) {
        if self.is_settled(parent) || (descends && !self.wanted.contains(parent)) {
            return;
        }
        self.planned.entry(parent).or_insert_with(|| self.initial.clone());
    }

    /// A row that has not started and whose parent has neither a row nor an end would wait for ever. One that starts at a
    /// timestamp waits only if another parent has a row: otherwise the start left them out.
    fn cover_parents_of_unstarted(&mut self, leases: &[&'a Lease]) {
        let mut open: Vec<&'a str> =
            leases.iter().filter(|lease| lease.checkpoint == Checkpoint::TrimHorizon).map(|lease| lease.key.as_str()).collect();
        let by_time = leases.iter().filter(|lease| lease.checkpoint == Checkpoint::AtTimestamp);
        let merged = by_time.filter(|lease| !self.lineage.starts_at_timestamp_alone(&lease.checkpoint, &lease.parents));
        let merged: Vec<&'a Shard> = merged.filter_map(|lease| self.shards.get(lease.key.as_str()).copied()).collect();
        for parent in merged.into_iter().flat_map(|shard| self.listed_parents(shard)).collect::<Vec<_>>() {
            if !self.is_settled(parent) {
                self.planned.entry(parent).or_insert(Checkpoint::AtTimestamp);
            }
        }
        while let Some(id) = open.pop() {
            let Some(&shard) = self.shards.get(id) else { continue };
            for parent in self.listed_parents(shard) {
                let covered = self.is_settled(parent) || self.planned.contains_key(parent);
                if !covered {
                    self.planned.insert(parent, Checkpoint::TrimHorizon);
                    open.push(parent);
                }
            }
        }
    }

    /// A shard below an ended one that has neither a row nor a descendant with one was left out by mistake. With such a
    /// descendant it was left out by the start position.
    fn cover_children_of_ended(&mut self, shards: &'a [Shard]) {
        let planned = self.ancestors_of_planned();
        for shard in shards {
            let followed = self.lineage.has_descendant_row(&shard.id) || planned.contains(shard.id.as_str());
            let known = self.is_settled(&shard.id) || followed;
            let follows = shard.parents.iter().any(|parent| self.lineage.is_known_ended(parent));
            if !known && follows && !self.has_open_parent(shard) {
                self.planned.insert(&shard.id, Checkpoint::TrimHorizon);
            }
        }
    }

    fn ancestors_of_planned(&self) -> BTreeSet<&'a str> {
        let mut found = BTreeSet::new();
        let mut open: Vec<&'a str> = self.planned.keys().copied().collect();
        while let Some(shard) = open.pop().and_then(|id| self.shards.get(id)) {
            open.extend(self.listed_parents(shard).into_iter().filter(|parent| found.insert(*parent)));
        }
        found
    }

    fn into_writes(self, start: StartStrategy, now: Wall) -> Vec<LeaseWrite> {
        let mut planned: Vec<(&Shard, Checkpoint)> =
            self.planned.into_iter().filter_map(|(id, checkpoint)| Some((*self.shards.get(id)?, checkpoint))).collect();
        planned.sort_by(|(a, _), (b, _)| (&a.starting_sequence_number, &a.id).cmp(&(&b.starting_sequence_number, &b.id)));
        planned.into_iter().map(|(shard, checkpoint)| LeaseWrite::create(new_lease(shard, checkpoint, start, now))).collect()
    }
}

fn new_lease(shard: &Shard, checkpoint: Checkpoint, start: StartStrategy, now: Wall) -> Lease {
    let pinned = checkpoint == Checkpoint::Latest && start == StartStrategy::Latest;
    let mut lease = Lease::new(LeaseKey::of_shard(&shard.id), checkpoint);
    lease.parents = shard.parents.iter().map(ShardId::clone).collect();
    lease.hash_range = Some(shard.hash_range);
    lease.latest_since = pinned.then_some(now);
    lease
}

#[cfg(test)]
mod tests;
