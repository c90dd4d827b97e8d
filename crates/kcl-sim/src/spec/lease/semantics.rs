use kcl_core::{Change, Expectation, Field, Lease, LeaseCounter, LeaseWrite, OwnerSwitches, Update, Verb};

/// What a store does with a write, from its verb alone: the row afterwards, `Some(None)` for none; `None` if the row is not
/// as the verb expects.
///
/// It states once more, and in its own words, what [`LeaseWrite::apply`] and the verbs do together: of a write it believes
/// the verb, the version and what is to be stored, and nothing of how the library says what else changes.
pub(crate) fn specified(write: &LeaseWrite, row: Option<&Lease>) -> Option<Option<Lease>> {
    let Some(row) = row else {
        return match (write.verb(), write.change()) {
            (Verb::Create, Change::Put(lease)) => Some(Some((**lease).clone())),
            _ => None,
        };
    };
    let mut after = row.clone();
    match write.verb() {
        Verb::Create => return None,
        Verb::Delete => return (row.checkpoint.is_shard_end() && expected_counter(write)? == row.counter).then_some(None),
        Verb::Describe => {
            let update = update(write)?;
            match (&update.children, update.hash_range) {
                (Some(children), None) if row.children.is_empty() => after.children.clone_from(children),
                (None, Some(range)) if row.hash_range.is_none() => after.hash_range = Some(range),
                _ => return None,
            }
            return Some(Some(after));
        }
        Verb::Request | Verb::Withdraw | Verb::Transfer => return handed_off(write, row).map(Some),
        Verb::Renew | Verb::Take | Verb::Checkpoint | Verb::PrepareCheckpoint | Verb::Release => {}
    }
    let Expectation::Version { owner, counter } = write.expectation() else { return None };
    if (owner, counter) != (&row.owner, &row.counter) {
        return None;
    }
    after.counter = LeaseCounter::new(row.counter.value() + 1);
    match (write.verb(), update(write)?) {
        (Verb::Take, Update { owner: Field::Set(taker), tenure: Some(token), .. }) => {
            after.tenure = Some(*token);
            after.owner_switches += u64::from(row.owner.as_ref().is_some_and(|owner| owner != taker));
            after.owner = Some(taker.clone());
            after.checkpoint_owner = None;
            after.requested_by = None;
            after.hands_off = (update(write)?.hands_off != Field::Remove).then(|| taker.clone());
        }
        (Verb::Checkpoint, Update { checkpoint: Some(checkpoint), .. }) => {
            after.checkpoint = checkpoint.clone();
            after.pending = None;
            after.owner_switches = 0;
        }
        (Verb::PrepareCheckpoint, Update { pending: Field::Set(pending), .. }) => after.pending = Some(pending.clone()),
        (Verb::Release, _) => after.owner = None,
        (Verb::Renew, update) if is_bare(update) => {}
        _ => return None,
    }
    Some(Some(after))
}

/// What a store does with a write of a hand-off.
fn handed_off(write: &LeaseWrite, row: &Lease) -> Option<Lease> {
    let mut after = row.clone();
    let (seen, asked_by) = match write.expectation() {
        Expectation::Unrequested { owner, counter } => (Some((owner, counter)), None),
        Expectation::Requested { owner, counter, by } => (Some((owner, counter)), Some(by)),
        Expectation::RequestedBy(by) => (None, Some(by)),
        _ => return None,
    };
    let is_seen = seen.is_none_or(|(owner, counter)| row.owner.as_ref() == Some(owner) && row.counter == *counter);
    if !is_seen || row.requested_by.as_ref() != asked_by {
        return None;
    }
    match (write.verb(), &update(write)?.requested_by) {
        (Verb::Request, Field::Set(by)) if seen.is_some() => after.requested_by = Some(by.clone()),
        (Verb::Withdraw, Field::Remove) if seen.is_none() => after.requested_by = None,
        (Verb::Transfer, Field::Remove) if seen.is_some() => {
            after.owner = Some(asked_by?.clone());
            after.owner_switches += 1;
            after.counter = LeaseCounter::new(row.counter.value() + 1);
            (after.requested_by, after.hands_off) = (None, None);
        }
        _ => return None,
    }
    Some(after)
}

/// The counter that a write expects.
pub(crate) const fn expected_counter(write: &LeaseWrite) -> Option<LeaseCounter> {
    match write.expectation() {
        Expectation::Version { counter, .. }
        | Expectation::Unrequested { counter, .. }
        | Expectation::Requested { counter, .. }
        | Expectation::EndedAt { counter } => Some(*counter),
        Expectation::Absent | Expectation::NoChildren | Expectation::NoHashRange | Expectation::RequestedBy(_) => None,
    }
}

fn update(write: &LeaseWrite) -> Option<&Update> {
    match write.change() {
        Change::Update(update) => Some(update),
        Change::Put(_) | Change::Delete => None,
    }
}

/// A heartbeat stores nothing but the counter.
fn is_bare(update: &Update) -> bool {
    let keeps = matches!((&update.owner, &update.pending), (Field::Keep, Field::Keep));
    keeps
        && update.owner_switches == OwnerSwitches::Keep
        && update.checkpoint.is_none()
        && update.children.is_none()
        && update.tenure.is_none()
        && matches!((&update.hands_off, &update.requested_by), (Field::Keep, Field::Keep))
}
