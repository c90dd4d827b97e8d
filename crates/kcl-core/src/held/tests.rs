mod hand_off;

use std::collections::BTreeMap;

use super::*;
use crate::{Checkpoint, ExtendedSequenceNumber, LeaseCounter, SequenceNumber, TenureToken};

/// A held lease, the row in the store, and a script of what happens between them.
struct Script {
    held: HeldLease,
    row: Option<Lease>,
    now: Mono,
    sent: BTreeMap<u64, LeaseWrite>,
    answers: Vec<(RequestId, ChangeOutcome)>,
    reads: usize,
    last: u64,
    asked: Vec<WorkerId>,
}

const FAILOVER: Duration = Duration::from_secs(10);

fn at(sequence: u64) -> Checkpoint {
    Checkpoint::At(ExtendedSequenceNumber::new(SequenceNumber::from(sequence), 0))
}

impl Script {
    fn new() -> Self {
        let mut row = Lease::new("shard".into(), Checkpoint::TrimHorizon);
        row.owner = Some("me".into());
        row.counter = LeaseCounter::new(1);
        row.tenure = Some(TenureToken::new(1));
        let timing = LeaseTiming::from_failover(FAILOVER);
        let held = HeldLease::new(HoldId(1), "me".into(), timing, row.clone(), Mono::ZERO);
        let (sent, answers, asked) = (BTreeMap::new(), Vec::new(), Vec::new());
        Self { held, row: Some(row), now: Mono::ZERO, sent, answers, reads: 0, last: 0, asked }
    }

    fn input(&mut self, input: HeldInput) -> &mut Self {
        self.held.handle(self.now, input);
        while let Some(action) = self.held.poll() {
            match action {
                HeldAction::Write(number, write) => {
                    self.last = number;
                    self.sent.insert(number, write);
                }
                HeldAction::Read => self.reads += 1,
                HeldAction::Answer(request, outcome) => self.answers.push((request, outcome)),
                HeldAction::Asked(worker) => self.asked.push(worker),
                HeldAction::PhaseChanged(_) => {}
            }
        }
        self
    }

    fn at_millis(&mut self, millis: u64) -> &mut Self {
        self.now = Mono::from_millis(millis);
        self.input(HeldInput::Tick)
    }

    fn checkpoint(&mut self, sequence: u64) -> &mut Self {
        self.input(HeldInput::ChangeRequested(RowChange::Checkpoint(at(sequence)), Some(RequestId(sequence))))
    }

    /// The store applies the write with this number, if the row is as expected; nobody hears of it yet.
    fn apply(&mut self, number: u64) -> WriteAnswer {
        match self.sent[&number].apply(self.row.as_ref()) {
            Ok(row) => {
                self.row.clone_from(&row);
                WriteAnswer::Applied(row.unwrap_or_else(|| Lease::new("shard".into(), Checkpoint::ShardEnd)))
            }
            Err(_) => WriteAnswer::Rejected(self.row.clone()),
        }
    }

    /// The store applies the last write and answers.
    fn served(&mut self) -> &mut Self {
        let (number, answer) = (self.last, self.apply(self.last));
        self.input(HeldInput::WriteAnswered(number, answer))
    }

    fn answered(&mut self, answer: WriteAnswer) -> &mut Self {
        self.input(HeldInput::WriteAnswered(self.last, answer))
    }

    fn read(&mut self) -> &mut Self {
        assert!(self.held.reading, "a read is under way");
        let row = self.row.clone();
        self.input(HeldInput::RowRead(Some(row)))
    }

    fn taken_by_other(&mut self) -> &mut Self {
        let row = self.row.take().unwrap();
        self.row = LeaseWrite::take(&row, &"other".into(), TenureToken::new(2)).apply(Some(&row)).unwrap();
        self
    }

    fn verb(&self) -> Verb {
        self.sent[&self.last].verb()
    }

    fn outcomes(&self) -> Vec<(u64, ChangeOutcome)> {
        self.answers.iter().map(|(request, outcome)| (request.0, *outcome)).collect()
    }
}

