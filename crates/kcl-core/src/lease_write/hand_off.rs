use super::{Change, Expectation, Field, LeaseWrite, OwnerSwitches, Update, Verb};
use crate::{Lease, LeaseKey, WorkerId};

/// The verbs of moves between workers of this library (`docs/decisions/0007`).
impl LeaseWrite {
    /// Lets a take say whether the new owner hands the lease off when another worker asks for it.
    #[must_use]
    pub fn with_hand_off(mut self, hands_off: bool) -> Self {
        if let Change::Update(update) = &mut self.change
            && self.verb == Verb::Take
            && let (true, Field::Set(owner)) = (hands_off, &update.owner)
        {
            update.hands_off = Field::Set(owner.clone());
        }
        self
    }

    /// Asks the owner of `seen` for the lease, if it hands leases off and nobody else asks for this one. The counter stays:
    /// a request never disturbs the owner's writes, and an owner sees it in the answer to its next one.
    pub fn request(seen: &Lease, by: &WorkerId) -> Option<Self> {
        let owner = seen.owner.clone().filter(|owner| seen.can_be_asked_for() && owner != by)?;
        let update = Update { requested_by: Field::Set(by.clone()), ..Update::NOTHING };
        let expectation = Expectation::Unrequested { owner, counter: seen.counter };
        let change = Change::Update(Box::new(update));
        seen.requested_by.is_none().then(|| Self { verb: Verb::Request, key: seen.key.clone(), expectation, change })
    }

    /// Removes the request of `by`: it does not want the lease any more, or the owner declines.
    pub fn withdraw(key: &LeaseKey, by: &WorkerId) -> Self {
        let change = Change::Update(Box::new(Update { requested_by: Field::Remove, ..Update::NOTHING }));
        Self { verb: Verb::Withdraw, key: key.clone(), expectation: Expectation::RequestedBy(by.clone()), change }
    }

    /// Makes `to`, which asks for the lease, the owner of the version `seen`; sent by its owner, which has stopped to work on
    /// it. The tenure of `to` begins only with a take of its own: this row names neither its token nor what it says about
    /// hand-offs. `None` if `seen` has no owner.
    pub fn transfer(seen: &Lease, to: &WorkerId) -> Option<Self> {
        let owner = seen.owner.clone()?;
        let update = Update {
            owner: Field::Set(to.clone()),
            owner_switches: OwnerSwitches::AddOne,
            hands_off: Field::Remove,
            requested_by: Field::Remove,
            ..Update::HEARTBEAT
        };
        let expectation = Expectation::Requested { owner, counter: seen.counter, by: to.clone() };
        Some(Self { verb: Verb::Transfer, key: seen.key.clone(), expectation, change: Change::Update(Box::new(update)) })
    }

    /// What to send after this request was rejected because the row is `current`: the same owner is asked, who has gone on since
    /// the row was seen, and not to the end of the shard. Anything else is for another round to plan.
    #[must_use]
    pub fn request_again(&self, current: &Lease, by: &WorkerId) -> Option<Self> {
        let Expectation::Unrequested { owner, .. } = self.expectation() else { return None };
        let goes_on = current.is_owned_by(owner) && !current.checkpoint.is_shard_end();
        Self::request(current, by).filter(|_| goes_on)
    }
}
