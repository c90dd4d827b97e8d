use std::rc::Rc;

use kcl_core::{Checkpoint, ChildShard, StartStrategy, child_lease};

use super::stream::{SHARDS, bit, children, closed, existing, listing, members, parents};
use super::world::{Mutant, Row, World};
use crate::spec::bfs::{Invariant, Model, Predicate};
use crate::spec::intern::Memo;

mod decide;
mod text;

/// What a sync wants created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Plan {
    latest: u8,
    oldest: u8,
}

impl Plan {
    const fn all(self) -> u8 {
        self.latest | self.oldest
    }
}

/// A state. Sets of shards are bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct State {
    reshards: u8,
    trimmed: u8,
    rows: [Row; SHARDS],
    /// Creations on their way.
    pending: [Plan; 2],
    /// Shards whose reading began since their row was created.
    started: u8,
    /// Shards whose row was at SHARD_END once.
    ended: u8,
    /// Shards whose row was past its start once.
    begun: u8,
    /// Shards that had a row once. What never had one was left out by a start at LATEST.
    known: u8,
    broken: u8,
}

/// What may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// The stream is resharded.
    Reshard,
    /// The stream forgets a closed shard.
    Trim(usize),
    /// A worker plans what to create.
    Sync(usize, Plan),
    /// A creation of a worker reaches the store.
    Create(usize, usize),
    /// A worker dies with its creations.
    Crash(usize),
    /// Somebody begins to read a shard.
    Start(usize),
    /// A shard is read past its start.
    Checkpoint(usize),
    /// The reader of a closed shard creates the row of a child.
    CreateChild(usize, usize),
    /// The end of a shard becomes durable.
    End(usize),
    /// The reader of a shard finds that the stream has forgotten it.
    Gone(usize),
    /// A row is deleted by our rules.
    Delete(usize),
    /// A row is deleted by a Java worker.
    JavaDelete(usize),
}

const S4: u8 = 1;
const S12: u8 = 2;
const S14: u8 = 4;
const S1: u8 = 8;

/// A stream, its lease rows, and the workers.
#[derive(Debug)]
pub struct LineageModel {
    world: World,
    mutant: Option<Mutant>,
    plans: Memo<Rc<Vec<Plan>>>,
    gates: Memo<bool>,
    deletions: Memo<bool>,
}

impl LineageModel {
    /// The rules as they are.
    pub fn new(world: World) -> Self {
        Self { world, mutant: None, plans: Memo::default(), gates: Memo::default(), deletions: Memo::default() }
    }

    /// The rules with a mistake.
    #[must_use]
    pub const fn with_mutant(mut self, mutant: Mutant) -> Self {
        self.mutant = Some(mutant);
        self
    }

    fn may_trim(&self, state: &State, shard: usize) -> bool {
        let is_closed = closed(state.reshards) & !state.trimmed & bit(shard) != 0;
        self.world.trims && is_closed && parents(shard).iter().all(|&parent| state.trimmed & bit(parent) != 0)
    }

    fn start(&self, state: &mut State, shard: usize) {
        if state.ended & bit(shard) != 0 {
            state.broken |= S14;
        }
        let in_scope = state.rows[shard] == Row::Oldest;
        let left_out = if self.world.start == StartStrategy::Latest { !state.known } else { 0 };
        let finished = |parent: &usize| (state.ended | state.trimmed | left_out) & bit(*parent) != 0;
        if in_scope && !parents(shard).iter().all(finished) {
            state.broken |= S4;
        }
        state.started |= bit(shard);
    }

    fn delete(&self, state: &mut State, shard: usize, by_java: bool) {
        let followed = children(shard).all(|child| state.begun & bit(child) != 0);
        let forgotten = state.trimmed & bit(shard) != 0;
        let finished = state.rows[shard] == Row::Ended && (followed || forgotten);
        if !by_java && !finished {
            state.broken |= S12;
        }
        state.rows[shard] = Row::Absent;
        state.started &= !bit(shard);
    }

    fn set_row(state: &mut State, shard: usize, row: Row) {
        state.rows[shard] = row;
        state.known |= bit(shard);
        match row {
            Row::Begun => state.begun |= bit(shard),
            Row::Ended => {
                state.begun |= bit(shard);
                state.ended |= bit(shard);
                state.started &= !bit(shard);
            }
            _ => {}
        }
    }

    fn create(state: &mut State, worker: usize, shard: usize) {
        let plan = &mut state.pending[worker];
        let row = if plan.latest & bit(shard) != 0 { Row::Latest } else { Row::Oldest };
        plan.latest &= !bit(shard);
        plan.oldest &= !bit(shard);
        if state.rows[shard] != Row::Absent {
            return;
        }
        if row == Row::Latest && parents(shard).iter().any(|&parent| state.known & bit(parent) != 0) {
            state.broken |= S1;
        }
        Self::set_row(state, shard, row);
    }

