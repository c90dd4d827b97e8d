//! What a worker of KCL 2.x sees of the others, and which leases it takes.

use std::collections::BTreeMap;
use std::time::Duration;

use kcl_core::{Lease, LeaseKey, Mono, WorkerId};

use super::dice::Dice;

/// A lease that was not renewed for so many failover times is taken whatever the share.
const VERY_OLD: u32 = 3;

/// A row and since when it has its counter, as this worker saw it. Rows that nobody ever owned count from the beginning of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) row: Lease,
    pub(super) since: Mono,
}

/// The table as this worker saw it last.
#[derive(Debug, Default)]
pub(super) struct Observer {
    rows: BTreeMap<LeaseKey, Seen>,
}

impl Observer {
    /// A scan is over. The first sight of somebody's lease gives it a whole failover time.
    pub(super) fn scanned(&mut self, rows: Vec<Lease>, now: Mono) {
        let before = std::mem::take(&mut self.rows);
        self.rows = rows
            .into_iter()
            .map(|row| {
                let since = match before.get(&row.key) {
                    Some(seen) if seen.row.counter == row.counter => seen.since,
                    None if row.owner.is_none() => Mono::ZERO,
                    _ => now,
                };
                (row.key.clone(), Seen { row, since })
            })
            .collect();
    }

    /// This worker took it.
    pub(super) fn took(&mut self, row: Lease, now: Mono) {
        self.rows.insert(row.key.clone(), Seen { row, since: now });
    }
}

/// A lease to be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) row: Lease,
    pub(super) steal: bool,
}

/// What a round takes. `steal_at_once` is `maxLeasesToStealAtOneTime`.
pub(super) fn choose(
    observer: &Observer,
    me: &WorkerId,
    now: Mono,
    failover: Duration,
    steal_at_once: usize,
    dice: &Dice,
) -> Vec<Wanted> {
    let expired = |seen: &Seen, after: Duration| now.since(seen.since) > after;
    let is_free = |seen: &Seen| seen.row.owner.is_none() || expired(seen, failover);
    let mut counts: BTreeMap<&WorkerId, usize> = BTreeMap::from([(me, 0)]);
    for owner in observer.rows.values().filter(|seen| !is_free(seen)).filter_map(|seen| seen.row.owner.as_ref()) {
        *counts.entry(owner).or_default() += 1;
    }
    let (leases, workers) = (observer.rows.len(), counts.len());
    let target = if workers >= leases { 1 } else { leases.div_ceil(workers) };
    let mine = counts.get(me).copied().unwrap_or_default();
    let need = target.saturating_sub(mine);
    let want = |seen: &Seen| Wanted { row: seen.row.clone(), steal: false };
    // Finished ones and this worker's own included, whatever the share: maxLeasesForWorker is not set.
    let very_old: Vec<Wanted> = observer.rows.values().filter(|seen| expired(seen, failover * VERY_OLD)).map(want).collect();
    if !very_old.is_empty() {
        return dice.shuffled(very_old);
    }
    if need == 0 || leases == 0 {
        return Vec::new();
    }
    let free: Vec<Wanted> = observer.rows.values().filter(|seen| is_free(seen)).map(want).collect();
    if !free.is_empty() {
        return dice.shuffled(free).into_iter().take(need).collect();
    }
    let rich = counts.iter().max_by_key(|(_, count)| **count).map(|(owner, count)| ((*owner).clone(), *count));
    let Some((rich, most)) = rich else { return Vec::new() };
    let count = steals(need, target, most).min(steal_at_once);
    let his = observer.rows.values().filter(|seen| seen.row.owner.as_ref() == Some(&rich));
    let his: Vec<Wanted> = his.map(|seen| Wanted { row: seen.row.clone(), steal: true }).collect();
    dice.shuffled(his).into_iter().take(count).collect()
}

/// How many leases are stolen from a worker that has so many.
fn steals(need: usize, target: usize, most: usize) -> usize {
    match most.checked_sub(target) {
        None => 0,
        Some(0) => usize::from(need > 1),
        Some(above) => need.min(above),
    }
}

