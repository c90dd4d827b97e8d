use kcl_core::{
    Change, Checkpoint, Expectation, Field, Lease, LeaseCounter, LeaseKey, LeaseWrite, ShardId, TenureToken, Verb, WorkerId,
};

/// Which of the Java libraries a worker is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JavaVersion {
    /// KCL 2.x.
    Two,
    /// KCL 3.x in its mode for tables of 2.x.
    Three,
}

/// A write of the lease table as Java sends it: the row that its sender knows, and what it wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::world) enum JavaWrite {
    /// The whole row, where there is none.
    Create(Lease),
    /// The counter.
    Renew(Lease),
    /// The renewal with which a worker that starts goes on with a lease of its own name.
    Resume(Lease, WorkerId),
    /// Another owner.
    Take(Lease, WorkerId),
    /// A position.
    Checkpoint(Lease, Checkpoint),
    /// The children, whoever owns the row.
    Children(LeaseKey, Vec<ShardId>),
    /// Removes the row, whatever it is.
    Delete(Lease),
}

impl JavaWrite {
    /// What it is nearest to among this library's writes: that is how it is written down. A start that goes on with a lease begins a
    /// tenure, as a take of an own lease does, and stores the same.
    pub(in crate::world) fn recorded(&self) -> LeaseWrite {
        match self {
            Self::Create(lease) => LeaseWrite::create(lease.clone()),
            Self::Renew(seen) => LeaseWrite::renew(seen),
            Self::Take(seen, by) | Self::Resume(seen, by) => LeaseWrite::take(seen, by, TenureToken::new(0)),
            Self::Checkpoint(seen, checkpoint) => LeaseWrite::checkpoint(seen, checkpoint.clone()),
            Self::Children(key, children) => LeaseWrite::describe_children(key, children.clone()),
            Self::Delete(seen) => LeaseWrite::delete(seen),
        }
    }

    /// What the store makes of it: the row afterwards, `Some(None)` for none; `None` if the condition does not hold.
    pub(in crate::world) fn apply(&self, version: JavaVersion, row: Option<&Lease>) -> Option<Option<Lease>> {
        let seen = match self {
            Self::Create(lease) => return row.is_none().then(|| Some(lease.clone())),
            Self::Delete(_) => return Some(None),
            Self::Children(_, children) => return row.map(|row| Some(Lease { children: children.clone(), ..row.clone() })),
            Self::Renew(seen) | Self::Resume(seen, _) | Self::Take(seen, _) | Self::Checkpoint(seen, _) => seen,
        };
        let row = row.filter(|row| row.counter == seen.counter)?;
        let mut after = Lease { counter: row.counter.next(), ..row.clone() };
        match self {
            Self::Renew(_) | Self::Resume(..) if version == JavaVersion::Three && row.checkpoint_owner.is_some() => return None,
            Self::Take(_, by) => {
                after.owner_switches += u64::from(seen.owner.as_ref().is_some_and(|owner| owner != by));
                after.owner = Some(by.clone());
                if version == JavaVersion::Three {
                    after.checkpoint_owner = None;
                }
            }
            Self::Checkpoint(_, checkpoint) => {
                (after.checkpoint, after.pending, after.owner_switches) = (checkpoint.clone(), None, 0);
            }
            _ => {}
        }
        Some(Some(after))
    }
}

