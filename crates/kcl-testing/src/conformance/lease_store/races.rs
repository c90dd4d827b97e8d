use futures_util::future::join_all;
use kcl_core::{
    Checkpoint, HashKeyRange, Lease, LeaseKey, LeaseStore, LeaseWrite, PendingCheckpoint, TenureToken, WorkerId, WriteOutcome,
};

use super::{at, bare, full};
use crate::conformance::check::{applied, canonical, get, write};

/// The row of the only write that was applied; the others must name it.
fn winner(outcomes: Vec<WriteOutcome>) -> Lease {
    let (mut rows, mut lost) = (Vec::new(), Vec::new());
    for outcome in outcomes {
        match outcome {
            WriteOutcome::Applied(row) => rows.push(row),
            WriteOutcome::Rejected { current } => lost.push(current),
        }
    }
    assert_eq!(rows.len(), 1, "applied: {rows:?}");
    assert!(lost.iter().all(|current| current.as_ref() == rows.first()), "applied: {rows:?}, rejected with: {lost:?}");
    rows.swap_remove(0)
}

/// Of several takes of one version at the same time exactly one is applied, and the others are told who has it.
pub async fn concurrent_takes_have_one_winner(store: &dyn LeaseStore) {
    let mut row = applied(store, &LeaseWrite::create(bare("a"))).await;
    for round in 0..5 {
        let workers = (0..8).map(|worker| WorkerId::from(format!("worker-{round}-{worker}")));
        let takes: Vec<_> = (1..).zip(workers).map(|(n, worker)| LeaseWrite::take(&row, &worker, TenureToken::new(n))).collect();
        let taken = winner(join_all(takes.iter().map(|take| write(store, take))).await);
        assert_eq!(taken.counter, row.counter.next());
        assert_eq!(get(store, &row.key).await.as_ref(), Some(&taken));
        row = taken;
    }
}

/// Of several creates of one key at the same time exactly one is applied.
pub async fn concurrent_creates_have_one_winner(store: &dyn LeaseStore) {
    let rows = (0..8).map(|worker| Lease { owner: Some(format!("worker-{worker}").into()), ..full("a") });
    let creates: Vec<_> = rows.map(LeaseWrite::create).collect();
    let created = winner(join_all(creates.iter().map(|create| write(store, create))).await);
    assert_eq!(get(store, &created.key).await, Some(created));
}

/// 300 writes of every kind, for current and for stale versions, have the outcomes and rows of [`LeaseWrite::apply`].
pub async fn writes_agree_with_the_reference(store: &dyn LeaseStore) {
    let mut draw = Draw(7);
    let mut model: [Vec<Option<Lease>>; 2] = [vec![None], vec![None]];
    for step in 0..300 {
        let index = draw.below(2);
        let history = &mut model[index];
        let current = history.last().cloned().flatten();
        let seen = draw.seen(history, current.as_ref());
        let sent = draw.write(["a", "b"][index], seen);
        let (expected, after) = match sent.apply(current.as_ref()) {
            Ok(Some(after)) => (WriteOutcome::Applied(canonical(after.clone())), Some(canonical(after))),
            Ok(None) => (WriteOutcome::Applied(current.unwrap_or_else(|| bare("a"))), None),
            Err(_) => (WriteOutcome::Rejected { current: current.clone() }, current),
        };
        assert_eq!(write(store, &sent).await, expected, "step {step}: {sent:?}");
        assert_eq!(get(store, sent.key()).await, after, "step {step}: {sent:?}");
        history.push(after);
    }
}

/// A fixed sequence of choices: the same writes for every backend and every run.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: usize) -> usize {
        // xorshift64 (Marsaglia, 2003)
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % (bound.max(1) as u64)).unwrap_or(0)
    }

    /// What a worker believes the row to be: mostly the truth, otherwise an earlier version, or the truth with another
    /// owner or counter.
    fn seen(&mut self, history: &[Option<Lease>], current: Option<&Lease>) -> Option<Lease> {
        let current = current.cloned();
        match self.below(8) {
            0 => history[self.below(history.len())].clone(),
            1 => current.map(|row| Lease { owner: self.owner(), ..row }),
            2 => current.map(|row| Lease { counter: row.counter.next(), ..row }),
            _ => current,
        }
    }

    fn owner(&mut self) -> Option<WorkerId> {
        [None, Some("owner-a".into()), Some("owner-b".into())][self.below(3)].clone()
    }

    fn position(&mut self) -> Checkpoint {
        [at(1), at(2), at(3), Checkpoint::ShardEnd][self.below(4)].clone()
    }

    fn write(&mut self, key: &str, seen: Option<Lease>) -> LeaseWrite {
        let partial = Lease { children: Vec::new(), hash_range: None, ..full(key) };
        if self.below(if seen.is_some() { 10 } else { 2 }) == 0 {
            return LeaseWrite::create([full(key), bare(key), partial][self.below(3)].clone());
        }
        let is_absent = seen.is_none();
        let seen = seen.unwrap_or(partial);
        // Rows have to come and go.
        if seen.checkpoint.is_shard_end() && self.below(2) == 0 {
            return LeaseWrite::delete(&seen);
        }
        let key = LeaseKey::from(key);
        // Only these need no version: half of what is sent to a row that is not there.
        let verb = if is_absent && self.below(2) == 0 { 6 + self.below(3) } else { self.below(12) };
        match verb {
            0 => LeaseWrite::renew(&seen),
            1 | 2 => {
                let owner = WorkerId::new(["owner-a", "owner-b"][self.below(2)]);
                let token = TenureToken::new([0, 1, u64::MAX][self.below(3)]);
                LeaseWrite::take(&seen, &owner, token).with_hand_off(self.below(4) > 0)
            }
            3 => LeaseWrite::checkpoint(&seen, self.position()),
            4 => {
                let state = [None, Some("state".into())][self.below(2)].clone();
                LeaseWrite::prepare_checkpoint(&seen, PendingCheckpoint { checkpoint: self.position(), state })
            }
            5 => LeaseWrite::release(&seen),
            6 => LeaseWrite::describe_children(&key, vec!["shardId-000000000008".into()]),
            7 => LeaseWrite::describe_hash_range(&key, HashKeyRange { start: 5, end: 6 }),
            8 => LeaseWrite::withdraw(&key, &WorkerId::new(["owner-a", "owner-b"][self.below(2)])),
            9 => {
                let by = WorkerId::new(["owner-a", "owner-b"][self.below(2)]);
                LeaseWrite::request(&seen, &by).unwrap_or_else(|| LeaseWrite::renew(&seen))
            }
            10 => {
                let to = WorkerId::new(["owner-a", "owner-b"][self.below(2)]);
                LeaseWrite::transfer(&seen, &to).unwrap_or_else(|| LeaseWrite::renew(&seen))
            }
            _ => LeaseWrite::delete(&seen),
        }
    }
}
