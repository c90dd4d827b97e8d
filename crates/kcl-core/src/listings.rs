use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::{Mono, Shard, ShardId};

/// The complete listings of a stream, as far as it matters that they lack a shard.
///
/// That closed shards are left out of a listing by mistake cannot be seen in it: only the open ones have to cover every
/// hash. So no single listing proves that the stream has forgotten a shard. Two that are some time apart do, if none in
/// between shows it (protocol rule P10).
#[derive(Clone, Debug)]
pub struct Listings {
    apart: Duration,
    newest: Option<(Mono, Vec<Shard>)>,
    /// When listings were asked for, in order: of those that are `apart` from the newest only the last. Those that come
    /// closely one after the other count once, so that there are never many.
    times: VecDeque<Mono>,
    /// When the shards that the newest lacks were last shown, if that was after the first of `times`.
    last_shown: BTreeMap<ShardId, Mono>,
}

/// Into how many parts the time that must lie between two listings is divided, at most.
const PARTS: u32 = 16;

impl Listings {
    /// No listing so far; two have to be asked for so long one after the other to prove anything.
    pub const fn new(apart: Duration) -> Self {
        Self { apart, newest: None, times: VecDeque::new(), last_shown: BTreeMap::new() }
    }

    /// A listing that was asked for at this moment, and whose open shards [cover every hash](crate::check_listing).
    pub fn see(&mut self, asked_at: Mono, shards: Vec<Shard>) {
        let Some((newest_at, newest)) = &mut self.newest else {
            self.times.push_back(asked_at);
            self.newest = Some((asked_at, shards));
            return;
        };
        // One whose answer was overtaken proves nothing, except that a shard was there.
        let (older_at, older) = if asked_at < *newest_at {
            (asked_at, shards)
        } else {
            (std::mem::replace(newest_at, asked_at), std::mem::replace(newest, shards))
        };
        if self.times.back().is_none_or(|last| newest_at.since(*last) >= self.apart / PARTS) {
            self.times.push_back(*newest_at);
        }
        while self.times.get(1).is_some_and(|next| newest_at.since(*next) >= self.apart) {
            self.times.pop_front();
        }
        let first = self.times.front().copied();
        let listed: BTreeSet<&ShardId> = newest.iter().map(|shard| &shard.id).collect();
        for shard in older.into_iter().filter(|shard| !listed.contains(&shard.id)) {
            let at = self.last_shown.entry(shard.id).or_insert(older_at);
            *at = older_at.max(*at);
        }
        self.last_shown.retain(|shard, at| Some(*at) >= first && !listed.contains(shard));
    }

    /// The newest listing, and when it was asked for.
    pub fn newest(&self) -> Option<(Mono, &[Shard])> {
        self.newest.as_ref().map(|(at, shards)| (*at, shards.as_slice()))
    }

    /// The newest listing, if it was asked for at this moment or later.
    pub fn newest_since(&self, moment: Mono) -> Option<&[Shard]> {
        self.newest().filter(|(at, _)| *at >= moment).map(|(_, shards)| shards)
    }

    /// Whether the stream has forgotten a shard that was known to exist at the moment `since`: of the listings that were asked
    /// for since then, the newest and one long enough before it lack the shard, and so do all between them.
    pub fn is_gone(&self, shard: &ShardId, since: Mono) -> bool {
        let Some((newest_at, newest)) = self.newest() else { return false };
        let shown_at = self.last_shown.get(shard).copied();
        let counts = |at: &&Mono| **at >= since && Some(**at) > shown_at;
        let first = self.times.iter().find(counts);
        first.is_some_and(|first| newest_at.since(*first) >= self.apart) && newest.iter().all(|listed| listed.id != *shard)
    }

    /// Whether a listing that is asked for now can prove that a shard is gone that is known since then, or is the first of
    /// the two that it takes.
    pub fn is_next_due(&self, now: Mono, since: Mono) -> bool {
        self.times.iter().find(|at| **at >= since).is_none_or(|first| now.since(*first) >= self.apart)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HashKeyRange;

    fn at(seconds: u64) -> Mono {
        Mono::from_millis(seconds * 1000)
    }

    fn shards(names: &str) -> Vec<Shard> {
        let shard = |name: char| Shard {
            id: ShardId::new(name.to_string()),
            parents: vec![],
            hash_range: HashKeyRange::FULL,
            starting_sequence_number: None,
            ending_sequence_number: None,
        };
        names.chars().map(shard).collect()
    }

    fn seen(listings: &[(u64, &str)]) -> Listings {
        let mut seen = Listings::new(Duration::from_secs(10));
        listings.iter().for_each(|(time, names)| seen.see(at(*time), shards(names)));
        seen
    }

    #[test]
    fn what_proves_that_a_shard_is_gone() {
        // Listings by when they were asked for, since when the shard `p` is known, and whether it is gone.
        type Case = (&'static [(u64, &'static str)], u64, bool, &'static str);
        let cases: [Case; 14] = [
            (&[], 0, false, "nothing was listed"),
            (&[(1, "c")], 0, false, "one listing"),
            (&[(1, "c"), (10, "c")], 0, false, "two that are too close"),
            (&[(1, "c"), (11, "c")], 0, true, "two that are far enough apart"),
            (&[(1, "c"), (4, "c"), (8, "c"), (11, "c")], 0, true, "and others between them"),
            (&[(1, "c"), (4, "c"), (8, "c"), (10, "c")], 0, false, "the first and the last are too close"),
            (&[(1, "c"), (5, "pc"), (11, "c")], 0, false, "it was shown between them"),
            (&[(1, "c"), (5, "pc"), (11, "c"), (20, "c")], 0, false, "that counts from the next on"),
            (&[(1, "c"), (5, "pc"), (11, "c"), (21, "c")], 0, true, "so long after it was shown"),
            (&[(1, "pc"), (5, "c"), (15, "c")], 0, true, "it was there once"),
            (&[(1, "c"), (11, "pc")], 0, false, "it is there"),
            (&[(1, "c"), (11, "c")], 2, false, "the first is older than what is asked about"),
            (&[(1, "c"), (11, "c"), (21, "c")], 2, true, "the second is not"),
            (&[(1, "c"), (11, "c"), (9, "pc")], 0, false, "an answer that was overtaken shows it"),
        ];
        for (listings, since, gone, why) in cases {
            assert_eq!(seen(listings).is_gone(&"p".into(), at(since)), gone, "{listings:?}: {why}");
        }
    }

    #[test]
    fn what_was_listed_long_ago_is_forgotten() {
        let often: Vec<(u64, &str)> = (0..1000).map(|time| (time, if time == 500 { "pc" } else { "c" })).collect();
        let seen = seen(&often);
        assert!(seen.times.len() <= PARTS as usize + 2, "{}", seen.times.len());
        assert!(seen.last_shown.is_empty());
        assert!(seen.is_gone(&"p".into(), at(0)));
    }

    #[test]
    fn a_listing_is_asked_for_only_when_it_can_tell() {
        let seen = seen(&[(1, "c"), (5, "c")]);
        let cases = [(6, 0, false), (10, 0, false), (11, 0, true), (11, 2, false), (15, 2, true), (6, 6, true)];
        for (now, since, due) in cases {
            assert_eq!(seen.is_next_due(at(now), at(since)), due, "at {now}, known since {since}");
        }
    }
}