#[cfg(test)]
mod tests {
    use kcl_core::Checkpoint;

    use super::*;
    use crate::exec::NodeId;

    const FAILOVER: Duration = Duration::from_secs(10);

    fn row(key: &str, owner: &str) -> Lease {
        let owner = Some(owner).filter(|owner| !owner.is_empty()).map(WorkerId::from);
        Lease { owner, ..Lease::new(key.into(), Checkpoint::TrimHorizon) }
    }

    /// Rows `a`, `b`, ... of these owners, one letter each, `-` for nobody.
    fn rows(owners: &str) -> Vec<Lease> {
        let name = |at: usize| String::from(char::from(b'a' + u8::try_from(at).unwrap()));
        owners.chars().enumerate().map(|(at, owner)| row(&name(at), owner.to_string().trim_matches('-'))).collect()
    }

    /// How many leases `m` takes freely and steals, so many seconds after its first scan.
    fn chosen(owners: &str, later: u64) -> (usize, usize) {
        let mut observer = Observer::default();
        let start = Mono::from_millis(1_000_000);
        observer.scanned(rows(owners), start);
        let now = start + Duration::from_secs(later);
        observer.scanned(rows(owners), now);
        let chosen = choose(&observer, &"m".into(), now, FAILOVER, 1, &Dice::new(1, NodeId(1)));
        let stolen = chosen.iter().filter(|wanted| wanted.steal).count();
        (chosen.len() - stolen, stolen)
    }

    #[test]
    fn how_many_are_taken_and_stolen() {
        let cases = [
            // Never owned: very old at once, all of them.
            ("----", 1, (4, 0)),
            // Nobody has expired: one is stolen in a round.
            ("xxxx", 1, (0, 1)),
            ("xxxxyyym", 1, (0, 1)),
            // One is needed, and nobody has more than the share.
            ("xxmyy", 1, (0, 0)),
            // Two are needed, and the richest has just the share.
            ("xxxyyym", 1, (0, 1)),
            ("mmxx", 1, (0, 0)),
            // The dead worker is not counted: the rest is shared.
            ("xxxx", 11, (4, 0)),
            // Very old, and above the share.
            ("mmxx", 31, (4, 0)),
            ("", 1, (0, 0)),
        ];
        for (owners, later, expected) in cases {
            assert_eq!(chosen(owners, later), expected, "{owners} after {later} s");
        }
    }

    #[test]
    fn the_first_sight_of_a_lease_gives_it_a_failover_time() {
        let mut observer = Observer::default();
        let at = |seconds: u64| Mono::from_millis(1_000_000 + seconds * 1_000);
        let take = |observer: &Observer, seconds: u64| {
            !choose(observer, &"m".into(), at(seconds), FAILOVER, 0, &Dice::new(1, NodeId(1))).is_empty()
        };
        observer.scanned(rows("x"), at(0));
        assert!(!take(&observer, 10));
        assert!(take(&observer, 11));
        let renewed = Lease { counter: kcl_core::LeaseCounter::new(1), ..row("a", "x") };
        observer.scanned(vec![renewed.clone()], at(11));
        assert!(!take(&observer, 21), "any change starts it anew");
        observer.scanned(vec![renewed], at(22));
        assert!(take(&observer, 22));
        observer.scanned(Vec::new(), at(23));
        observer.scanned(rows("x"), at(24));
        assert!(!take(&observer, 30), "what was gone is new");
    }

    /// A row that somebody owned and that has no owner now is free, but not very old.
    #[test]
    fn released_leases_are_taken_up_to_the_share() {
        let mut observer = Observer::default();
        observer.scanned(rows("xxyy"), Mono::from_millis(1_000_000));
        let mut released = rows("--yy");
        released.iter_mut().for_each(|row| row.counter = row.counter.next());
        let now = Mono::from_millis(1_001_000);
        observer.scanned(released, now);
        let chosen = choose(&observer, &"m".into(), now, FAILOVER, 1, &Dice::new(1, NodeId(1)));
        assert!(chosen.len() == 2 && chosen.iter().all(|wanted| !wanted.steal && wanted.row.owner.is_none()), "{chosen:?}");
    }
}
