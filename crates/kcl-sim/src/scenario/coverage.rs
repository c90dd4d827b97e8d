use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use kcl_core::{ErrorKind, Verb};

use super::{Action, ActionKind, Report};
use crate::trace::{Answer, Call, Event, Told};
use crate::world::{Api, Fate};

/// What happened in a set of runs, and how often: a green run means nothing if its faults never fired.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    runs: u64,
    /// So many of them had workers of the Java library.
    mixed: u64,
    simulated: Duration,
    counts: BTreeMap<String, u64>,
}

const VERBS: [Verb; 10] = [
    Verb::Create,
    Verb::Renew,
    Verb::Take,
    Verb::Checkpoint,
    Verb::Release,
    Verb::Request,
    Verb::Withdraw,
    Verb::Transfer,
    Verb::Describe,
    Verb::Delete,
];

/// What has to happen in every large set of runs, besides every fault and every verb.
const HAPPENINGS: [&str; 16] = [
    "take after expiry",
    "take from a live owner",
    "take of a released lease",
    "checkpoint refused after the loss",
    "misuse refused",
    "checkpoint within an aggregate",
    "reshard of a reshard",
    "shard ended without a record",
    "shard ended, children not named",
    "reader reopened before its first record",
    "row deleted",
    "panic of a processor",
    "shutdown during chaos",
    "worker still unwell in the quiet time",
    "trimmed record reported",
    "stalled shard reported",
];

/// What has to happen between workers of this library and of Java, in sets with enough of both.
const MIXED: [&str; 6] = [
    "Java take",
    "Java steals from one of ours",
    "one of ours steals from Java",
    "Java takes what one of ours lost",
    "one of ours takes what Java lost",
    "Java shard sync",
];

/// What a few hundred runs need not show. The leases of finished shards stay with their owner, which deletes them: that is rejected
/// only if somebody edits such a row by hand between the owner's last look and the deletion.
const RARE: [&str; 1] = ["delete rejected"];

impl Coverage {
    /// So many runs must show everything.
    pub const NEEDS: u64 = 100;
    /// So many must show what is rare, too.
    const SHOWS_RARE: u64 = 5_000;
    /// So many runs with Java workers must show what happens between them and ours: each happens in a quarter of such runs or more.
    const NEEDS_MIXED: u64 = 40;

    /// What happened in one run.
    pub fn of(report: &Report) -> Self {
        let mixed = u64::from(!report.plan.options.java.is_empty());
        let mut coverage = Self { runs: 1, mixed, simulated: report.simulated, counts: BTreeMap::new() };
        for entry in &report.entries {
            coverage.see(&entry.event);
        }
        for name in super::happenings::of(&report.entries) {
            coverage.count(name.to_owned());
        }
        coverage
    }

    /// Adds what happened in others.
    pub fn add(&mut self, other: &Self) {
        self.runs += other.runs;
        self.mixed += other.mixed;
        self.simulated += other.simulated;
        for (name, count) in &other.counts {
            *self.counts.entry(name.clone()).or_default() += count;
        }
    }

    fn count(&mut self, name: String) {
        *self.counts.entry(name).or_default() += 1;
    }

    fn see(&mut self, event: &Event) {
        match event {
            Event::Nemesis(action) => self.count(format!("nemesis {}", action_name(action))),
            Event::Fault(_, api, _, fate) => self.count(format!("fault {} of {}", fate_name(*fate), seam(*api))),
            Event::Told(_, verb, _, told) => {
                let told = match told {
                    Told::Applied => "applied",
                    Told::Rejected => "rejected",
                    Told::Failed(ErrorKind::Indeterminate) => "indeterminate",
                    Told::Failed(_) => "failed",
                };
                self.count(format!("{} {told}", verb.name()));
            }
            Event::Begin(_, Call::Process(positions)) => {
                *self.counts.entry("records handed over".to_owned()).or_default() += positions.len() as u64;
            }
            Event::Answered(_, _, answer) => self.count(format!("checkpoint answered {}", answer_name(*answer))),
            Event::Alarm(_, name, _) => self.count(format!("alarm {name}")),
            _ => {}
        }
    }

    /// What should have happened and did not.
    pub fn untried(&self) -> Vec<String> {
        let kinds = ActionKind::ALL.iter().map(|kind| format!("nemesis {kind:?}"));
        let verbs = VERBS.iter().flat_map(|verb| {
            let told = ["applied", "rejected", "indeterminate"].map(|told| format!("{} {told}", verb.name()));
            let rare = |name: &str| self.runs < Self::SHOWS_RARE && RARE.contains(&name);
            told.into_iter().filter(move |name| name != "describe rejected" && !rare(name))
        });
        let faults = super::happenings::FAULTS.iter().map(|name| format!("fault {name}"));
        let happenings = HAPPENINGS.iter().map(|name| (*name).to_owned());
        let mixed = MIXED.iter().filter(|_| self.mixed >= Self::NEEDS_MIXED).map(|name| (*name).to_owned());
        let all = kinds.chain(verbs).chain(faults).chain(happenings).chain(mixed);
        all.filter(|name| !self.counts.contains_key(name)).collect()
    }

    fn sum(&self, part: &str) -> u64 {
        self.counts.iter().filter(|(name, _)| name.contains(part)).map(|(_, count)| count).sum()
    }
}

fn action_name(action: &Action) -> String {
    let text = format!("{action:?}");
    text.split('(').next().unwrap_or_default().to_owned()
}

fn fate_name(fate: Fate) -> String {
    match fate {
        Fate::Fail(kind) => kind.name().to_owned(),
        fate => format!("{fate:?}").split('(').next().unwrap_or_default().to_owned(),
    }
}

const fn answer_name(answer: Answer) -> &'static str {
    match answer {
        Answer::Stored => "stored",
        Answer::LeaseLost => "lease lost",
        Answer::Refused => "refused",
    }
}

const fn seam(api: Api) -> &'static str {
    match api {
        Api::Prepare => "prepare",
        Api::Scan => "scan",
        Api::Get => "get",
        Api::Fleet => "fleet",
        Api::Write(_) => "write",
        Api::List => "list",
        Api::Open => "open",
        Api::Next => "next",
    }
}

impl fmt::Display for Coverage {
    /// Every count; with `#` only the summary.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hours = self.simulated.as_secs_f64() / 3600.0;
        let is_fault = |name: &&String| name.starts_with("fault ") || name.starts_with("nemesis ");
        let kinds = self.counts.keys().filter(is_fault).count();
        let faults = self.sum("fault ") + self.sum("nemesis ");
        if f.alternate() {
            return write!(
                f,
                "{} seeds, {} of them mixed, {hours:.1} simulated hours, {faults} faults of {kinds} kinds",
                self.runs, self.mixed
            );
        }
        for (name, count) in &self.counts {
            writeln!(f, "{count:>12} {name}")?;
        }
        let applied = self.sum(" applied");
        let takes = self.counts.get("take applied").copied().unwrap_or_default();
        let records = self.sum("records handed over");
        let per_hour = |count: u64| count as f64 / hours.max(f64::MIN_POSITIVE);
        write!(
            f,
            "per simulated hour: {:.0} applied writes, {:.0} takes, {:.0} records",
            per_hour(applied),
            per_hour(takes),
            per_hour(records)
        )
    }
}
