use super::*;

const LIMIT: Duration = Duration::from_secs(30);

impl Script {
    fn asked_by(&mut self, worker: &str) -> &mut Self {
        let row = self.row.as_mut().unwrap();
        row.hands_off = Some("me".into());
        row.requested_by = Some(worker.into());
        self
    }

    fn withdrawn(&mut self) -> &mut Self {
        self.row.as_mut().unwrap().requested_by = None;
        self
    }
}

/// A lease that another worker asks for, as its holder has seen in the answer to a renewal.
fn asked() -> Script {
    let mut script = Script::new();
    script.asked_by("other").at_millis(3400).served();
    script
}

#[test]
fn a_request_is_told_once() {
    let mut script = asked();
    assert_eq!(script.asked, [WorkerId::from("other")]);
    script.at_millis(7000).served();
    assert_eq!(script.asked.len(), 1, "seen again, told once");
    script.withdrawn().at_millis(11_000).served().asked_by("third").at_millis(15_000).served();
    assert_eq!(script.asked, [WorkerId::from("other"), "third".into()]);
}

#[test]
fn it_is_transferred_once_everything_is_stored() {
    let mut script = asked();
    script.input(HeldInput::HandOff(LIMIT));
    assert_eq!(script.sent.len(), 1, "the last call of the application runs");
    script.checkpoint(7).served().input(HeldInput::Drained);
    assert_eq!(script.verb(), Verb::Transfer);
    script.served();
    assert_eq!(script.held.phase(), Phase::Dead(TenureEnd::HandedOff));
    let row = script.row.as_ref().unwrap();
    assert_eq!((row.owner.clone(), row.checkpoint.clone(), row.requested_by.clone()), (Some("other".into()), at(7), None));
}

#[test]
fn without_a_hand_off_a_release_gives_it_to_nobody() {
    let mut script = asked();
    script.input(HeldInput::ReleaseRequested);
    assert_eq!(script.verb(), Verb::Release);
}

#[test]
fn a_request_that_was_withdrawn_meanwhile_ends_in_a_release() {
    let mut script = asked();
    script.withdrawn().input(HeldInput::HandOff(LIMIT)).input(HeldInput::Drained);
    assert_eq!(script.verb(), Verb::Transfer);
    script.served().at_millis(3600);
    assert_eq!(script.verb(), Verb::Release);
    script.served();
    assert_eq!(script.held.phase(), Phase::Dead(TenureEnd::Released));
}

#[test]
fn a_transfer_with_an_unknown_result_is_decided_by_the_row() {
    let mut script = asked();
    script.input(HeldInput::HandOff(LIMIT)).input(HeldInput::Drained);
    let number = script.last;
    script.answered(WriteAnswer::Indeterminate).at_millis(3600).read();
    assert_eq!(script.verb(), Verb::Transfer, "it was not applied: sent again");
    script.apply(number);
    script.answered(WriteAnswer::Indeterminate).at_millis(4000).read();
    assert_eq!(script.held.phase(), Phase::Dead(TenureEnd::HandedOff));
}

#[test]
fn a_call_that_does_not_return_keeps_the_lease_no_longer_than_the_limit() {
    let mut script = asked();
    script.input(HeldInput::HandOff(Duration::from_secs(5))).at_millis(8000).served();
    assert!(script.held.deadline().is_some_and(|moment| moment <= Mono::from_millis(8400)));
    script.at_millis(8399);
    assert_eq!(script.verb(), Verb::Renew);
    script.at_millis(8400);
    assert_eq!(script.verb(), Verb::Release, "to nobody: who asked may be gone by now");
    script.checkpoint(9).served();
    assert_eq!(script.outcomes(), [(9, ChangeOutcome::LeaseLost)], "nothing of it is stored any more");
}

#[test]
fn a_declined_request_is_removed_and_may_be_made_again() {
    let mut script = asked();
    script.input(HeldInput::ChangeRequested(RowChange::Decline("other".into()), None));
    assert_eq!(script.verb(), Verb::Withdraw);
    script.served();
    assert_eq!((script.held.phase(), script.row.as_ref().unwrap().requested_by.clone()), (Phase::Live, None));
    let renewal = script.held.deadline();
    assert_eq!(renewal, Some(Mono::from_millis(3400) + FAILOVER / 3), "it is no renewal");
    script.asked_by("other").at_millis(7000).served();
    assert_eq!(script.asked.len(), 2);
}

#[test]
fn a_request_whose_decline_was_refused_is_told_of_again() {
    let mut script = asked();
    script.input(HeldInput::ChangeRequested(RowChange::Decline("other".into()), None));
    script.answered(WriteAnswer::Refused);
    assert_eq!(script.asked.len(), 1, "not before the row was written or read again");
    script.at_millis(7000).served();
    assert_eq!((script.asked.len(), script.held.phase()), (2, Phase::Live));
}

#[test]
fn the_lease_of_a_shard_that_is_finished_meanwhile_stays() {
    let mut script = asked();
    let end = HeldInput::ChangeRequested(RowChange::Checkpoint(Checkpoint::ShardEnd), None);
    script.input(HeldInput::HandOff(Duration::from_secs(5))).input(end).input(HeldInput::Drained).served();
    assert_eq!(script.verb(), Verb::Withdraw, "the request is declined");
    script.served();
    for millis in [7000, 11_000, 15_000] {
        script.at_millis(millis).served();
        assert_eq!((script.verb(), script.held.phase()), (Verb::Renew, Phase::Live));
    }
}
