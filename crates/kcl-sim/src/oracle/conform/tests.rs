use std::time::Duration;

use kcl_core::{
    Checkpoint, ExtendedSequenceNumber, Lease, LeaseCounter, LeaseKey, LeaseWrite, SequenceNumber, ShardId, TenureToken, Verb,
    WorkerId,
};

use super::check;
use crate::exec::NodeId;
use crate::oracle::Run;
use crate::scenario::Options;
use crate::trace::{Applied, Entry, Event};
use crate::world::{Api, Fate};

const A: NodeId = NodeId(1);
const B: NodeId = NodeId(2);

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn at(sequence: u64) -> Checkpoint {
    Checkpoint::At(ExtendedSequenceNumber::new(SequenceNumber::from(sequence), 0))
}

fn new_row() -> Lease {
    Lease::new(LeaseKey::from("shard"), Checkpoint::TrimHorizon)
}

/// A log that is made by hand: time goes on by ten milliseconds a write unless it is told.
struct Log {
    entries: Vec<Entry>,
    row: Option<Lease>,
    now: u64,
}

impl Log {
    /// Two workers and one row.
    fn new() -> Self {
        let mut log = Self { entries: Vec::new(), row: None, now: 0 };
        log.event(0, Event::Started(A, WorkerId::from("a")));
        log.event(0, Event::Started(B, WorkerId::from("b")));
        log.sends(A, LeaseWrite::create(new_row()));
        log
    }

    /// The same, and `a` holds it.
    fn held() -> Self {
        let mut log = Self::new();
        log.sends(A, LeaseWrite::take(&log.row(), &WorkerId::from("a"), TenureToken::new(1)));
        log
    }

    fn row(&self) -> Lease {
        self.row.clone().unwrap()
    }

    fn event(&mut self, at: u64, event: Event) {
        self.entries.push(Entry { at: ms(at), event });
    }

    /// A write that is sent now and decided right after, as it should be.
    fn sends(&mut self, node: NodeId, write: LeaseWrite) {
        self.now += 10;
        self.sends_at(node, write, self.now, self.now + 5);
    }

    fn sends_at(&mut self, node: NodeId, write: LeaseWrite, sent: u64, decided: u64) {
        let before = self.row.clone();
        let result = write.apply(before.as_ref());
        let applied = result.is_ok();
        let after = result.ok().flatten();
        self.decided(decided, Applied { node, sent: ms(sent), write, before, after, applied });
    }

    fn decided(&mut self, at: u64, applied: Applied) {
        if applied.applied {
            self.row.clone_from(&applied.after);
        }
        self.event(at, Event::Write(applied));
    }

    /// A write that the store decides in its own way.
    fn store_says(&mut self, node: NodeId, write: LeaseWrite, before: Option<Lease>, after: Option<Lease>, applied: bool) {
        self.now += 10;
        let sent = ms(self.now);
        self.decided(self.now + 5, Applied { node, sent, write, before, after, applied });
    }

    fn verdict(&self) -> Result<(), (usize, String)> {
        let options = Options { failover: Duration::from_secs(10), java: crate::scenario::Java::default(), ..Options::draw(1) };
        check(Run { entries: &self.entries, options: &options, seed: 1 })
    }

    /// It is found, in the last entry, and for this reason.
    fn is_found(&self, reason: &str) {
        let (entry, what) = self.verdict().unwrap_err();
        assert_eq!(entry, self.entries.len() - 1, "{what}");
        assert!(what.contains(reason), "{what}");
    }
}

#[test]
fn a_life_of_a_row_is_fine() {
    let mut log = Log::held();
    log.sends(A, LeaseWrite::renew(&log.row()));
    log.sends(A, LeaseWrite::checkpoint(&log.row(), at(1)));
    log.sends(B, LeaseWrite::describe_children(&log.row().key, vec![ShardId::from("child")]));
    // Too late: it is rejected, as it should be.
    let stale = new_row();
    log.sends(B, LeaseWrite::take(&stale, &WorkerId::from("b"), TenureToken::new(1)));
    log.sends(B, LeaseWrite::take(&log.row(), &WorkerId::from("b"), TenureToken::new(1)));
    log.sends(B, LeaseWrite::release(&log.row()));
    log.sends(A, LeaseWrite::take(&log.row(), &WorkerId::from("a"), TenureToken::new(1)));
    log.sends(A, LeaseWrite::checkpoint(&log.row(), Checkpoint::ShardEnd));
    log.sends(A, LeaseWrite::delete(&log.row()));
    assert_eq!(log.verdict(), Ok(()));
    assert_eq!(log.row, None);
}

#[test]
fn a_store_that_applies_what_does_not_fit() {
    let mut log = Log::held();
    let seen = log.row();
    log.sends(A, LeaseWrite::renew(&seen));
    let before = log.row();
    let after = Lease { checkpoint: at(1), counter: before.counter.next(), ..before.clone() };
    log.store_says(A, LeaseWrite::checkpoint(&seen, at(1)), Some(before), Some(after), true);
    log.is_found("was applied and should not be");
}

#[test]
fn a_store_that_rejects_what_fits() {
    let mut log = Log::held();
    log.store_says(A, LeaseWrite::renew(&log.row()), Some(log.row()), None, false);
    log.is_found("was rejected and should be applied");
}