#[test]
fn renews_every_third_of_the_failover_time_counted_from_the_send() {
    let mut script = Script::new();
    script.at_millis(3332);
    assert!(script.sent.is_empty());
    script.at_millis(3334);
    assert_eq!(script.verb(), Verb::Renew);
    script.now = Mono::from_millis(3900);
    script.served();
    assert_eq!(script.held.deadline(), Some(Mono::from_millis(3334) + FAILOVER / 3), "not from the answer");
    assert!(script.held.may_begin_callback(Mono::from_millis(3334 + 8999)));
    assert!(!script.held.may_begin_callback(Mono::from_millis(3334 + 9000)), "hold time is 0.9 of the failover time");
}

#[test]
fn a_checkpoint_counts_as_a_renewal() {
    let mut script = Script::new();
    script.at_millis(2000).checkpoint(5);
    assert_eq!(script.verb(), Verb::Checkpoint);
    script.served();
    assert_eq!(script.outcomes(), [(5, ChangeOutcome::Done)]);
    script.at_millis(3400);
    assert_eq!(script.sent.len(), 1, "the next renewal is due a third of the failover time after the checkpoint");
    assert_eq!(script.held.lease().checkpoint, at(5));
}

#[test]
fn one_write_in_flight_and_checkpoints_are_merged() {
    let mut script = Script::new();
    script.checkpoint(1).checkpoint(2).checkpoint(4).checkpoint(3);
    assert_eq!(script.sent.len(), 1);
    script.served();
    assert_eq!(script.outcomes(), [(1, ChangeOutcome::Done)]);
    assert_eq!(script.sent.len(), 2, "the waiting ones go together");
    script.served();
    let done = |request| (request, ChangeOutcome::Done);
    assert_eq!(script.outcomes(), [done(1), done(2), done(4), done(3)]);
    assert_eq!(script.row.as_ref().unwrap().checkpoint, at(4), "the highest one");
}

#[test]
fn a_rejected_write_is_the_loss_of_the_lease() {
    let mut script = Script::new();
    script.taken_by_other().checkpoint(1).checkpoint(2).served();
    assert_eq!(script.held.phase(), Phase::Dead(TenureEnd::Lost));
    assert_eq!(script.outcomes(), [(1, ChangeOutcome::LeaseLost), (2, ChangeOutcome::LeaseLost)]);
    script.checkpoint(3);
    assert_eq!(script.outcomes().last(), Some(&(3, ChangeOutcome::LeaseLost)), "every later one too");
    assert_eq!((script.sent.len(), script.held.deadline()), (1, None), "and no write is sent");
}

#[test]
fn a_deleted_row_is_the_loss_of_the_lease() {
    let mut script = Script::new();
    script.row = None;
    script.at_millis(4000).served();
    assert_eq!(script.held.phase(), Phase::Dead(TenureEnd::Lost));
}

#[test]
fn an_applied_checkpoint_whose_answer_was_lost_is_confirmed_by_the_stored_value() {
    let mut script = Script::new();
    script.checkpoint(5);
    script.apply(1);
    script.answered(WriteAnswer::Indeterminate);
    script.at_millis(200).read();
    assert_eq!(script.outcomes(), [(5, ChangeOutcome::Done)]);
    assert_eq!(script.held.lease().counter, LeaseCounter::new(2));
    assert_eq!(script.sent.len(), 1, "not written twice");
}

#[test]
fn owner_and_counter_alone_never_confirm_a_checkpoint() {
    let mut script = Script::new();
    script.at_millis(3400);
    let renewal = script.last;
    script.answered(WriteAnswer::Indeterminate).at_millis(3600).read();
    // The renewal was not seen: it is still on its way. A checkpoint goes first and is lost, the renewal arrives.
    script.checkpoint(5);
    script.apply(renewal);
    let checkpoint = script.last;
    assert_ne!(checkpoint, renewal);
    script.answered(WriteAnswer::Indeterminate);
    script.at_millis(4000).read();
    assert_eq!(script.held.lease().counter, LeaseCounter::new(2), "owner and counter are as the checkpoint would have left them");
    assert_eq!(script.outcomes(), [], "but the value is not stored");
    script.at_millis(4500).served();
    assert_eq!(script.outcomes(), [(5, ChangeOutcome::Done)]);
}

