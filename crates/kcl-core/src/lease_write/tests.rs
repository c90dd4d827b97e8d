use super::*;
use crate::{ExtendedSequenceNumber, SequenceNumber};

fn row() -> Lease {
    let mut row = Lease::new("shard".into(), Checkpoint::TrimHorizon);
    row.owner = Some("me".into());
    row.counter = LeaseCounter::new(7);
    row.owner_switches = 2;
    row.tenure = Some(token(4));
    row.hands_off = Some("me".into());
    row
}

const fn token(value: u64) -> TenureToken {
    TenureToken::new(value)
}

fn at(sequence: u64) -> Checkpoint {
    Checkpoint::At(ExtendedSequenceNumber::new(SequenceNumber::from(sequence), 0))
}

fn every_update() -> Vec<LeaseWrite> {
    let seen = row();
    let pending = PendingCheckpoint { checkpoint: at(9), state: Some("state".into()) };
    vec![
        LeaseWrite::renew(&seen),
        LeaseWrite::take(&seen, &"other".into(), token(5)),
        LeaseWrite::checkpoint(&seen, at(9)),
        LeaseWrite::prepare_checkpoint(&seen, pending),
        LeaseWrite::release(&seen),
        LeaseWrite::describe_children(&seen.key, vec!["b".into(), "a".into()]),
        LeaseWrite::describe_hash_range(&seen.key, HashKeyRange::FULL),
    ]
}

#[test]
fn an_applied_write_explains_the_row_and_one_on_its_way_does_not() {
    for write in every_update() {
        let after = write.apply(Some(&row())).unwrap();
        assert!(write.explains(after.as_ref()), "{}", write.verb().name());
        assert!(!write.explains(Some(&row())), "{}", write.verb().name());
        assert!(!write.explains(None), "{}", write.verb().name());
    }
    let create = LeaseWrite::create(row());
    assert!(create.explains(create.apply(None).unwrap().as_ref()) && !create.explains(None));
    let ended = Lease { checkpoint: Checkpoint::ShardEnd, ..row() };
    let delete = LeaseWrite::delete(&ended);
    assert_eq!(delete.apply(Some(&ended)), Ok(None));
    assert!(delete.explains(None) && !delete.explains(Some(&ended)));
}

#[test]
fn a_later_renewal_does_not_explain_a_checkpoint() {
    let checkpoint = LeaseWrite::checkpoint(&row(), at(9));
    let renewed = LeaseWrite::renew(&row()).apply(Some(&row())).unwrap();
    assert_eq!(renewed.as_ref().map(|row| row.counter), checkpoint.counter_after());
    assert!(!checkpoint.explains(renewed.as_ref()), "owner and counter are not enough");
}

#[test]
fn a_take_is_confirmed_only_by_its_token() {
    let take = LeaseWrite::take(&row(), &"me".into(), token(5));
    // What the row shows after the answer was lost: owner, counter, token.
    let cases = [
        (Some("me"), 8, Some(5), true, "it was applied"),
        (Some("me"), 8, Some(6), false, "another process of this name took the same version"),
        (Some("me"), 8, Some(4), false, "a Java worker of this name took it, and left the token of the take before"),
        (Some("me"), 8, None, false, "somebody took it who knows of no tokens"),
        (Some("me"), 7, Some(4), false, "it is still on its way"),
        (Some("me"), 9, Some(5), false, "it was applied, and something else after it"),
        (Some("other"), 8, Some(6), false, "another worker was faster"),
        (Some("java"), 9, Some(5), false, "it was applied, and a Java worker took the lease and left the token"),
        (None, 9, Some(5), false, "it was applied, and the lease was given up"),
    ];
    for (owner, counter, tenure, explained, why) in cases {
        let current =
            Lease { owner: owner.map(WorkerId::from), counter: LeaseCounter::new(counter), tenure: tenure.map(token), ..row() };
        assert_eq!(take.explains(Some(&current)), explained, "{why}");
    }
    assert!(!take.explains(None), "the row is gone");
}

