//! The checkpoint tracker, inside its cell: the driver delivers and the application checkpoints through the port, from two
//! threads, while the coordinator hands in what the store answers, and in the end another worker takes the lease.
//!
//! The store is a thread of its own, so that commands arrive while a write is in flight. The ways between the threads are
//! tokio's channels as in production; the explorer sees a call of theirs as one step.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use kcl_core::{
    Admission, ChangeOutcome, Checkpoint, CheckpointError, CheckpointPort, Checkpointer, ExtendedSequenceNumber, HeldAction,
    HeldInput, HoldId, Lease, LeaseInfo, LeaseWrite, Mono, PendingCheckpoint, Phase, RequestId, RowChange, TenureEnd,
    WriteAnswer,
};
use shuttle::future::block_on;
use shuttle::thread;
use tokio::sync::{mpsc, oneshot};

use super::explore::{explore, is_found};
use super::mutants::{BrokenCell, Cell, Fault};
use super::surroundings::{at, held, my_row, parts, position, taken};
use crate::cell::LeaseCell;
use crate::command::{Command, Tenancy};
use crate::port::TenurePort;
use crate::race::{Either, race2};
use crate::sync::Mutex;

/// The clock stands still; a renewal is due at once.
const NOW: Mono = Mono::from_millis(4_000);

fn tenancy() -> Tenancy {
    Tenancy { key: "shard".into(), hold: HoldId(1) }
}

fn info() -> LeaseInfo {
    LeaseInfo::new("stream", "shard".into(), Checkpoint::TrimHorizon, None)
}

/// The port over a broken cell: what [`TenurePort`] does, without its measurements.
struct BrokenPort {
    info: LeaseInfo,
    cell: Arc<BrokenCell>,
    commands: mpsc::Sender<Command>,
}

#[async_trait]
impl CheckpointPort for BrokenPort {
    fn lease(&self) -> &LeaseInfo {
        &self.info
    }

    fn fencing_token(&self) -> u64 {
        0
    }

    fn last_delivered(&self) -> Option<ExtendedSequenceNumber> {
        self.cell.last_delivered()
    }

    async fn checkpoint(&self, checkpoint: Checkpoint) -> Result<(), CheckpointError> {
        if self.cell.admit(&checkpoint)? == Admission::AlreadyStored {
            return Ok(());
        }
        let (reply, answer) = oneshot::channel();
        let command = Command::Change { tenancy: tenancy(), change: RowChange::Checkpoint(checkpoint), reply };
        self.commands.send(command).await.unwrap();
        answer.await.unwrap()
    }

    async fn prepare(&self, _: PendingCheckpoint) -> Result<(), CheckpointError> {
        unreachable!()
    }
}

/// The row, and every state that this worker has stored in it.
struct Row {
    now: Lease,
    mine: Vec<Checkpoint>,
}

impl Row {
    fn write(&mut self, write: &LeaseWrite) -> WriteAnswer {
        match write.apply(Some(&self.now)) {
            Ok(after) => {
                let after = after.unwrap();
                assert!(after.checkpoint >= self.now.checkpoint, "the checkpoint went back");
                self.mine.push(after.checkpoint.clone());
                self.now = after.clone();
                WriteAnswer::Applied(after)
            }
            Err(_) => WriteAnswer::Rejected(Some(self.now.clone())),
        }
    }
}

/// What the coordinator does for one tenure: the only one who gives the cell inputs.
struct Keeper<'a> {
    cell: &'a dyn Cell,
    calls: mpsc::Sender<(u64, LeaseWrite)>,
    in_flight: bool,
    requests: BTreeMap<RequestId, oneshot::Sender<Result<(), CheckpointError>>>,
}

impl Keeper<'_> {
    fn input(&mut self, input: HeldInput) {
        for action in self.cell.handle(NOW, input) {
            match action {
                HeldAction::Write(number, write) => {
                    assert!(!std::mem::replace(&mut self.in_flight, true), "two writes in flight");
                    block_on(self.calls.send((number, write))).unwrap();
                }
                HeldAction::Answer(request, outcome) => {
                    let result = if outcome == ChangeOutcome::Done { Ok(()) } else { Err(CheckpointError::LeaseLost) };
                    self.requests.remove(&request).unwrap().send(result).unwrap();
                }
                HeldAction::PhaseChanged(phase) => assert_eq!(phase, Phase::Dead(TenureEnd::Lost)),
                HeldAction::Read => panic!("no answer is lost here"),
                HeldAction::Asked(_) => panic!("nobody asks for the lease here"),
            }
        }
    }

    fn keep(mut self, mut answers: mpsc::Receiver<(u64, WriteAnswer)>, mut mailbox: mpsc::Receiver<Command>) {
        self.input(HeldInput::Tick);
        let (mut asked, mut open) = (0, true);
        while open || self.in_flight {
            let (in_flight, is_open) = (self.in_flight, open);
            let answer = async { if in_flight { answers.recv().await } else { std::future::pending().await } };
            let command = async { if is_open { mailbox.recv().await } else { std::future::pending().await } };
            match block_on(race2(answer, command)) {
                Either::First(answered) => {
                    let (number, answer) = answered.unwrap();
                    self.in_flight = false;
                    self.input(HeldInput::WriteAnswered(number, answer));
                }
                Either::Second(Some(Command::Change { change, reply, .. })) => {
                    asked += 1;
                    self.requests.insert(RequestId(asked), reply);
                    self.input(HeldInput::ChangeRequested(change, Some(RequestId(asked))));
                }
                Either::Second(Some(other)) => panic!("{other:?}"),
                Either::Second(None) => open = false,
            }
        }
        assert!(self.requests.is_empty(), "somebody was never answered");
    }
}

