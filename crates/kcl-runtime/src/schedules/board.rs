//! The register of tenures that `status()` reads: the coordinator enters and removes tenures, drivers count what they
//! deliver, readers take snapshots, and the shutdown ends it all.

use std::collections::BTreeMap;
use std::time::Duration;

use kcl_core::{Checkpoint, LeaseKey, Mono, WorkerId};
use shuttle::thread;

use super::explore::{explore, is_found};
use super::surroundings::at;
use crate::status::{ConsumerState, LeaseState, StatusBoard};
use crate::sync::Mutex;

const NOW: Mono = Mono::from_millis(1_000);

/// What a snapshot tells of one lease.
type Line = (Checkpoint, u64);

trait Board: Send + Sync {
    fn enter(&self, state: ConsumerState);
    fn gain(&self, key: &LeaseKey);
    fn lose(&self, key: &LeaseKey);
    fn set_checkpoint(&self, key: &LeaseKey, checkpoint: Checkpoint);
    fn delivered(&self, key: &LeaseKey, records: u64);
    fn snapshot(&self) -> (ConsumerState, BTreeMap<LeaseKey, Line>);
}

impl Board for StatusBoard {
    fn enter(&self, state: ConsumerState) {
        self.enter(state);
    }

    fn gain(&self, key: &LeaseKey) {
        self.gain(NOW, key, LeaseState::Processing, Checkpoint::TrimHorizon);
    }

    fn lose(&self, key: &LeaseKey) {
        self.lose(key);
    }

    fn set_checkpoint(&self, key: &LeaseKey, checkpoint: Checkpoint) {
        self.set_checkpoint(key, checkpoint);
    }

    fn delivered(&self, key: &LeaseKey, records: u64) {
        self.delivered(NOW, key, records);
    }

    fn snapshot(&self) -> (ConsumerState, BTreeMap<LeaseKey, Line>) {
        let later = NOW + Duration::from_secs(1);
        assert!(self.stalled(later, Duration::from_secs(2)).is_empty());
        let status = self.status(later, WorkerId::from("me"));
        let lines = status.leases.into_iter().map(|lease| (lease.lease_key, (lease.checkpoint, lease.records)));
        (status.state, lines.collect())
    }
}

/// A copy of the board that looks an entry up in one lock scope and puts the changed one back in the next.
#[derive(Default)]
struct CopiesEntries {
    board: Mutex<(ConsumerState, BTreeMap<LeaseKey, Line>)>,
}

impl CopiesEntries {
    fn update(&self, key: &LeaseKey, change: impl FnOnce(&mut Line)) {
        let found = self.board.lock().unwrap().1.get(key).cloned();
        if let Some(mut entry) = found {
            change(&mut entry);
            self.board.lock().unwrap().1.insert(key.clone(), entry);
        }
    }
}

impl Board for CopiesEntries {
    fn enter(&self, state: ConsumerState) {
        self.board.lock().unwrap().0 = state;
    }

    fn gain(&self, key: &LeaseKey) {
        self.board.lock().unwrap().1.insert(key.clone(), (Checkpoint::TrimHorizon, 0));
    }

    fn lose(&self, key: &LeaseKey) {
        self.board.lock().unwrap().1.remove(key);
    }

    fn set_checkpoint(&self, key: &LeaseKey, checkpoint: Checkpoint) {
        self.update(key, |(stored, _)| *stored = checkpoint);
    }

    fn delivered(&self, key: &LeaseKey, records: u64) {
        self.update(key, |(_, all)| *all += records);
    }

    fn snapshot(&self) -> (ConsumerState, BTreeMap<LeaseKey, Line>) {
        self.board.lock().unwrap().clone()
    }
}

/// A copy of the board whose state and leases are two facts under two locks.
#[derive(Default)]
struct TwoLocks {
    state: Mutex<ConsumerState>,
    leases: Mutex<BTreeMap<LeaseKey, Line>>,
}

impl Board for TwoLocks {
    fn enter(&self, state: ConsumerState) {
        *self.state.lock().unwrap() = state;
    }

    fn gain(&self, key: &LeaseKey) {
        self.leases.lock().unwrap().insert(key.clone(), (Checkpoint::TrimHorizon, 0));
    }

    fn lose(&self, key: &LeaseKey) {
        self.leases.lock().unwrap().remove(key);
    }

    fn set_checkpoint(&self, key: &LeaseKey, checkpoint: Checkpoint) {
        self.leases.lock().unwrap().entry(key.clone()).and_modify(|(stored, _)| *stored = checkpoint);
    }

    fn delivered(&self, key: &LeaseKey, records: u64) {
        self.leases.lock().unwrap().entry(key.clone()).and_modify(|(_, all)| *all += records);
    }

    fn snapshot(&self) -> (ConsumerState, BTreeMap<LeaseKey, Line>) {
        let leases = self.leases.lock().unwrap().clone();
        (*self.state.lock().unwrap(), leases)
    }
}

const fn rank(state: ConsumerState) -> u8 {
    match state {
        ConsumerState::Running => 0,
        ConsumerState::ShuttingDown => 1,
        ConsumerState::Stopped => 2,
    }
}

/// One worker's life: two leases, one of them lost while its driver still counts, then a shutdown.
fn life(board: &impl Board) {
    let [kept, lost] = [LeaseKey::new("kept"), LeaseKey::new("lost")];
    board.gain(&kept);
    board.gain(&lost);
    let reader = || {
        let mut last: (u8, Line) = (0, (Checkpoint::TrimHorizon, 0));
        for _ in 0..3 {
            let (state, leases) = board.snapshot();
            let line = leases.get(&kept).cloned();
            assert!(rank(state) >= last.0, "the state went back");
            assert!(state != ConsumerState::Stopped || leases.is_empty(), "stopped with a lease");
            assert!(state != ConsumerState::Running || line.is_some(), "a lease that is held is missing");
            assert!(state == ConsumerState::Running || !leases.contains_key(&lost), "a lost lease came back");
            let line = line.unwrap_or_else(|| last.1.clone());
            assert!(line.0 >= last.1.0 && line.1 >= last.1.1, "{line:?} after {:?}", last.1);
            last = (rank(state), line);
        }
    };
    let driver = |key| {
        move || {
            board.delivered(key, 2);
            board.delivered(key, 3);
        }
    };
    thread::scope(|threads| {
        threads.spawn(reader);
        let drivers = [threads.spawn(driver(&kept)), threads.spawn(driver(&lost))];
        board.set_checkpoint(&kept, at(1));
        board.lose(&lost);
        board.set_checkpoint(&kept, at(2));
        for driver in drivers {
            driver.join().unwrap();
        }
        board.enter(ConsumerState::ShuttingDown);
        let (_, leases) = board.snapshot();
        assert_eq!(leases, BTreeMap::from([(kept.clone(), (at(2), 5))]), "every change counts, and none for a lost lease");
        board.lose(&kept);
        board.enter(ConsumerState::Stopped);
    });
    assert_eq!(board.snapshot(), (ConsumerState::Stopped, BTreeMap::new()));
}

#[test]
fn a_snapshot_is_of_one_moment_and_a_lost_lease_stays_away() {
    explore(|| life(&StatusBoard::default()));
}

#[test]
fn mutant_an_entry_is_changed_in_two_lock_scopes() {
    is_found(|| life(&CopiesEntries::default()));
}

#[test]
fn mutant_state_and_leases_are_under_two_locks() {
    is_found(|| life(&TwoLocks::default()));
}
