use super::*;
use crate::{ExtendedSequenceNumber, SequenceNumber};

fn row() -> Lease {
    let mut row = Lease::new("shard".into(), Checkpoint::TrimHorizon);
    row.owner = Some("me".into());
    row.counter = LeaseCounter::new(7);
    row.owner_switches = 2;
    row.tenure = Some(token(4));
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
