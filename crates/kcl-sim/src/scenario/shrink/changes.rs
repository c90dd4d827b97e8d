//! What can be made simpler in a run, besides its faults and actions.

use std::time::Duration;

use kcl_core::StartStrategy;

use crate::exec::Policy;
use crate::scenario::{Java, Plan};

type Change = fn(&mut Plan);

/// No chaos is shorter.
const SHORTEST: Duration = Duration::from_secs(5);

/// In order: what makes runs shorter first. Each leaves the plan as it is once it cannot go further.
pub(super) const ALL: [(&str, Change); 22] = [
    ("everything twice as early", |plan| {
        let half = plan.options.chaos / 2;
        if half >= SHORTEST {
            plan.actions.iter_mut().for_each(|(at, _)| *at /= 2);
            chaos(plan, half);
        }
    }),
    ("half the chaos", |plan| chaos(plan, plan.options.chaos / 2)),
    ("three quarters of the chaos", |plan| chaos(plan, plan.options.chaos * 3 / 4)),
    ("half the workers", |plan| plan.options.workers = plan.options.workers.div_ceil(2)),
    ("one worker less", |plan| plan.options.workers = plan.options.workers.saturating_sub(1).max(1)),
    ("half the shards", |plan| plan.options.shards = plan.options.shards.div_ceil(2)),
    ("one shard less", |plan| plan.options.shards = plan.options.shards.saturating_sub(1).max(1)),
    ("no panics", |plan| plan.options.behaviour.panics = 0),
    ("no hangs", |plan| plan.options.behaviour.hangs = 0),
    ("no misuse", |plan| plan.options.behaviour.misuses = 0),
    ("ends in time", |plan| plan.options.behaviour.ends_late = 0),
    ("quick processors", |plan| plan.options.behaviour.slowest = plan.options.behaviour.slowest.min(Duration::from_millis(5))),
    ("a checkpoint per batch", |plan| plan.options.behaviour.checkpoint_every = 1),
    ("no aggregates", |plan| plan.options.aggregates = 0),
    ("no worker that does not hand off", |plan| plan.options.mixed_hand_off = false),
    ("settings that do not differ", |plan| plan.options.mixed = false),
    ("nobody abandoned", |plan| plan.options.abandons = false),
    ("clocks that agree", |plan| (plan.options.rate_ppm, plan.options.stops_in_suspend) = (0, false)),
    ("from the oldest record", |plan| plan.options.start = StartStrategy::Oldest),
    ("no Java workers", |plan| plan.options.java = Java::default()),
    ("Java workers of one version, which start with the others", |plan| {
        let java = &mut plan.options.java;
        let three = std::mem::take(&mut java.three);
        java.two.extend(three);
        java.first_by = Duration::ZERO;
    }),
    ("plain picks", |plan| plan.options.policy = Policy::Random),
];

/// Actions after it would not happen any more.
fn chaos(plan: &mut Plan, to: Duration) {
    let to = to.max(SHORTEST);
    if to < plan.options.chaos {
        plan.options.chaos = to;
        plan.options.behaviour.calm_at = to;
        plan.actions.retain(|(at, _)| *at < to);
    }
}