/// The checkpoint was answered: it is durable, and what lies before it is refused from now on.
fn judge(result: &Result<(), CheckpointError>, asked: u64, row: &Mutex<Row>, cell: &dyn Cell) {
    match result {
        Ok(()) => {
            assert!(row.lock().unwrap().mine.iter().any(|stored| *stored >= at(asked)), "acknowledged and not stored");
            let before = cell.admit(&at(asked - 1));
            assert!(before.is_err(), "{before:?}: what lies before an acknowledged checkpoint");
        }
        Err(CheckpointError::LeaseLost) => assert_eq!(cell.phase(), Phase::Dead(TenureEnd::Lost)),
        Err(CheckpointError::OutOfRange { .. }) => {}
        Err(other) => panic!("{other}"),
    }
}

fn checkpoints(cell: &Arc<dyn Cell>, port: Arc<dyn CheckpointPort>, mailbox: mpsc::Receiver<Command>, is_taken: bool) {
    let row = Mutex::new(Row { now: my_row(), mine: vec![] });
    let acknowledged = AtomicUsize::new(0);
    let (calls, mut called) = mpsc::channel(1);
    let (answer, answers) = mpsc::channel(1);
    let (first, second) = (Checkpointer::new(Arc::clone(&port)), Checkpointer::new(port));
    assert!(cell.begin_callback(NOW, Some(position(4))));
    let checkpoint = |checkpointer: &Checkpointer, sequence: u64| {
        let result = block_on(checkpointer.checkpoint(position(sequence)));
        judge(&result, sequence, &row, &**cell);
        acknowledged.fetch_add(usize::from(result.is_ok()), Ordering::SeqCst);
    };
    let (row, checkpoint) = (&row, &checkpoint);
    thread::scope(|threads| {
        threads.spawn(move || {
            checkpoint(&first, 2);
            checkpoint(&first, 4);
        });
        threads.spawn(move || {
            checkpoint(&second, 3);
            if cell.begin_callback(NOW, Some(position(5))) {
                checkpoint(&second, 5);
            }
        });
        threads.spawn(move || {
            while let Some((number, write)) = block_on(called.recv()) {
                let written = row.lock().unwrap().write(&write);
                block_on(answer.send((number, written))).unwrap();
            }
        });
        if is_taken {
            threads.spawn(move || {
                let mut row = row.lock().unwrap();
                row.now = taken(&row.now);
            });
        }
        Keeper { cell: &**cell, calls, in_flight: false, requests: BTreeMap::new() }.keep(answers, mailbox);
    });
    let row = row.lock().unwrap();
    if is_taken {
        assert_eq!(row.now.owner, Some("other".into()), "nothing was written over the other worker's row");
    } else {
        assert_eq!((row.now.checkpoint.clone(), cell.phase()), (at(5), Phase::Live));
        assert!(acknowledged.load(Ordering::SeqCst) >= 2, "the two highest are always in range");
    }
}

fn sound(is_taken: bool) {
    let (commands, mailbox) = mpsc::channel(2);
    let cell = Arc::new(LeaseCell::new(held()));
    let port = TenurePort { parts: parts(), info: info(), tenancy: tenancy(), cell: Arc::clone(&cell), commands };
    let cell: Arc<dyn Cell> = cell;
    checkpoints(&cell, Arc::new(port), mailbox, is_taken);
}

fn broken(fault: Fault, is_taken: bool) {
    let (commands, mailbox) = mpsc::channel(2);
    let cell = Arc::new(BrokenCell::new(fault, held()));
    let port = BrokenPort { info: info(), cell: Arc::clone(&cell), commands };
    let cell: Arc<dyn Cell> = cell;
    checkpoints(&cell, Arc::new(port), mailbox, is_taken);
}

#[test]
fn an_acknowledged_checkpoint_is_stored_and_never_taken_back() {
    explore(|| sound(false));
}

#[test]
fn after_the_loss_nothing_is_stored_and_everybody_is_answered() {
    explore(|| sound(true));
}

#[test]
fn mutant_what_is_delivered_is_noted_in_a_copy_of_the_tracker() {
    is_found(|| broken(Fault::DeliversIntoACopy, false));
}
