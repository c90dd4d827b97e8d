//! A script as the Rust text that makes it.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use kcl_core::StartStrategy;

use super::{Script, calm};
use crate::scenario::{Action, Options};
use crate::world::{Api, Call, Fate, FaultPlan, Mutant};

impl Display for Script {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let plan = &self.plan;
        write!(f, "Script::new()")?;
        write!(f, "\n    .seed({:#x})", plan.seed)?;
        options(f, &plan.options)?;
        if plan.mutant != Mutant::Sound {
            write!(f, "\n    .mutant(Mutant::{:?})", plan.mutant)?;
        }
        for (call, fate) in plan.store.decided.iter().chain(&plan.stream.decided) {
            write!(f, "\n    .on({}, {})", call_text(call), fate_text(*fate))?;
        }
        for (at, action) in &plan.actions {
            write!(f, "\n    .at({}, {})", time(*at), action_text(action))?;
        }
        chance(f, "store", &plan.store)?;
        chance(f, "stream", &plan.stream)
    }
}

/// What is still left to chance cannot be said in a script: better a text that does not compile than one that lies.
fn chance(f: &mut Formatter<'_>, name: &str, plan: &FaultPlan) -> fmt::Result {
    if plan.mix.0.is_empty() { Ok(()) } else { write!(f, "\n    .left_to_chance({name:?}, {:?})", plan.mix.0) }
}

fn options(f: &mut Formatter<'_>, options: &Options) -> fmt::Result {
    let calm = calm();
    let mut say = |differs: bool, text: String| if differs { write!(f, "\n    {text}") } else { Ok(()) };
    let is = |text: String| format!(".with(|options| options.{text})");
    let (here, there) = (&options.behaviour, &calm.behaviour);
    say(options.workers != calm.workers, format!(".workers({})", options.workers))?;
    say(options.shards != calm.shards, format!(".shards({})", options.shards))?;
    say(options.failover != calm.failover, format!(".failover({})", time(options.failover)))?;
    say(options.chaos != calm.chaos, format!(".chaos({})", time(options.chaos)))?;
    say(options.settle != calm.settle, format!(".settle({})", time(options.settle)))?;
    say(options.poll != calm.poll, is(format!("poll = {}", time(options.poll))))?;
    say(options.sync != calm.sync, is(format!("sync = {}", time(options.sync))))?;
    say(options.cleanup != calm.cleanup, is(format!("cleanup = {}", time(options.cleanup))))?;
    let start = match options.start {
        StartStrategy::Latest => "StartStrategy::Latest".to_owned(),
        StartStrategy::Oldest => "StartStrategy::Oldest".to_owned(),
        StartStrategy::Timestamp(millis) => format!("StartStrategy::Timestamp({millis})"),
    };
    say(options.start != calm.start, is(format!("start = {start}")))?;
    let acquire = options.leases_to_acquire;
    say(acquire != calm.leases_to_acquire, is(format!("leases_to_acquire = {acquire}")))?;
    say(options.hand_off != calm.hand_off, is(format!("hand_off = {}", time(options.hand_off))))?;
    say(options.mixed_hand_off != calm.mixed_hand_off, is(format!("mixed_hand_off = {}", options.mixed_hand_off)))?;
    say(options.mixed != calm.mixed, is(format!("mixed = {}", options.mixed)))?;
    say(options.aggregates != calm.aggregates, is(format!("aggregates = {}", options.aggregates)))?;
    say(options.rate_ppm != calm.rate_ppm, is(format!("rate_ppm = {}", options.rate_ppm)))?;
    let stops = options.stops_in_suspend;
    say(stops != calm.stops_in_suspend, is(format!("stops_in_suspend = {stops}")))?;
    say(options.abandons != calm.abandons, is(format!("abandons = {}", options.abandons)))?;
    say(options.batch != calm.batch, is(format!("batch = {}", options.batch)))?;
    say(options.policy != calm.policy, is(format!("policy = Policy::{:?}", options.policy)))?;
    let java = &options.java;
    let numbers = |set: &std::collections::BTreeSet<u64>| {
        // Later processes than a run has need not be said.
        let set: Vec<String> = set.iter().filter(|nth| **nth <= 40).map(ToString::to_string).collect();
        format!("[{}].into()", set.join(", "))
    };
    say(java.two != calm.java.two, is(format!("java.two = {}", numbers(&java.two))))?;
    say(java.three != calm.java.three, is(format!("java.three = {}", numbers(&java.three))))?;
    say(java.first_by != calm.java.first_by, is(format!("java.first_by = {}", time(java.first_by))))?;
    let every = here.checkpoint_every;
    say(every != there.checkpoint_every, is(format!("behaviour.checkpoint_every = {every}")))?;
    say(here.slowest != there.slowest, is(format!("behaviour.slowest = {}", time(here.slowest))))?;
    say(here.panics != there.panics, is(format!("behaviour.panics = {}", here.panics)))?;
    say(here.hangs != there.hangs, is(format!("behaviour.hangs = {}", here.hangs)))?;
    say(here.misuses != there.misuses, is(format!("behaviour.misuses = {}", here.misuses)))?;
    say(here.ends_late != there.ends_late, is(format!("behaviour.ends_late = {}", here.ends_late)))
}

fn time(time: Duration) -> String {
    if time.subsec_nanos() == 0 { format!("secs({})", time.as_secs()) } else { format!("micros({})", time.as_micros()) }
}

fn call_text(call: &Call) -> String {
    let api = match call.api {
        Api::Write(verb) => format!("Verb::{verb:?}"),
        api => format!("Api::{api:?}"),
    };
    format!("call({}, {api}, {})", call.node.number(), call.nth)
}

fn fate_text(fate: Fate) -> String {
    match fate {
        Fate::Fail(kind) => format!("Fate::Fail(ErrorKind::{kind:?})"),
        Fate::DelayApply(by) => format!("Fate::DelayApply({})", time(by)),
        Fate::ApplyTwice(by) => format!("Fate::ApplyTwice({})", time(by)),
        Fate::SlowReply(by) => format!("Fate::SlowReply({})", time(by)),
        Fate::Stale(by) => format!("Fate::Stale({})", time(by)),
        Fate::LateListing(by) => format!("Fate::LateListing({})", time(by)),
        plain => format!("Fate::{plain:?}"),
    }
}

fn action_text(action: &Action) -> String {
    let of = |name: &str, nth: u64, by: Duration| format!("Action::{name}({nth}, {})", time(by));
    match action {
        Action::Pause(nth, by) => of("Pause", *nth, *by),
        Action::Suspend(nth, by) => of("Suspend", *nth, *by),
        Action::Cut(nth, by) => of("Cut", *nth, *by),
        Action::Kill(nth, by) => format!("Action::Kill({nth}, Replacement::{by:?})"),
        Action::Starve(nth, task, by) => format!("Action::Starve({nth}, {task}, {})", time(*by)),
        Action::ThrottleStore(by) => format!("Action::ThrottleStore({})", time(*by)),
        Action::StreamGone(by) => format!("Action::StreamGone({})", time(*by)),
        Action::GoNative(by) => format!("Action::GoNative({})", time(*by)),
        Action::Trim(age) => format!("Action::Trim({})", time(*age)),
        Action::Edit(nth, edit) => format!("Action::Edit({nth}, Edit::{edit:?})"),
        plain => format!("Action::{plain:?}"),
    }
}
