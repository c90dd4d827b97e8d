//! V3: at the end of the quiet time live workers own the same number of leases, give or take one.

use std::collections::BTreeMap;

use super::{Finding, Run};
use crate::trace::Stage;

pub(super) fn check(run: Run<'_>) -> Result<(), Finding> {
    let end = run.stage(Stage::Shutdown);
    let mut counts: BTreeMap<String, usize> = run.core(end).into_keys().map(|worker| (worker, 0)).collect();
    for row in run.table(end).into_values() {
        if let Some(count) = row.owner.and_then(|owner| counts.get_mut(owner.as_str())) {
            *count += 1;
        }
    }
    let (least, most) = (counts.values().min(), counts.values().max());
    match (least, most) {
        (Some(least), Some(most)) if most - least > 1 => Err((end, format!("leases by worker: {counts:?}"))),
        _ => Ok(()),
    }
}
