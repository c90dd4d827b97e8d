use crate::{Checkpoint, Lease, Shard};

/// A family tree before its shards have numbers: names in the order in which they were met, most of them several times.
///
/// Names become numbers in one sort. Maps keyed by names would compare them at every step of every walk, which is what
/// a pass over ten thousand leases then spends its time on.
#[derive(Default)]
pub(super) struct Family<'a> {
    names: Vec<(&'a str, usize)>,
    /// Child and parent, by where their names stand.
    descent: Vec<(usize, usize)>,
    rows: Vec<(usize, &'a Checkpoint)>,
    listed: Vec<usize>,
}

/// A family tree by numbers, in the order of the names.
pub(super) struct Numbered<'a> {
    pub(super) names: Vec<&'a str>,
    pub(super) parents: Edges,
    pub(super) children: Edges,
    pub(super) checkpoints: Vec<Option<&'a Checkpoint>>,
    pub(super) listed: Vec<bool>,
}

/// Which numbers each number points to, in ascending order and each once.
#[derive(Clone, Debug)]
pub(super) struct Edges {
    starts: Vec<usize>,
    ends: Vec<usize>,
}

impl<'a> Family<'a> {
    pub(super) fn add_row(&mut self, lease: &'a Lease) {
        let row = self.add(&lease.key);
        self.rows.push((row, &lease.checkpoint));
        for parent in &lease.parents {
            let parent = self.add(parent);
            self.descent.push((row, parent));
        }
        for child in &lease.children {
            let child = self.add(child);
            self.descent.push((child, row));
        }
    }

    pub(super) fn add_listed(&mut self, shard: &'a Shard) {
        let listed = self.add(&shard.id);
        self.listed.push(listed);
        for parent in &shard.parents {
            let parent = self.add(parent);
            self.descent.push((listed, parent));
        }
    }

    fn add(&mut self, name: &'a str) -> usize {
        self.names.push((name, self.names.len()));
        self.names.len() - 1
    }

    pub(super) fn numbered(self) -> Numbered<'a> {
        let Self { mut names, descent, rows, listed } = self;
        // Stable, because it is fast where what it is given is sorted in parts, as tables and listings are.
        names.sort();
        let mut distinct: Vec<&str> = Vec::with_capacity(names.len());
        let mut numbers = vec![0; names.len()];
        for (name, place) in names {
            if distinct.last() != Some(&name) {
                distinct.push(name);
            }
            numbers[place] = distinct.len() - 1;
        }
        let count = distinct.len();
        let mut checkpoints = vec![None; count];
        rows.into_iter().for_each(|(place, checkpoint)| checkpoints[numbers[place]] = Some(checkpoint));
        let mut is_listed = vec![false; count];
        listed.into_iter().for_each(|place| is_listed[numbers[place]] = true);
        let pairs = || descent.iter().map(|(child, parent)| (numbers[*child], numbers[*parent]));
        let parents = Edges::new(count, pairs().collect());
        let children = Edges::new(count, pairs().map(|(child, parent)| (parent, child)).collect());
        Numbered { names: distinct, parents, children, checkpoints, listed: is_listed }
    }
}

impl Edges {
    fn new(count: usize, mut pairs: Vec<(usize, usize)>) -> Self {
        pairs.sort_unstable();
        pairs.dedup();
        let mut starts = vec![0; count + 1];
        pairs.iter().for_each(|(from, _)| starts[from + 1] += 1);
        for index in 1..starts.len() {
            starts[index] += starts[index - 1];
        }
        Self { starts, ends: pairs.into_iter().map(|(_, to)| to).collect() }
    }

    pub(super) fn of(&self, from: usize) -> &[usize] {
        let span = self.starts.get(from).zip(self.starts.get(from + 1));
        span.and_then(|(start, end)| self.ends.get(*start..*end)).unwrap_or_default()
    }

    /// Everything that can be reached from these, by number; a start only if it is reached from another.
    pub(super) fn reachable(&self, starts: impl Iterator<Item = usize>) -> Vec<bool> {
        let mut found = vec![false; self.starts.len().saturating_sub(1)];
        let mut open: Vec<usize> = starts.collect();
        while let Some(number) = open.pop() {
            open.extend(self.of(number).iter().copied().filter(|next| !std::mem::replace(&mut found[*next], true)));
        }
        found
    }
}
