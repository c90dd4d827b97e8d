//! A lease write in DynamoDB's words: what must hold, and what changes.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use kcl_core::{Change, Expectation, Field, LeaseCounter, LeaseWrite, OwnerSwitches, Update, WorkerId};

use crate::attributes as name;
use crate::encode::{self, Unstorable};

/// The expressions of one request. Every placeholder that is declared is used: DynamoDB refuses others.
#[derive(Debug, Default)]
pub(crate) struct Expressions {
    /// What must hold of the row. It holds for an existing row only, except for a creation: an update of an absent row
    /// would create a row that no worker can read.
    pub(crate) condition: String,
    /// What changes, `None` if nothing does.
    pub(crate) update: Option<String>,
    /// Attribute names by placeholder.
    pub(crate) names: BTreeMap<String, String>,
    /// Values by placeholder.
    pub(crate) values: BTreeMap<String, AttributeValue>,
}

/// The expressions of `write`; a creation's row and a key are not among them.
pub(crate) fn of(write: &LeaseWrite) -> Result<Expressions, Unstorable> {
    let mut expressions = Expressions::default();
    expressions.condition = expressions.expectation(write.expectation())?;
    if write.expects_no_hand_over() {
        let none = expressions.absent(name::CHECKPOINT_OWNER);
        expressions.condition = format!("{} AND {none}", expressions.condition);
    }
    if let Change::Update(update) = write.change() {
        let mut clauses = Clauses { expressions: &mut expressions, set: vec![], remove: vec![], add: vec![] };
        clauses.update(update, write.counter_after())?;
        let text = clauses.into_text();
        expressions.update = text;
    }
    Ok(expressions)
}

impl Expressions {
    fn name(&mut self, attribute: &str) -> String {
        let placeholder = format!("#{attribute}");
        self.names.insert(placeholder.clone(), attribute.to_owned());
        placeholder
    }

    fn value(&mut self, label: &str, value: AttributeValue) -> String {
        let placeholder = format!(":{label}");
        self.values.insert(placeholder.clone(), value);
        placeholder
    }

    fn expectation(&mut self, expectation: &Expectation) -> Result<String, Unstorable> {
        Ok(match expectation {
            Expectation::Absent => self.absent(name::LEASE_KEY),
            Expectation::Version { owner, counter } => self.version(owner.as_ref(), *counter)?,
            Expectation::Unrequested { owner, counter } => {
                let version = self.version(Some(owner), *counter)?;
                format!("{version} AND {}", self.absent(name::REQUESTED_BY))
            }
            Expectation::Requested { owner, counter, by } => {
                let version = self.version(Some(owner), *counter)?;
                format!("{version} AND {}", self.equals(name::REQUESTED_BY, encode::text(by)))
            }
            Expectation::RequestedBy(by) => self.equals(name::REQUESTED_BY, encode::text(by)),
            Expectation::EndedAt { counter } => {
                let end = encode::text(kcl_core::Checkpoint::ShardEnd.as_text());
                format!("{} AND {}", self.counter_is(*counter), self.equals(name::CHECKPOINT, end))
            }
            Expectation::NoChildren => format!("{} AND {}", self.is_lease(), self.absent(name::CHILDREN)),
            Expectation::NoHashRange => {
                // A range is read only if both ends are there and not empty; this is the opposite of that.
                let ends = [name::STARTING_HASH_KEY, name::ENDING_HASH_KEY];
                let unset = ends.map(|end| format!("{} OR {}", self.absent(end), self.is_empty(end)));
                format!("{} AND ({})", self.is_lease(), unset.join(" OR "))
            }
        })
    }

    fn version(&mut self, owner: Option<&WorkerId>, counter: LeaseCounter) -> Result<String, Unstorable> {
        Ok(format!("{} AND {}", self.counter_is(counter), self.owner_is(owner)?))
    }

    fn counter_is(&mut self, counter: LeaseCounter) -> String {
        self.equals(name::LEASE_COUNTER, encode::number(counter.value()))
    }

    fn owner_is(&mut self, owner: Option<&WorkerId>) -> Result<String, Unstorable> {
        Ok(match owner {
            // Not checked for emptiness: a row with an empty owner must stay takeable.
            Some(owner) => self.equals(name::LEASE_OWNER, encode::text(owner)),
            None => self.absent(name::LEASE_OWNER),
        })
    }

