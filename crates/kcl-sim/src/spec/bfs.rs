//! Exhaustive breadth-first search of a model, with shortest counterexamples and a search for dead ends.

mod backward;
mod table;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use backward::Edges;
pub(crate) use table::Table;

/// A state machine whose states are to be searched.
///
/// Everything is deterministic: the same state has the same actions in the same order, and the same successors.
pub trait Model {
    /// A state. Two equal states have the same future.
    type State: Clone + Eq + Hash;
    /// What may happen.
    type Action;

    /// Where it begins.
    fn initial_states(&self) -> Vec<Self::State>;

    /// What may happen in `state`, added to `actions`.
    fn actions(&self, state: &Self::State, actions: &mut Vec<Self::Action>);

    /// The state after `action`; `None` if it cannot happen, or leads out of the bounds of the search.
    fn next(&self, state: &Self::State, action: &Self::Action) -> Option<Self::State>;

    /// What must hold in every state.
    fn invariants(&self) -> Vec<Invariant<Self>>;

    /// What must stay reachable from every state; `None` if nothing has to.
    fn goal(&self) -> Option<Predicate<Self>> {
        None
    }

    /// What `action` is in `state`: a line of a counterexample.
    fn explain(&self, state: &Self::State, action: &Self::Action) -> String;

    /// The state as text, for the end of a counterexample.
    fn describe(&self, state: &Self::State) -> String;
}

/// Whether something holds in a state.
pub type Predicate<M> = fn(&M, &<M as Model>::State) -> bool;

/// What must hold in every state, and the name under which it is known.
#[derive(Debug)]
pub struct Invariant<M: Model + ?Sized> {
    /// Its name in `docs/protocol.md` or in the list of invariants.
    pub name: &'static str,
    /// Whether it holds.
    pub holds: Predicate<M>,
}

/// How far to search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most states to visit. Memory is about 20 bytes a state, and 8 bytes a transition where there is a goal,
    /// beside the states that are still to be expanded.
    pub max_states: usize,
}

/// What a search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// How many states were visited.
    pub states: usize,
    /// How many transitions were tried that led somewhere.
    pub transitions: usize,
    /// The length of the longest shortest path.
    pub depth: usize,
    /// The judgement.
    pub verdict: Verdict,
}

/// The judgement of a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every reachable state was visited and nothing is wrong.
    Clean,
    /// An invariant does not hold.
    Violated {
        /// Its name.
        invariant: &'static str,
        /// A shortest way there.
        trace: Trace,
    },
    /// From some states the goal cannot be reached.
    DeadEnd {
        /// How many such states there are.
        states: usize,
        /// A shortest way to the first of them.
        trace: Trace,
    },
    /// There are more states than the limits allow; those that were visited are fine.
    LimitReached,
}

/// A way through a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// The actions, in order.
    pub steps: Vec<String>,
    /// The state at the end.
    pub end: String,
}

impl Outcome {
    /// Whether every reachable state was visited and nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.verdict == Verdict::Clean
    }

    /// The invariant that does not hold, and the way there.
    pub fn violation(&self) -> Option<(&'static str, &Trace)> {
        match &self.verdict {
            Verdict::Violated { invariant, trace } => Some((invariant, trace)),
            _ => None,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} states, {} transitions, depth {}", self.states, self.transitions, self.depth)?;
        match &self.verdict {
            Verdict::Clean => f.write_str("clean"),
            Verdict::LimitReached => f.write_str("the limit was reached: nothing is proved"),
            Verdict::Violated { invariant, trace } => write!(f, "{invariant} does not hold:\n{trace}"),
            Verdict::DeadEnd { states, trace } => write!(f, "no way to the goal from {states} states, the first one:\n{trace}"),
        }
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.steps.iter().enumerate() {
            writeln!(f, "{:4}. {step}", index + 1)?;
        }
        write!(f, "      => {}", self.end)
    }
}

/// Visits every reachable state of `model`, nearest first.
///
/// States are told apart by a 64-bit fingerprint with fixed keys: for ten million states the chance that two of them
/// share one is about three in a million, and it is the same in every run.
pub fn explore<M: Model>(model: &M, limits: Limits) -> Outcome {
    Search::new(model, limits).run()
}