#[test]
fn the_same_take_sent_again_is_explained_by_either() {
    let take = LeaseWrite::take(&row(), &"me".into(), token(5));
    let again = take.clone();
    let after = take.apply(Some(&row())).unwrap();
    assert_eq!(again.apply(after.as_ref()), Err(NotAsExpected), "at most one of them is applied");
    assert!(again.explains(after.as_ref()));
}

#[test]
fn sets_are_compared_without_their_order() {
    let write = LeaseWrite::describe_children(&row().key, vec!["b".into(), "a".into()]);
    assert!(write.explains(Some(&Lease { children: vec!["a".into(), "b".into()], ..row() })));
}

#[test]
fn a_row_that_is_not_as_expected_is_left_alone() {
    let others = [
        Lease { owner: None, ..row() },
        Lease { owner: Some("other".into()), ..row() },
        Lease { counter: LeaseCounter::new(8), ..row() },
    ];
    let handed_over = Lease { checkpoint_owner: Some("java".into()), ..row() };
    for write in every_update().iter().filter(|write| write.verb() != Verb::Describe) {
        assert!(write.apply(None).is_err(), "{} creates nothing", write.verb().name());
        for other in &others {
            assert_eq!(write.apply(Some(other)), Err(NotAsExpected), "{}", write.verb().name());
        }
        let ends = write.apply(Some(&handed_over)).is_ok_and(|row| row.is_some_and(|row| row.checkpoint_owner.is_none()));
        assert_eq!(ends, write.verb() == Verb::Take, "{} and a hand-over", write.verb().name());
    }
    assert!(LeaseWrite::create(row()).apply(Some(&row())).is_err());
    assert!(LeaseWrite::delete(&row()).apply(Some(&row())).is_err(), "not finished");
}

#[test]
fn what_each_verb_changes() {
    let after = |write: &LeaseWrite| write.apply(Some(&row())).unwrap().unwrap();
    for write in every_update() {
        let added = u64::from(write.verb() != Verb::Describe);
        let stored = if write.verb() == Verb::Take { 5 } else { 4 };
        assert_eq!(after(&write).tenure, Some(token(stored)), "{}", write.verb().name());
        assert_eq!(after(&write).counter, LeaseCounter::new(7 + added), "{}", write.verb().name());
    }
    let taken = after(&LeaseWrite::take(&row(), &"other".into(), token(5)));
    assert_eq!((taken.owner, taken.owner_switches, taken.tenure), (Some("other".into()), 3, Some(token(5))));
    assert_eq!(after(&LeaseWrite::take(&row(), &"me".into(), token(5))).owner_switches, 2, "the same owner again");
    let checkpointed = after(&LeaseWrite::checkpoint(&row(), at(9)));
    assert_eq!((checkpointed.checkpoint, checkpointed.owner_switches), (at(9), 0));
    assert_eq!(after(&LeaseWrite::release(&row())).owner, None);
}

#[test]
fn a_request_is_made_once_and_leaves_the_version() {
    let request = LeaseWrite::request(&row(), &"other".into()).unwrap();
    let asked = request.apply(Some(&row())).unwrap().unwrap();
    assert_eq!(asked, Lease { requested_by: Some("other".into()), ..row() });
    assert!(request.explains(Some(&asked)) && !request.explains(Some(&row())));
    assert_eq!(request.counter_after(), None);
    assert_eq!(request.apply(Some(&asked)), Err(NotAsExpected), "somebody asks already");
    let renewed = LeaseWrite::renew(&row()).apply(Some(&row())).unwrap().unwrap();
    assert_eq!(request.apply(Some(&renewed)), Err(NotAsExpected), "another version");
    assert_eq!(asked.heir(), Some(&"other".into()));
    assert!(LeaseWrite::renew(&row()).apply(Some(&asked)).is_ok(), "the owner is not disturbed");
}