#[test]
fn a_store_that_stores_something_else() {
    for spoil in [
        |row: &mut Lease| row.counter = LeaseCounter::new(row.counter.value() + 1),
        |row: &mut Lease| row.owner = None,
        |row: &mut Lease| row.checkpoint = at(7),
        |row: &mut Lease| row.owner_switches += 1,
        |row: &mut Lease| row.children.push(ShardId::from("child")),
    ] {
        let mut log = Log::held();
        let write = LeaseWrite::renew(&log.row());
        let mut after = write.apply(Some(&log.row())).unwrap().unwrap();
        spoil(&mut after);
        log.store_says(A, write, Some(log.row()), Some(after), true);
        log.is_found("and should have left");
    }
}

#[test]
fn a_description_that_moves_the_counter() {
    let mut log = Log::held();
    let write = LeaseWrite::describe_children(&log.row().key, vec![ShardId::from("child")]);
    let mut after = write.apply(Some(&log.row())).unwrap().unwrap();
    after.counter = after.counter.next();
    log.store_says(B, write, Some(log.row()), Some(after), true);
    log.is_found("and should have left");
}

#[test]
fn a_row_that_nobody_wrote() {
    let mut log = Log::held();
    let foreign = Lease { checkpoint: at(7), ..log.row() };
    let write = LeaseWrite::renew(&foreign);
    let after = write.apply(Some(&foreign)).unwrap();
    log.store_says(A, write, Some(foreign), after, true);
    log.is_found("was decided on");
}

#[test]
fn a_new_row_that_is_not_new() {
    for row in [
        Lease { counter: LeaseCounter::new(1), ..new_row() },
        Lease { owner: Some(WorkerId::from("a")), ..new_row() },
        Lease { checkpoint: at(1), ..new_row() },
    ] {
        let mut log = Log::new();
        log.sends(B, LeaseWrite::create(row));
        log.is_found("that is not a new row");
    }
}

#[test]
fn a_write_before_the_start_and_one_of_an_unknown_row() {
    let mut log = Log::held();
    log.sends(NodeId(3), LeaseWrite::renew(&log.row()));
    log.is_found("before it started");
    let mut log = Log::held();
    log.sends(A, LeaseWrite::renew(&Lease::new(LeaseKey::from("other"), Checkpoint::TrimHorizon)));
    log.is_found("without having seen it");
}

#[test]
fn a_write_of_a_version_that_is_somebody_elses() {
    let writes = [LeaseWrite::renew, |row: &Lease| LeaseWrite::checkpoint(row, at(1)), LeaseWrite::release];
    for write in writes {
        let mut log = Log::held();
        log.sends(B, write(&log.row()));
        log.is_found("of a version that it did not write");
        // Under its own name, and a version that there never was.
        let mut log = Log::held();
        log.sends(B, write(&Lease { owner: Some(WorkerId::from("b")), ..log.row() }));
        log.is_found("of a version that it did not write");
    }
}

#[test]
fn a_write_of_a_version_that_was_stored_later() {
    let mut log = Log::held();
    log.sends(A, LeaseWrite::renew(&log.row()));
    let write = LeaseWrite::renew(&log.row());
    log.sends_at(A, write, log.now + 1, log.now + 9);
    log.is_found("of a version that it did not write");
}

#[test]
fn a_take_for_another_or_of_what_there_was_not() {
    let mut log = Log::held();
    log.sends(A, LeaseWrite::take(&log.row(), &WorkerId::from("b"), TenureToken::new(1)));
    log.is_found("for somebody else");
    let mut log = Log::held();
    let guess = Lease { counter: log.row().counter.next(), ..log.row() };
    log.sends(B, LeaseWrite::take(&guess, &WorkerId::from("b"), TenureToken::new(1)));
    log.is_found("of a version that there was not");
}

#[test]
fn a_checkpoint_that_goes_back() {
    let mut log = Log::held();
    log.sends(A, LeaseWrite::checkpoint(&log.row(), at(2)));
    log.sends(A, LeaseWrite::checkpoint(&log.row(), at(1)));
    log.is_found("that goes back");
}

#[test]
fn a_delete_of_what_is_not_finished_or_not_held() {
    let mut log = Log::held();
    log.sends(A, LeaseWrite::delete(&log.row()));
    log.is_found("that it did not know as its own and finished");
    let mut log = Log::held();
    log.sends(A, LeaseWrite::checkpoint(&log.row(), Checkpoint::ShardEnd));
    log.sends(B, LeaseWrite::delete(&log.row()));
    log.is_found("that it did not know as its own and finished");
}

#[test]
fn two_writes_at_a_time() {
    let overlapping = |second_sent: u64| {
        let mut log = Log::held();
        let (first, second) = (LeaseWrite::renew(&log.row()), LeaseWrite::checkpoint(&log.row(), at(1)));
        log.sends_at(A, first, 100, 9_000);
        log.sends_at(A, second, second_sent, 9_001);
        log
    };
    overlapping(101).is_found("while it waited for what it sent at 100ms");
    // In the other order of arrival.
    let mut log = Log::held();
    let (first, second) = (LeaseWrite::renew(&log.row()), LeaseWrite::checkpoint(&log.row(), at(1)));
    log.sends_at(A, second, 101, 150);
    log.sends_at(A, first, 100, 160);
    log.is_found("while it waited for what it sent at 100ms");
    // The first one was given up, after a third of the failover time.
    assert_eq!(overlapping(3_500).verdict(), Ok(()));
}

#[test]
fn a_write_after_one_whose_answer_was_lost() {
    let mut log = Log::held();
    let (first, second) = (LeaseWrite::renew(&log.row()), LeaseWrite::checkpoint(&log.row(), at(1)));
    log.event(100, Event::Fault(A, Api::Write(Verb::Renew), 3, Fate::DelayApply(ms(60))));
    log.sends_at(A, second, 120, 125);
    log.sends_at(A, first, 100, 165);
    assert_eq!(log.verdict(), Ok(()));
}