    /// The row of a child, as the reader of its parent creates it.
    fn create_child(state: &mut State, parent: usize, child: usize) {
        let shards = listing(state.reshards, bit(child));
        let Some(shard) = shards.first() else { return };
        let checkpoint = state.rows[parent].checkpoint().unwrap_or(Checkpoint::TrimHorizon);
        let lease = child_lease(&ChildShard::from(shard), &checkpoint);
        let row = if lease.checkpoint == Checkpoint::Latest { Row::Latest } else { Row::Oldest };
        Self::set_row(state, child, row);
    }

    fn row_actions(&self, state: &State, shard: usize, actions: &mut Vec<Action>) {
        let row = state.rows[shard];
        let is_closed = closed(state.reshards) & bit(shard) != 0;
        let is_forgotten = state.trimmed & bit(shard) != 0;
        let is_started = state.started & bit(shard) != 0;
        if !is_started && (row.is_initial() || row == Row::Begun) && self.may_start(state, shard) {
            actions.push(Action::Start(shard));
        }
        if is_started && is_forgotten {
            actions.push(Action::Gone(shard));
        } else if is_started {
            actions.extend(row.is_initial().then_some(Action::Checkpoint(shard)));
            let missing = children(shard).filter(|&child| is_closed && state.rows[child] == Row::Absent);
            let before = actions.len();
            actions.extend(missing.map(|child| Action::CreateChild(shard, child)));
            if is_closed && actions.len() == before {
                actions.push(Action::End(shard));
            }
        }
        let on_its_way = state.pending.iter().any(|plan| plan.all() & bit(shard) != 0);
        if row == Row::Ended && (self.world.endless_delays || !on_its_way) {
            actions.extend(self.may_delete(state, shard).then_some(Action::Delete(shard)));
            actions.extend(self.java_may_delete(state, shard).then_some(Action::JavaDelete(shard)));
        }
    }
}

impl Model for LineageModel {
    type State = State;
    type Action = Action;

    fn initial_states(&self) -> Vec<State> {
        vec![State {
            reshards: 0,
            trimmed: 0,
            rows: [Row::Absent; SHARDS],
            pending: [Plan::default(); 2],
            started: 0,
            ended: 0,
            begun: 0,
            known: 0,
            broken: 0,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.reshards < self.world.reshards {
            actions.push(Action::Reshard);
        }
        for worker in 0..self.world.workers {
            let pending = state.pending[worker].all();
            if pending == 0 {
                actions.extend(self.plans(state).iter().map(|&plan| Action::Sync(worker, plan)));
            } else {
                actions.extend(members(pending).map(|shard| Action::Create(worker, shard)));
                actions.push(Action::Crash(worker));
            }
        }
        for shard in 0..SHARDS {
            actions.extend(self.may_trim(state, shard).then_some(Action::Trim(shard)));
            self.row_actions(state, shard, actions);
        }
    }

    fn next(&self, state: &State, action: &Action) -> Option<State> {
        let mut next = *state;
        match *action {
            Action::Reshard => next.reshards += 1,
            Action::Trim(shard) => next.trimmed |= bit(shard),
            Action::Sync(worker, plan) => next.pending[worker] = plan,
            Action::Create(worker, shard) => Self::create(&mut next, worker, shard),
            Action::Crash(worker) => next.pending[worker] = Plan::default(),
            Action::Start(shard) => self.start(&mut next, shard),
            Action::Checkpoint(shard) => Self::set_row(&mut next, shard, Row::Begun),
            Action::CreateChild(parent, child) => Self::create_child(&mut next, parent, child),
            Action::End(shard) | Action::Gone(shard) => Self::set_row(&mut next, shard, Row::Ended),
            Action::Delete(shard) => self.delete(&mut next, shard, false),
            Action::JavaDelete(shard) => self.delete(&mut next, shard, true),
        }
        // The workers are alike.
        next.pending.sort_unstable();
        if self.world.workers == 1 {
            next.pending.reverse();
        }
        Some(next)
    }

    fn invariants(&self) -> Vec<Invariant<Self>> {
        vec![
            Invariant { name: "S4: a child starts after its parents' ends", holds: |_, state| state.broken & S4 == 0 },
            Invariant { name: "S12: rows are never lost", holds: |_, state| state.broken & S12 == 0 },
            Invariant {
                name: "S1: what follows a shard with a row is read from its oldest record",
                holds: |_, state| state.broken & S1 == 0,
            },
            Invariant { name: "S14: what ended is not started again", holds: |_, state| state.broken & S14 == 0 },
        ]
    }

    /// Every shard that is left in the stream is read as far as it goes.
    fn goal(&self) -> Option<Predicate<Self>> {
        Some(|model, state| {
            let finished = |shard: usize| {
                let is_closed = closed(state.reshards) & bit(shard) != 0;
                let is_done = if is_closed { state.ended & bit(shard) != 0 } else { state.begun & bit(shard) != 0 };
                let out_of_scope = model.world.start == StartStrategy::Latest && is_closed && state.rows[shard] == Row::Absent;
                is_done || out_of_scope || state.trimmed & bit(shard) != 0
            };
            state.reshards == model.world.reshards && members(existing(state.reshards)).all(finished)
        })
    }

    fn explain(&self, _: &State, action: &Action) -> String {
        text::explain(*action)
    }

    fn describe(&self, state: &State) -> String {
        text::describe(state)
    }
}