#[test]
fn the_deadline_counts_from_the_earliest_send_that_explains_the_row() {
    let mut script = Script::new();
    script.at_millis(3400);
    let first = script.last;
    script.answered(WriteAnswer::Indeterminate).at_millis(3600).read();
    script.at_millis(5000);
    assert_ne!(script.last, first, "sent again");
    script.apply(first);
    script.served();
    let sent_first = Mono::from_millis(3400);
    assert!(script.held.may_begin_callback(Mono::from_millis(3400 + 8999)));
    assert!(!script.held.may_begin_callback(sent_first + FAILOVER * 9 / 10), "the late one may have been the first");
}

/// A store must not send a write twice by itself: a rejection that no lost answer explains is the work of another
/// process, even if that one has the same name.
#[test]
fn a_next_counter_that_no_lost_answer_explains_is_somebody_elses() {
    let mut script = Script::new();
    let row = script.row.clone().unwrap();
    script.row = LeaseWrite::take(&row, &"me".into(), TenureToken::new(2)).apply(Some(&row)).unwrap();
    script.at_millis(3400).served();
    assert_eq!(script.held.phase(), Phase::Dead(TenureEnd::Lost));
}

/// The twin takes the version that a renewal or a checkpoint with a lost answer was for: owner and counter are as that
/// write would have left them.
#[test]
fn a_twins_take_is_not_adopted_for_a_lost_write() {
    for (checkpoints, read) in [(false, true), (false, false), (true, true), (true, false)] {
        let mut script = Script::new();
        if checkpoints {
            script.checkpoint(1);
        }
        script.at_millis(3400);
        let lost = script.sent[&script.last].clone();
        script.answered(WriteAnswer::Indeterminate);
        script.at_millis(3600);
        if !read {
            // The read was before the twin's take: the write is sent again, and rejected.
            script.read().at_millis(4000);
        }
        let row = script.row.clone().unwrap();
        script.row = LeaseWrite::take(&row, &"me".into(), TenureToken::new(2)).apply(Some(&row)).unwrap();
        assert_eq!(script.row.as_ref().map(|row| row.counter), lost.counter_after());
        let before = script.last;
        if read {
            script.read()
        } else {
            script.served()
        };
        assert_eq!(script.held.phase(), Phase::Dead(TenureEnd::Lost), "checkpoints={checkpoints} read={read}");
        assert_eq!(script.last, before, "nothing more is written");
        let refused = if checkpoints { vec![(1, ChangeOutcome::LeaseLost)] } else { vec![] };
        assert_eq!(script.outcomes(), refused);
    }
}

#[test]
fn an_abandoned_tenure_stores_nothing_more_and_is_released() {
    let mut script = Script::new();
    script.checkpoint(1).checkpoint(2).input(HeldInput::Abandoned);
    assert!(!script.held.may_begin_callback(script.now));
    assert_eq!(script.outcomes(), [(2, ChangeOutcome::LeaseLost)], "the one in flight was asked for before");
    script.checkpoint(3).answered(WriteAnswer::Failed);
    let lost = |request| (request, ChangeOutcome::LeaseLost);
    assert_eq!(script.outcomes(), [lost(2), lost(3), lost(1)], "and is not tried again");
    script.at_millis(1000);
    assert_eq!(script.verb(), Verb::Release);
    script.served();
    assert_eq!(script.held.phase(), Phase::Dead(TenureEnd::Released));
    assert_eq!(script.row.unwrap().checkpoint, Checkpoint::TrimHorizon);
}

#[test]
fn past_the_deadline_it_pauses_and_only_a_later_renewal_resumes_it() {
    let mut script = Script::new();
    script.at_millis(3400);
    let late = script.last;
    script.checkpoint(7);
    script.at_millis(9000);
    assert_eq!(script.held.phase(), Phase::Paused { since: Mono::from_millis(9000) });
    // The renewal sent before the pause is answered at last: not enough.
    let answer = script.apply(late);
    script.input(HeldInput::WriteAnswered(late, answer));
    assert!(matches!(script.held.phase(), Phase::Paused { .. }));
    assert!(!script.held.may_begin_callback(script.now));
    assert_eq!(script.verb(), Verb::Renew, "the checkpoint waits, a renewal goes first");
    script.at_millis(9100).served();
    assert_eq!(script.held.phase(), Phase::Live);
    assert_eq!(script.verb(), Verb::Checkpoint);
    script.served();
    assert_eq!(script.outcomes(), [(7, ChangeOutcome::Done)]);
}