#[test]
fn a_rejected_request_is_sent_again_only_to_the_owner_it_was_meant_for() {
    let other = WorkerId::from("other");
    let request = LeaseWrite::request(&row(), &other).unwrap();
    let renewed = Lease { counter: LeaseCounter::new(9), ..row() };
    let cases = [
        (renewed.clone(), true, "it was renewed"),
        (Lease { owner: Some("third".into()), hands_off: Some("third".into()), ..renewed.clone() }, false, "it went elsewhere"),
        (Lease { requested_by: Some("third".into()), ..renewed.clone() }, false, "somebody else asks"),
        (Lease { checkpoint: Checkpoint::ShardEnd, ..renewed.clone() }, false, "the shard is finished"),
        (Lease { hands_off: None, ..renewed }, false, "its owner does not hand off any more"),
    ];
    for (current, again, why) in cases {
        assert_eq!(request.request_again(&current, &other).is_some(), again, "{why}");
    }
    assert!(LeaseWrite::renew(&row()).request_again(&row(), &other).is_none(), "not a request");
}

#[test]
fn only_owners_that_hand_off_are_asked() {
    let me = WorkerId::from("me");
    let cases = [
        (row(), "other", true),
        (row(), "me", false),
        (Lease { hands_off: None, ..row() }, "other", false),
        // A Java worker took it from one that hands off.
        (Lease { owner: Some("java".into()), ..row() }, "other", false),
        (Lease { owner: None, ..row() }, "other", false),
        (Lease { requested_by: Some("third".into()), ..row() }, "other", false),
        (Lease { checkpoint_owner: Some(me), ..row() }, "other", false),
    ];
    for (seen, by, asks) in cases {
        assert_eq!(LeaseWrite::request(&seen, &by.into()).is_some(), asks, "{seen:?} {by}");
    }
    let java = Lease { owner: Some("java".into()), requested_by: Some("other".into()), ..row() };
    assert_eq!(java.heir(), Some(&"java".into()), "what was asked of a former owner says nothing");
}

#[test]
fn a_transfer_needs_the_request_and_leaves_a_row_that_nobody_holds_yet() {
    let asked = Lease { requested_by: Some("other".into()), ..row() };
    let transfer = LeaseWrite::transfer(&asked, &"other".into()).unwrap();
    let moved = transfer.apply(Some(&asked)).unwrap().unwrap();
    let expected =
        Lease { owner: Some("other".into()), counter: asked.counter.next(), owner_switches: 3, hands_off: None, ..row() };
    assert_eq!(moved, expected);
    assert!(transfer.explains(Some(&moved)) && !transfer.explains(Some(&asked)));
    assert_eq!(transfer.apply(Some(&row())), Err(NotAsExpected), "it was withdrawn");
    assert!(!moved.can_be_asked_for());
}

#[test]
fn a_withdrawal_removes_one_workers_request() {
    let asked = Lease { requested_by: Some("other".into()), ..row() };
    let withdraw = LeaseWrite::withdraw(&asked.key, &"other".into());
    assert_eq!(withdraw.apply(Some(&asked)), Ok(Some(row())));
    assert!(withdraw.explains(Some(&row())) && !withdraw.explains(Some(&asked)));
    let third = Lease { requested_by: Some("third".into()), ..row() };
    assert_eq!(withdraw.apply(Some(&third)), Err(NotAsExpected));
}

#[test]
fn a_take_removes_the_request_and_says_whether_it_will_be_handed_off() {
    let asked = Lease { requested_by: Some("third".into()), ..row() };
    for (hands_off, said) in [(true, Some("other".into())), (false, None)] {
        let take = LeaseWrite::take(&asked, &"other".into(), token(5)).with_hand_off(hands_off);
        let taken = take.apply(Some(&asked)).unwrap().unwrap();
        assert_eq!((taken.hands_off.clone(), taken.requested_by.clone()), (said, None));
        let asked_again = Lease { requested_by: Some("third".into()), ..taken };
        assert!(take.explains(Some(&asked_again)), "asked for right after it was taken");
    }
}
