use std::cell::{Ref, RefCell};
use std::hash::Hash;

use super::bfs::{Table, fingerprint};

/// Gives equal values the same small number, so that states that share big parts stay small.
///
/// Numbers are given in the order in which values come: the same search gives the same numbers.
#[derive(Debug)]
pub(super) struct Interner<T> {
    inner: RefCell<(Table, Vec<T>)>,
}

impl<T> Default for Interner<T> {
    fn default() -> Self {
        Self { inner: RefCell::default() }
    }
}

impl<T: Hash + Eq> Interner<T> {
    /// The number of `value`.
    pub(super) fn number(&self, value: T) -> u32 {
        let inner = &mut *self.inner.borrow_mut();
        let (number, new) = inner.0.insert(fingerprint(&value));
        if new {
            inner.1.push(value);
        } else {
            debug_assert!(inner.1[number as usize] == value, "two values share a fingerprint");
        }
        number
    }

    /// The value with this number. Panics if there is none: numbers come from here only.
    pub(super) fn value(&self, number: u32) -> Ref<'_, T> {
        Ref::map(self.inner.borrow(), |inner| &inner.1[number as usize])
    }
}

/// Remembers the results of a pure function.
#[derive(Debug)]
pub(super) struct Memo<V> {
    inner: RefCell<(Table, Vec<V>)>,
}

impl<V> Default for Memo<V> {
    fn default() -> Self {
        Self { inner: RefCell::default() }
    }
}

impl<V: Clone> Memo<V> {
    /// What `compute` gives for `key`, computed once.
    pub(super) fn get(&self, key: &impl Hash, compute: impl FnOnce() -> V) -> V {
        let (number, new) = self.inner.borrow_mut().0.insert(fingerprint(key));
        if !new {
            return self.inner.borrow().1[number as usize].clone();
        }
        // Nothing is borrowed while it runs, and it computes no other entry of this memo.
        let value = compute();
        self.inner.borrow_mut().1.push(value.clone());
        value
    }
}
