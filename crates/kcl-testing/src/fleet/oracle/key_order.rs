//! S17: for each partition key, records are first processed in the order in which they were put.

use std::collections::{BTreeMap, BTreeSet};

use super::{Finding, Record};

pub(super) fn check(record: Record<'_>) -> Option<Finding> {
    let mut seen = BTreeSet::new();
    let mut newest = BTreeMap::new();
    for (index, position) in record.completions() {
        let Some(put) = record.put_at(position).filter(|_| seen.insert(position)) else { continue };
        let newest = newest.entry(&put.partition_key).or_insert(put);
        if newest.position > put.position {
            return Some((index, format!("{put:?} was first processed after {newest:?}, which was put later")));
        }
        *newest = put;
    }
    None
}