/// The same once more for the oracle, from the record: what a write of a Java worker does to a row.
pub(crate) fn specified(write: &LeaseWrite, version: JavaVersion, row: Option<&Lease>) -> Option<Option<Lease>> {
    let (update, row) = match (write.change(), row) {
        (Change::Put(lease), None) => return Some(Some((**lease).clone())),
        (Change::Delete, Some(_)) => return Some(None),
        (Change::Update(update), Some(row)) => (update, row),
        _ => return None,
    };
    let mut after = row.clone();
    if let Some(children) = &update.children {
        after.children.clone_from(children);
        return Some(Some(after));
    }
    let Expectation::Version { owner, counter } = write.expectation() else { return None };
    if *counter != row.counter || (write.verb() == Verb::Renew && version == JavaVersion::Three && row.checkpoint_owner.is_some())
    {
        return None;
    }
    after.counter = LeaseCounter::new(counter.value() + 1);
    if let (Verb::Take, Field::Set(by)) = (write.verb(), &update.owner) {
        after.owner_switches += u64::from(owner.is_some() && owner.as_ref() != Some(by));
        after.owner = Some(by.clone());
        if version == JavaVersion::Three {
            after.checkpoint_owner = None;
        }
    }
    if let Some(checkpoint) = &update.checkpoint {
        after = Lease { checkpoint: checkpoint.clone(), pending: None, owner_switches: 0, ..after };
    }
    Some(Some(after))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Owned by one of ours that hands off, and asked for by another.
    fn asked_for() -> Lease {
        let names = (Some("w1".into()), Some("w1".into()), Some("w2".into()));
        let mut row = Lease::new("a".into(), Checkpoint::TrimHorizon);
        (row.owner, row.hands_off, row.requested_by) = names;
        (row.counter, row.tenure) = (LeaseCounter::new(7), Some(TenureToken::new(99)));
        row
    }

    #[test]
    fn a_take_looks_at_the_counter_alone_and_leaves_our_attributes() {
        let row = asked_for();
        let take = JavaWrite::Take(Lease { owner: None, ..row.clone() }, "j".into());
        let after = take.apply(JavaVersion::Two, Some(&row)).flatten().unwrap();
        let expected = Lease { owner: Some("j".into()), counter: LeaseCounter::new(8), ..row.clone() };
        assert_eq!(after, expected, "an owner that it had not seen is no switch");
        assert!(!after.can_be_asked_for() && !after.is_transferred_to(&"j".into()) && after.heir() == Some(&"j".into()));
        let late = JavaWrite::Take(Lease { counter: LeaseCounter::new(6), ..row.clone() }, "j".into());
        assert_eq!(late.apply(JavaVersion::Two, Some(&row)), None);
        assert_eq!(take.apply(JavaVersion::Two, None), None, "an absent row is not made");
    }

    #[test]
    fn the_versions_differ_where_a_hand_over_of_3_x_runs() {
        let row = Lease { checkpoint_owner: Some("old".into()), ..asked_for() };
        let owner = |write: &JavaWrite, version| write.apply(version, Some(&row)).flatten().map(|row| row.checkpoint_owner);
        let (renew, take) = (JavaWrite::Renew(row.clone()), JavaWrite::Take(row.clone(), "j".into()));
        assert_eq!(owner(&renew, JavaVersion::Two), Some(Some("old".into())));
        assert_eq!(owner(&renew, JavaVersion::Three), None);
        assert_eq!(owner(&take, JavaVersion::Two), Some(Some("old".into())));
        assert_eq!(owner(&take, JavaVersion::Three), Some(None));
    }

    #[test]
    fn what_is_written_down_says_the_same() {
        let row = asked_for();
        let writes = [
            JavaWrite::Renew(row.clone()),
            JavaWrite::Take(row.clone(), "j".into()),
            JavaWrite::Resume(row.clone(), "w1".into()),
            JavaWrite::Checkpoint(row.clone(), Checkpoint::ShardEnd),
            JavaWrite::Children(row.key.clone(), vec!["b".into()]),
            JavaWrite::Delete(row.clone()),
            JavaWrite::Create(row.clone()),
        ];
        for (write, version) in writes.iter().flat_map(|write| [(write, JavaVersion::Two), (write, JavaVersion::Three)]) {
            let later = Lease { counter: LeaseCounter::new(8), ..row.clone() };
            for stored in [Some(&row), Some(&later)] {
                assert_eq!(specified(&write.recorded(), version, stored), write.apply(version, stored), "{write:?}");
            }
        }
    }
}