    /// The row exists and is a lease: a description must not touch another kind of row.
    fn is_lease(&mut self) -> String {
        let counter = self.name(name::LEASE_COUNTER);
        let other = self.absent(name::ENTITY_TYPE);
        let lease = self.equals(name::ENTITY_TYPE, encode::text(name::ENTITY_TYPE_LEASE));
        format!("attribute_exists({counter}) AND ({other} OR {lease})")
    }

    fn absent(&mut self, attribute: &str) -> String {
        format!("attribute_not_exists({})", self.name(attribute))
    }

    fn is_empty(&mut self, attribute: &str) -> String {
        format!("{} = {}", self.name(attribute), self.value("empty", encode::text("")))
    }

    fn equals(&mut self, attribute: &str, value: AttributeValue) -> String {
        let value = self.value(&format!("{attribute}Seen"), value);
        format!("{} = {value}", self.name(attribute))
    }
}

/// The clauses of an update expression.
struct Clauses<'a> {
    expressions: &'a mut Expressions,
    set: Vec<String>,
    remove: Vec<String>,
    add: Vec<String>,
}

impl Clauses<'_> {
    fn update(&mut self, update: &Update, counter: Option<LeaseCounter>) -> Result<(), Unstorable> {
        if let Some(counter) = counter {
            self.set(name::LEASE_COUNTER, encode::number(counter.value()));
        }
        let workers = [
            (name::LEASE_OWNER, &update.owner),
            (name::HANDS_OFF, &update.hands_off),
            (name::REQUESTED_BY, &update.requested_by),
        ];
        for (attribute, worker) in workers {
            match worker {
                Field::Keep => {}
                Field::Set(worker) => self.set(attribute, encode::owner(worker)?),
                Field::Remove => self.remove(attribute),
            }
        }
        match update.owner_switches {
            OwnerSwitches::Keep => {}
            // ADD counts an absent attribute as zero.
            OwnerSwitches::AddOne => self.add(name::OWNER_SWITCHES, 1),
            OwnerSwitches::Reset => self.set(name::OWNER_SWITCHES, encode::number(0)),
        }
        if let Some(token) = update.tenure {
            self.set(name::TENURE, encode::number(token.value()));
        }
        for (attribute, value) in update.checkpoint.iter().flat_map(encode::checkpoint) {
            self.set(attribute, value);
        }
        self.pending(&update.pending);
        if update.remove_checkpoint_owner {
            self.remove(name::CHECKPOINT_OWNER);
        }
        if let Some(set) = update.children.as_deref().and_then(encode::shard_ids) {
            self.set(name::CHILDREN, set);
        }
        if let Some(range) = update.hash_range {
            for (attribute, value) in encode::hash_range(range)? {
                self.set(attribute, value);
            }
        }
        Ok(())
    }

    fn pending(&mut self, pending: &Field<kcl_core::PendingCheckpoint>) {
        match pending {
            Field::Keep => {}
            Field::Set(pending) => {
                for (attribute, value) in encode::pending(pending) {
                    self.set(attribute, value);
                }
                // The state of an earlier proposal is not this one's.
                if pending.state.is_none() {
                    self.remove(name::PENDING_STATE);
                }
            }
            Field::Remove => {
                for attribute in [name::PENDING, name::PENDING_SUB, name::PENDING_STATE] {
                    self.remove(attribute);
                }
            }
        }
    }

    fn set(&mut self, attribute: &str, value: AttributeValue) {
        let assignment = format!("{} = {}", self.expressions.name(attribute), self.expressions.value(attribute, value));
        self.set.push(assignment);
    }

    fn remove(&mut self, attribute: &str) {
        let attribute = self.expressions.name(attribute);
        self.remove.push(attribute);
    }

    fn add(&mut self, attribute: &str, number: u64) {
        let value = encode::number(number);
        let term = format!("{} {}", self.expressions.name(attribute), self.expressions.value(attribute, value));
        self.add.push(term);
    }

    fn into_text(self) -> Option<String> {
        let clauses = [("SET", self.set), ("REMOVE", self.remove), ("ADD", self.add)];
        let clauses: Vec<String> = clauses
            .into_iter()
            .filter(|(_, terms)| !terms.is_empty())
            .map(|(keyword, terms)| format!("{keyword} {}", terms.join(", ")))
            .collect();
        (!clauses.is_empty()).then(|| clauses.join(" "))
    }
}