#[test]
fn after_an_unknown_answer_a_pause_needs_one_more_applied_renewal() {
    let mut script = Script::new();
    script.at_millis(9000);
    let first = script.last;
    script.apply(first);
    script.answered(WriteAnswer::Indeterminate).at_millis(9200).read();
    assert!(matches!(script.held.phase(), Phase::Paused { .. }), "the read is no proof");
    script.at_millis(9400).served();
    assert_eq!(script.held.phase(), Phase::Live);
}

#[test]
fn a_paused_tenure_that_finds_the_lease_taken_is_dead() {
    let mut script = Script::new();
    script.at_millis(9000).taken_by_other().served();
    assert_eq!(script.held.phase(), Phase::Dead(TenureEnd::Lost));
}

#[test]
fn failures_back_off_and_refusals_are_answered() {
    let mut script = Script::new();
    script.checkpoint(5).answered(WriteAnswer::Failed);
    assert_eq!(script.held.deadline(), Some(Mono::from_millis(100)));
    script.at_millis(100).answered(WriteAnswer::Failed);
    assert_eq!(script.held.deadline(), Some(Mono::from_millis(300)));
    script.at_millis(300).answered(WriteAnswer::Refused);
    assert_eq!(script.outcomes(), [(5, ChangeOutcome::Refused)]);
    assert_eq!(script.held.phase(), Phase::Live);
}

#[test]
fn a_release_waits_for_what_was_requested_before() {
    let mut script = Script::new();
    script.checkpoint(5).input(HeldInput::ReleaseRequested);
    assert_eq!(script.verb(), Verb::Checkpoint);
    script.served();
    assert_eq!(script.verb(), Verb::Release);
    script.served();
    assert_eq!(script.held.phase(), Phase::Dead(TenureEnd::Released));
    let row = script.row.unwrap();
    assert_eq!((row.owner, row.checkpoint, row.counter), (None, at(5), LeaseCounter::new(3)));
}

#[test]
fn a_release_whose_answer_was_lost_is_found_in_the_row() {
    let mut script = Script::new();
    script.input(HeldInput::ReleaseRequested);
    script.apply(1);
    script.answered(WriteAnswer::Indeterminate).at_millis(200).read();
    assert_eq!(script.held.phase(), Phase::Dead(TenureEnd::Released));
}

#[test]
fn a_failed_read_is_tried_again() {
    let mut script = Script::new();
    script.checkpoint(5).answered(WriteAnswer::Indeterminate).at_millis(100);
    script.input(HeldInput::RowRead(None));
    assert_eq!(script.reads, 1);
    script.at_millis(1000);
    assert_eq!(script.reads, 2);
}

#[test]
fn describing_the_children_proves_nothing_about_the_owner() {
    let mut script = Script::new();
    script.input(HeldInput::ChangeRequested(RowChange::Describe(vec!["child".into()]), Some(RequestId(1))));
    let before = script.held.deadline;
    script.at_millis(100).served();
    assert_eq!(script.outcomes(), [(1, ChangeOutcome::Done)]);
    assert_eq!(script.held.deadline, before, "no renewal");
    let mut late = Script::new();
    late.taken_by_other().input(HeldInput::ChangeRequested(RowChange::Describe(vec!["child".into()]), None)).served();
    assert_eq!(late.held.phase(), Phase::Dead(TenureEnd::Lost));
}

#[test]
fn a_finished_row_is_deleted_and_an_unfinished_one_is_not() {
    let mut script = Script::new();
    script.input(HeldInput::ChangeRequested(RowChange::Delete, None)).served();
    assert_eq!(script.held.phase(), Phase::Live);
    assert!(script.row.is_some());
    script.at_millis(500).input(HeldInput::ChangeRequested(RowChange::Checkpoint(Checkpoint::ShardEnd), None)).served();
    script.input(HeldInput::ChangeRequested(RowChange::Delete, None)).served();
    assert_eq!((script.held.phase(), script.row), (Phase::Dead(TenureEnd::Deleted), None));
}
