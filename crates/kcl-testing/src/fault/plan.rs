use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Fault, FaultHandle};

/// A kind of call that a fault can be planned for: [`StoreCall`](super::StoreCall) or [`StreamCall`](super::StreamCall).
pub trait FaultCall: Copy + Eq + fmt::Debug + Send + Sync + 'static {
    /// Whether a fault planned for `self` happens to an actual `call`.
    fn covers(self, call: Self) -> bool;
}

/// Which calls a fault is for: a kind of call, on anything or on one lease key or shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultTarget<C> {
    call: C,
    subject: Option<String>,
}

impl<C> FaultTarget<C> {
    pub(super) const fn of(call: C, subject: String) -> Self {
        Self { call, subject: Some(subject) }
    }
}

impl<C: FaultCall> From<C> for FaultTarget<C> {
    fn from(call: C) -> Self {
        Self { call, subject: None }
    }
}

impl<C: FaultCall> FaultTarget<C> {
    fn covers(&self, call: C, subject: &str) -> bool {
        self.call.covers(call) && self.subject.as_ref().is_none_or(|own| own == subject)
    }
}

/// The faults that are still to happen, in the order they were planned. A handle: clones are the same plan.
///
/// A call meets at most one fault: the first planned one that is due for it, and faults for single calls before those
/// for every call.
#[derive(Clone, Debug)]
pub struct FaultPlan<C> {
    rules: Arc<Mutex<Vec<Rule<C>>>>,
}

#[derive(Debug)]
struct Rule<C> {
    target: FaultTarget<C>,
    fault: Fault,
    handle: FaultHandle,
    /// How many calls still pass unharmed; `None` for a fault that happens to every call.
    passing: Option<u64>,
}

impl<C: FaultCall> FaultPlan<C> {
    pub(super) fn new() -> Self {
        Self { rules: Arc::new(Mutex::new(Vec::new())) }
    }

    /// Plans a fault for the next such call. Planned twice, it is for the next two.
    pub fn next(&self, target: impl Into<FaultTarget<C>>, fault: Fault) -> FaultHandle {
        self.nth(target, 1, fault)
    }

    /// Plans a fault for the `n`th such call from now; 0 counts as 1.
    pub fn nth(&self, target: impl Into<FaultTarget<C>>, n: u64, fault: Fault) -> FaultHandle {
        self.plan(target.into(), fault, Some(n.saturating_sub(1)))
    }

    /// Plans a fault for every such call until [`clear`](Self::clear).
    pub fn every(&self, target: impl Into<FaultTarget<C>>, fault: Fault) -> FaultHandle {
        self.plan(target.into(), fault, None)
    }

    /// Forgets every fault that is still to happen. Calls that are held up stay so until they are released.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// How many planned faults are still to happen, those for every call included: for the end of a test, which should
    /// have met them all.
    pub fn outstanding(&self) -> usize {
        self.lock().len()
    }

    /// The fault that this call meets.
    pub(super) fn meet(&self, call: C, subject: &str) -> Option<(Fault, FaultHandle)> {
        let mut rules = self.lock();
        let mut due = None;
        for (index, rule) in rules.iter_mut().enumerate().filter(|(_, rule)| rule.target.covers(call, subject)) {
            match &mut rule.passing {
                Some(0) => due = due.or(Some(index)),
                Some(passing) => *passing -= 1,
                None => {}
            }
        }
        let (fault, handle) = match due {
            Some(index) => {
                let rule = rules.remove(index);
                (rule.fault, rule.handle)
            }
            None => {
                let always = rules.iter().find(|rule| rule.passing.is_none() && rule.target.covers(call, subject))?;
                (always.fault, always.handle.clone())
            }
        };
        handle.hit();
        Some((fault, handle))
    }

    fn plan(&self, target: FaultTarget<C>, fault: Fault, passing: Option<u64>) -> FaultHandle {
        let handle = FaultHandle::new();
        self.lock().push(Rule { target, fault, handle: handle.clone(), passing });
        handle
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Rule<C>>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