/// The fingerprint of a value: the same in every run of the same build.
pub(crate) fn fingerprint(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// The parent of a state that has none.
const NO_PARENT: u32 = u32::MAX;

struct Search<'m, M: Model> {
    model: &'m M,
    limits: Limits,
    invariants: Vec<Invariant<M>>,
    goal: Option<Predicate<M>>,
    seen: Table,
    parents: Vec<u32>,
    depths: Vec<u16>,
    open: VecDeque<M::State>,
    edges: Edges,
    transitions: usize,
}

/// Why a search stops early.
enum Stop {
    Violated(&'static str, u32),
    Limit,
}

impl<'m, M: Model> Search<'m, M> {
    fn new(model: &'m M, limits: Limits) -> Self {
        Self {
            model,
            limits,
            invariants: model.invariants(),
            goal: model.goal(),
            seen: Table::default(),
            parents: Vec::new(),
            depths: Vec::new(),
            open: VecDeque::new(),
            edges: Edges::default(),
            transitions: 0,
        }
    }

    fn run(mut self) -> Outcome {
        let verdict = match self.expand_all() {
            Err(Stop::Violated(invariant, index)) => Verdict::Violated { invariant, trace: self.trace_to(index) },
            Err(Stop::Limit) => Verdict::LimitReached,
            Ok(()) => match self.edges.first_dead_end() {
                Some((first, states)) => Verdict::DeadEnd { states, trace: self.trace_to(first) },
                None => Verdict::Clean,
            },
        };
        let depth = self.depths.last().copied().map_or(0, usize::from);
        Outcome { states: self.seen.len(), transitions: self.transitions, depth, verdict }
    }

    fn expand_all(&mut self) -> Result<(), Stop> {
        for state in self.model.initial_states() {
            self.visit(state, NO_PARENT)?;
        }
        let mut actions = Vec::new();
        let mut index: u32 = 0;
        while let Some(state) = self.open.pop_front() {
            if self.goal.is_some() {
                self.edges.begin_state();
            }
            actions.clear();
            self.model.actions(&state, &mut actions);
            for action in &actions {
                let Some(next) = self.model.next(&state, action) else { continue };
                self.transitions += 1;
                let to = self.visit(next, index)?;
                if self.goal.is_some() && to != index {
                    self.edges.push(to);
                }
            }
            index += 1;
        }
        Ok(())
    }

    /// The index of a state, which is checked and opened if it is new.
    fn visit(&mut self, state: M::State, from: u32) -> Result<u32, Stop> {
        let (index, new) = self.seen.insert(fingerprint(&state));
        if !new {
            return Ok(index);
        }
        self.parents.push(from);
        let depth = self.depths.get(from as usize).map_or(0, |depth| depth.saturating_add(1));
        self.depths.push(depth);
        if let Some(broken) = self.invariants.iter().find(|invariant| !(invariant.holds)(self.model, &state)) {
            return Err(Stop::Violated(broken.name, index));
        }
        if self.seen.len() > self.limits.max_states {
            return Err(Stop::Limit);
        }
        if let Some(reached) = self.goal {
            self.edges.add_state(reached(self.model, &state));
        }
        self.open.push_back(state);
        Ok(index)
    }

    /// Replays the way to a state: only fingerprints were kept.
    fn trace_to(&self, index: u32) -> Trace {
        let mut path = vec![index];
        let mut at = index;
        while let Some(&parent) = self.parents.get(at as usize).filter(|parent| **parent != NO_PARENT) {
            path.push(parent);
            at = parent;
        }
        path.reverse();
        let fingerprints: Vec<u64> = path.iter().map(|&index| self.seen.fingerprint(index)).collect();
        let begins = |state: &M::State| Some(&fingerprint(state)) == fingerprints.first();
        let Some(mut state) = self.model.initial_states().into_iter().find(begins) else {
            return Trace { steps: Vec::new(), end: "not replayable: the model is not deterministic".to_owned() };
        };
        let mut steps = Vec::new();
        for wanted in fingerprints.iter().skip(1) {
            let mut actions = Vec::new();
            self.model.actions(&state, &mut actions);
            let step = actions.iter().find_map(|action| {
                let next = self.model.next(&state, action)?;
                (fingerprint(&next) == *wanted).then(|| (self.model.explain(&state, action), next))
            });
            let Some((line, next)) = step else {
                return Trace { steps, end: "not replayable: the model is not deterministic".to_owned() };
            };
            steps.push(line);
            state = next;
        }
        Trace { steps, end: self.model.describe(&state) }
    }
}
